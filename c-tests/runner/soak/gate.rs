//! Lets the clients work, holds all of them up for a sample, and sends them home.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    over: bool,
    waiting: usize,
}

impl Gate {
    /// Waits while the gate is closed. False: it is over.
    pub(super) fn pass(&self) -> bool {
        let mut state = self.lock();
        state.waiting += 1;
        self.changed.notify_all();
        while state.closed && !state.over {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        !state.over
    }

    /// Closes the gate and waits until all clients stand before it. False: they do not come.
    pub(super) fn close(&self, clients: usize, limit: Duration) -> bool {
        let mut state = self.lock();
        state.closed = true;
        let waiting = self.changed.wait_timeout_while(state, limit, |state| state.waiting < clients);
        !waiting.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    pub(super) fn open(&self) {
        self.lock().closed = false;
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
