//! What a backend sleeps in: an eventfd in an epoll set. One ring wakes one sleeper, which finds the bell still
//! ringing unless somebody has silenced it; as long as it rings, a sleeper that comes back wakes the next.

use loom::sync::{Condvar, Mutex};

pub(crate) struct Bell {
    rings: Mutex<bool>,
    wakes: Condvar,
}

impl Bell {
    pub(crate) fn new() -> Bell {
        Bell { rings: Mutex::new(false), wakes: Condvar::new() }
    }

    pub(crate) fn ring(&self) {
        *self.rings.lock().unwrap() = true;
        self.wakes.notify_one();
    }

    pub(crate) fn silence(&self) {
        *self.rings.lock().unwrap() = false;
    }

    /// Sleeps until it rings.
    pub(crate) fn sleep(&self) {
        let mut rings = self.rings.lock().unwrap();
        while !*rings {
            rings = self.wakes.wait(rings).unwrap();
        }
        self.wakes.notify_one();
    }

    /// Whether it rings; does not sleep.
    pub(crate) fn rings(&self) -> bool {
        *self.rings.lock().unwrap()
    }
}
