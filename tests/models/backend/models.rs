//! `Shut`: everybody leaves a backend that is shut. Fails, by a thread that sleeps for ever, if it is looked at before
//! the bell is silenced.

use super::shut::Shut;
use crate::bell::Bell;
use crate::sys::sync::AtomicBool;
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::Ordering::SeqCst;

struct Backend {
    shut: Shut,
    bell: Bell,
    /// What the reactor knows.
    over: AtomicBool,
}

impl Backend {
    fn wait(&self) {
        while !self.over.load(SeqCst) {
            self.bell.sleep();
            self.shut.silence(|| self.bell.silence(), || self.bell.ring());
        }
    }
}

#[test]
fn everybody_leaves() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let it = Arc::new(Backend { shut: Shut::new(), bell: Bell::new(), over: AtomicBool::new(false) });
        assert!(!it.over.load(SeqCst));
        it.shut.silence(|| (), || panic!("not shut yet"));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let it = it.clone();
                thread::spawn(move || it.wait())
            })
            .collect();
        // A change of before.
        it.bell.ring();
        it.over.store(true, SeqCst);
        it.shut.shut(|| it.bell.ring());
        others.into_iter().for_each(|t| t.join().unwrap());
    });
}
