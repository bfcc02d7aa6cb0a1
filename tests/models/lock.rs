//! `ForkLock`. Fails if the lock is released or taken with `Relaxed`, if the unlocking thread wakes nobody, or if
//! who has slept takes the lock as `HELD`.

use crate::sys::lock::ForkLock;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

fn add(value: &UnsafeCell<u32>) {
    // SAFETY: loom checks that nobody else is at it.
    value.with_mut(|v| unsafe { *v += 1 });
}

fn get(value: &UnsafeCell<u32>) -> u32 {
    // SAFETY: as above.
    value.with(|v| unsafe { *v })
}

#[test]
fn threads_take_turns() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let lock = Arc::new(ForkLock::new(UnsafeCell::new(0)));
        drop(lock.lock());
        let others: Vec<_> = (0..2)
            .map(|_| {
                let lock = lock.clone();
                thread::spawn(move || add(&lock.lock()))
            })
            .collect();
        add(&lock.lock());
        others.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(get(&lock.lock()), 3);
    });
}

#[test]
fn a_forking_thread_holds_it_and_no_other_releases_it() {
    loom::model(|| {
        let lock = Arc::new(ForkLock::new(UnsafeCell::new(0)));
        drop(lock.lock());
        lock.release(|_| panic!("nobody holds it"));
        let forking = {
            let lock = lock.clone();
            thread::spawn(move || {
                lock.hold();
                // The fork itself.
                lock.release(|v| add(v));
            })
        };
        lock.release(|_| panic!("released by a stranger"));
        add(&lock.lock());
        forking.join().unwrap();
        assert_eq!(get(&lock.lock()), 2);
    });
}
