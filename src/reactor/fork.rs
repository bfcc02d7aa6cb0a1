//! After a fork the child's loop is its own.
//!
//! The child inherits the table, so that it knows what it inherited, but must not touch the backend: the
//! kernel object is the parent's as well. It is dropped and made anew by the child's first wait.

use super::{Reactor, STATE};
use crate::sys::fork::at_fork;
use nix::errno::Errno;
use std::sync::atomic::AtomicBool;

static WATCHED: AtomicBool = AtomicBool::new(false);

/// Makes sure that forks are noticed. To be called before the state is first locked to register something,
/// so that a child finds the lock free.
pub(super) fn watch() -> Result<(), Errno> {
    at_fork(&WATCHED, before, parent, child)
}

impl Reactor {
    /// In both processes: what is open now is open twice, and closing it here ends nothing in the kernel.
    fn forked(&mut self) {
        self.forks = self.forks.wrapping_add(1);
    }

    fn forked_child(&mut self) {
        self.forked();
        self.stale = self.backend.is_some();
        // The other threads are not in this process.
        self.sleepers.forget_all();
        self.lose_loops();
    }
}

extern "C" fn before() {
    STATE.hold();
}

extern "C" fn parent() {
    STATE.release(Reactor::forked);
}

extern "C" fn child() {
    STATE.release(Reactor::forked_child);
}
