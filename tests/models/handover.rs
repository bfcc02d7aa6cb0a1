//! How event-loop threads hand over events (`src/event_loop/threads.rs`), on the real `EventCount` and `ForkLock`: every
//! event reaches a consumer, whichever thread looks and whichever sleeps. It fails, by a thread that sleeps for ever, if a
//! consumer calls no leader before it sleeps or after it has taken an event, if a leader wakes nobody, or if a count is
//! read after the lock was released.

use crate::sys::eventcount::EventCount;
use crate::sys::lock::{ForkLock, Guard};
use crate::waker::Kernel;
use loom::sync::Arc;
use loom::thread;

const ALL: u32 = i32::MAX as u32;

struct Loop {
    state: ForkLock<State>,
    leaders: EventCount,
    consumers: EventCount,
    kernel: Kernel,
}

#[derive(Default)]
struct State {
    is_led: bool,
    /// Consumers that wait for an event.
    waiting: u32,
    /// Events that were found and not taken.
    events: u32,
    is_over: bool,
}

impl State {
    fn is_asked_for_events(&self) -> bool {
        self.waiting > 0 && self.events == 0
    }
}

impl Loop {
    fn new() -> Arc<Loop> {
        let it = Loop {
            state: ForkLock::new(State::default()),
            leaders: EventCount::new(),
            consumers: EventCount::new(),
            kernel: Kernel::new(),
        };
        // loom's objects are made at their first use.
        drop(it.state.lock());
        for count in [&it.leaders, &it.consumers] {
            count.sleep(count.now() + 1);
            count.advance(0);
        }
        Arc::new(it)
    }

    /// Registrations are one-shot, so an event is found once.
    fn lead<'a>(&'a self, mut state: Guard<'a, State>, sleeps: bool) -> Guard<'a, State> {
        state.is_led = true;
        drop(state);
        let found = if sleeps { self.kernel.collect() } else { self.kernel.ready() };
        self.kernel.read(found);
        let mut state = self.state.lock();
        state.is_led = false;
        state.events += found;
        let few = state.events.min(state.waiting);
        if few > 0 {
            self.consumers.advance(few);
        }
        state
    }

    fn library(&self) {
        let mut state = self.state.lock();
        while !state.is_over {
            if state.is_led || !state.is_asked_for_events() {
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
        while state.events == 0 {
            state = if looked || state.is_led { self.sleep(state) } else { self.lead(state, false) };
            looked = !looked;
        }
        state.events -= 1;
        self.call_leader(&state);
    }

    fn call_leader(&self, state: &State) {
        if !state.is_led && state.is_asked_for_events() {
            self.leaders.advance(1);
        }
    }

    fn sleep<'a>(&'a self, mut state: Guard<'a, State>) -> Guard<'a, State> {
        state.waiting += 1;
        let seen = self.consumers.now();
        self.call_leader(&state);
        drop(state);
        self.consumers.sleep(seen);
        state = self.state.lock();
        state.waiting -= 1;
        state
    }

    fn finish(&self) {
        let mut state = self.state.lock();
        state.is_over = true;
        self.leaders.advance(ALL);
        self.kernel.wake();
    }
}

/// `consumers` threads take one event each. The events happen one after the other.
fn run(consumers: u32, preemptions: usize) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        let it = Loop::new();
        let spawn = |body: fn(&Loop)| {
            let it = it.clone();
            thread::spawn(move || body(&it))
        };
        let library = spawn(Loop::library);
        let takers: Vec<_> = (0..consumers).map(|_| spawn(Loop::take)).collect();
        takers.iter().for_each(|_| it.kernel.happens());
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
