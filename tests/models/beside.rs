//! One thread looks, the others wait beside it and take over when it leaves (`src/event_loop/wait.rs`, `looking.rs`), on
//! the real `ForkLock` and `Loan`. It fails, by a thread that sleeps for ever, if the thread that leaves wakes nobody, if a
//! follower is counted only after the lock was released, or if a change wakes nobody.

use crate::sys::loan::{Lent, Loan};
use crate::sys::lock::ForkLock;
use crate::waker::Kernel;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

struct Loop {
    state: ForkLock<State>,
    kernel: Kernel,
}

struct State {
    /// What the running look has borrowed.
    parts: Loan<UnsafeCell<u32>>,
    followers: u32,
    is_over: bool,
    /// Whether the last look found the waker.
    was_woken: bool,
}

impl Loop {
    fn new() -> Arc<Loop> {
        let parts = Loan::new(UnsafeCell::new(0)).unwrap();
        // loom's objects are made at their first use.
        assert!(!parts.is_lent_elsewhere());
        let state = State { parts, followers: 0, is_over: false, was_woken: false };
        let it = Loop { state: ForkLock::new(state), kernel: Kernel::new() };
        drop(it.state.lock());
        Arc::new(it)
    }

    /// A wait call without limit, and the read of one event if there was one.
    fn wait(&self) {
        let mut state = self.state.lock();
        let mut looking: Option<Lent<UnsafeCell<u32>>> = None;
        loop {
            if state.is_over {
                break;
            }
            let Some(look) = looking.take().or_else(|| state.parts.lend()) else {
                state.followers += 1;
                drop(state);
                self.kernel.wait_beside();
                // This repeats until the thread that looks has drained it.
                thread::yield_now();
                state = self.state.lock();
                state.followers -= 1;
                continue;
            };
            if std::mem::take(&mut state.was_woken) {
                self.kernel.drain();
            }
            drop(state);
            let ready = self.kernel.collect();
            // SAFETY: lent to this thread alone; loom checks that.
            look.with_mut(|found| unsafe { *found = ready });
            state = self.state.lock();
            looking = Some(look);
            if ready > 0 {
                self.kernel.read(1);
                break;
            }
            state.was_woken = true;
        }
        if looking.is_some() && state.followers > 0 {
            self.kernel.wake();
        }
        drop(looking);
    }

    /// Withdraws the last interest, so that no thread has anything to wait for.
    fn finish(&self) {
        let mut state = self.state.lock();
        state.is_over = true;
        if state.parts.is_lent_elsewhere() {
            self.kernel.wake();
        }
    }
}

fn run(waiters: usize, change: fn(&Loop)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let it = Loop::new();
        let others: Vec<_> = (0..waiters)
            .map(|_| {
                let it = it.clone();
                thread::spawn(move || it.wait())
            })
            .collect();
        change(&it);
        others.into_iter().for_each(|t| t.join().unwrap());
    });
}

#[test]
fn who_waits_beside_takes_over_from_the_one_who_leaves() {
    run(2, |it| (0..2).for_each(|_| it.kernel.happens()));
}

#[test]
fn all_return_that_have_nothing_left_to_wait_for() {
    run(2, Loop::finish);
}

#[test]
fn an_event_and_a_change_reach_one_each() {
    run(2, |it| {
        it.kernel.happens();
        it.finish();
    });
}
