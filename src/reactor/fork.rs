//! After a fork the child's loop is its own.
//!
//! The child inherits the table, so that it knows what it inherited, but must not touch the backend: the
//! kernel object is the parent's as well. It is dropped and made anew by the child's first wait.

use super::Reactor;
use super::global::STATE;
use crate::sys::fork::at_fork;
use nix::errno::Errno;

impl Reactor {
    /// Makes sure that forks are noticed.
    pub(super) fn watch_forks(&mut self) -> Result<(), Errno> {
        if !self.fork_watched {
            at_fork(before, parent, child)?;
            self.fork_watched = true;
        }
        Ok(())
    }

    /// In both processes: what is open now is open twice, and closing it here ends nothing in the kernel.
    fn forked(&mut self) {
        self.forks = self.forks.wrapping_add(1);
    }

    fn forked_child(&mut self) {
        self.forked();
        self.stale = self.backend.is_some();
        // The other threads are not in this process.
        self.sleepers = 0;
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
