//! The hand-over of event-loop threads (`src/reactor/loops.rs`) on the real `EventCount` and `ForkLock`: every event
//! reaches a thread of the program, whoever looks and whoever sleeps. Fails, by a thread that sleeps for ever, if a
//! taker calls no leader before it sleeps or after it has taken an event, if a leader tells nobody, or if a count is
//! looked at after the lock was let go.

use crate::bell::Bell;
use crate::sys::eventcount::EventCount;
use crate::sys::lock::{ForkLock, Guard};
use loom::sync::Arc;
use loom::thread;

const ALL: u32 = i32::MAX as u32;

struct Loop {
    state: ForkLock<State>,
    leaders: EventCount,
    takers: EventCount,
    /// The kernel has something, or the backend is shut.
    bell: Bell,
}

#[derive(Default)]
struct State {
    leading: bool,
    waiting: u32,
    /// In the kernel.
    ready: u32,
    /// In the queue.
    pending: u32,
    over: bool,
}

impl State {
    fn is_asked_for_events(&self) -> bool {
        self.waiting > 0 && self.pending == 0
    }
}

impl Loop {
    fn new() -> Arc<Loop> {
        let it = Loop {
            state: ForkLock::new(State::default()),
            leaders: EventCount::new(),
            takers: EventCount::new(),
            bell: Bell::new(),
        };
        // loom's objects are made at their first use.
        drop(it.state.lock());
        for count in [&it.leaders, &it.takers] {
            count.sleep(count.now() + 1);
            count.advance(0);
        }
        Arc::new(it)
    }

    fn lead<'a>(&'a self, mut state: Guard<'a, State>, waits: bool) -> Guard<'a, State> {
        state.leading = true;
        drop(state);
        if waits {
            self.bell.sleep();
        }
        let mut state = self.state.lock();
        state.leading = false;
        state.pending += std::mem::take(&mut state.ready);
        if !state.over {
            self.bell.silence();
        }
        let few = state.pending.min(state.waiting);
        if few > 0 {
            self.takers.advance(few);
        }
        state
    }

    fn library(&self) {
        let mut state = self.state.lock();
        while !state.over {
            if state.leading || !state.is_asked_for_events() {
                let seen = self.leaders.now();
                drop(state);
                self.leaders.sleep(seen);
                state = self.state.lock();
                continue;
            }
            state = self.lead(state, true);
        }
    }

    /// `io_canread`.
    fn take(&self) {
        let mut state = self.state.lock();
        let mut looked = false;
        while state.pending == 0 {
            state = if looked || state.leading { self.sleep(state) } else { self.lead(state, false) };
            looked = !looked;
        }
        state.pending -= 1;
        self.call_leader(&state);
    }

    fn call_leader(&self, state: &State) {
        if !state.leading && state.is_asked_for_events() {
            self.leaders.advance(1);
        }
    }

    fn sleep<'a>(&'a self, mut state: Guard<'a, State>) -> Guard<'a, State> {
        state.waiting += 1;
        let seen = self.takers.now();
        self.call_leader(&state);
        drop(state);
        self.takers.sleep(seen);
        state = self.state.lock();
        state.waiting -= 1;
        state
    }

    fn happens(&self) {
        self.state.lock().ready += 1;
        self.bell.ring();
    }

    fn finish(&self) {
        self.state.lock().over = true;
        self.leaders.advance(ALL);
        self.bell.ring();
    }
}

/// `takers` threads take an event each, which happen one after the other.
fn run(takers: u32, preemptions: usize) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        let it = Loop::new();
        let spawn = |body: fn(&Loop)| {
            let it = it.clone();
            thread::spawn(move || body(&it))
        };
        let library = spawn(Loop::library);
        let takers: Vec<_> = (0..takers).map(|_| spawn(Loop::take)).collect();
        takers.iter().for_each(|_| it.happens());
        takers.into_iter().for_each(|t| t.join().unwrap());
        it.finish();
        library.join().unwrap();
    });
}

#[test]
fn one_takes() {
    run(1, 3);
}

#[test]
fn two_take_one_each() {
    run(2, 2);
}
