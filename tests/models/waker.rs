//! The part of a backend in which threads sleep: what is ready in the kernel, and the waker, which is an eventfd. It is
//! readable from a wake to the next drain, for the thread that looks and for all that wait beside it.

use loom::sync::{Condvar, Mutex};

pub(crate) struct Kernel {
    state: Mutex<State>,
    changes: Condvar,
}

#[derive(Default)]
struct State {
    ready: u32,
    is_awake: bool,
}

impl Kernel {
    pub(crate) fn new() -> Kernel {
        Kernel { state: Mutex::new(State::default()), changes: Condvar::new() }
    }

    /// A descriptor becomes ready.
    pub(crate) fn happens(&self) {
        self.state.lock().unwrap().ready += 1;
        self.changes.notify_all();
    }

    pub(crate) fn wake(&self) {
        self.state.lock().unwrap().is_awake = true;
        self.changes.notify_all();
    }

    pub(crate) fn drain(&self) {
        self.state.lock().unwrap().is_awake = false;
    }

    /// Sleeps until there is something, and says how much is ready.
    pub(crate) fn collect(&self) -> u32 {
        let mut state = self.state.lock().unwrap();
        while state.ready == 0 && !state.is_awake {
            state = self.changes.wait(state).unwrap();
        }
        state.ready
    }

    /// What is ready now.
    pub(crate) fn ready(&self) -> u32 {
        self.state.lock().unwrap().ready
    }

    /// The program reads from so many descriptors.
    pub(crate) fn read(&self, n: u32) {
        self.state.lock().unwrap().ready -= n;
    }

    /// Sleeps until it is woken, without draining.
    pub(crate) fn wait_beside(&self) {
        let mut state = self.state.lock().unwrap();
        while !state.is_awake {
            state = self.changes.wait(state).unwrap();
        }
    }
}
