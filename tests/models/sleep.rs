//! `Sleepers`, under a real `ForkLock`: what one thread changes reaches those who sleep. Fails, by a thread that
//! sleeps for ever, if a change wakes nobody, if who ends a wait call does not pass it on, or if a sleeper is
//! counted only after the lock was let go.

use crate::bell::Bell;
use crate::sleepers::Sleepers;
use crate::sys::lock::ForkLock;
use loom::sync::Arc;
use loom::thread;

struct Loop {
    state: ForkLock<State>,
    bell: Bell,
}

struct State {
    sleepers: Sleepers,
    changed: bool,
}

impl Loop {
    fn new() -> Arc<Loop> {
        let state = State { sleepers: Sleepers::new(), changed: false };
        let it = Arc::new(Loop { state: ForkLock::new(state), bell: Bell::new() });
        drop(it.state.lock());
        it
    }

    /// A wait call that lasts until the change is seen.
    fn wait(&self) {
        let mut state = self.state.lock();
        while !state.changed {
            let known = state.sleepers.enter();
            drop(state);
            self.bell.sleep();
            self.bell.silence();
            state = self.state.lock();
            state.sleepers.leave(known);
        }
        self.end(&state);
    }

    /// A wait call that ends for a reason of its own, but hears the bell.
    fn look(&self) {
        let mut state = self.state.lock();
        let known = state.sleepers.enter();
        drop(state);
        if self.bell.rings() {
            self.bell.silence();
        }
        state = self.state.lock();
        state.sleepers.leave(known);
        self.end(&state);
    }

    fn end(&self, state: &State) {
        if state.sleepers.must_be_told() {
            self.bell.ring();
        }
    }

    fn change(&self) {
        let mut state = self.state.lock();
        state.changed = true;
        if state.sleepers.any() {
            state.sleepers.change();
            self.bell.ring();
        }
    }
}

fn run(bodies: &[fn(&Loop)]) {
    let bodies = bodies.to_vec();
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let it = Loop::new();
        let others: Vec<_> = bodies
            .iter()
            .map(|&body| {
                let it = it.clone();
                thread::spawn(move || body(&it))
            })
            .collect();
        it.change();
        others.into_iter().for_each(|t| t.join().unwrap());
    });
}

#[test]
fn a_change_reaches_the_one_who_stays() {
    run(&[Loop::wait, Loop::look]);
}

#[test]
fn all_return_that_have_nothing_left_to_wait_for() {
    run(&[Loop::wait, Loop::wait]);
}
