//! An event loop for one test, on some backend.

use super::super::register::File;
use super::super::wait::{Waiter, wait_on};
use super::super::{EventLoop, Kernel, Limit, lock};
use crate::backend::Opened;
use crate::fd::Fd;
use crate::interest::Direction;
use crate::sys::lock::{ForkLock, Guard};
use crate::table::slot_of;
use nix::errno::Errno;

/// The slots belong to the thread and not to the rig, so a drop ends all registrations.
pub(crate) struct Rig {
    lock: ForkLock<EventLoop>,
}

impl Rig {
    pub(crate) fn new(backend: impl Into<Opened>) -> Rig {
        let mut it = EventLoop::new();
        it.kernel = Some(Kernel::new(backend.into()).unwrap());
        Rig { lock: ForkLock::new(it) }
    }

    pub(crate) fn state(&self) -> Guard<'_, EventLoop> {
        lock(&self.lock)
    }

    pub(crate) fn register(&self, fd: Fd, file: File, can_write: bool) {
        self.state().register(fd, file, can_write).unwrap();
    }

    pub(crate) fn want(&self, fd: Fd, dir: Direction) {
        if let Some(slot) = slot_of(fd.raw().into()) {
            self.state().want(fd.index() as u32, slot, dir);
        }
    }

    pub(crate) fn dont_want(&self, fd: Fd, dir: Direction) {
        if let Some(slot) = slot_of(fd.raw().into()) {
            self.state().dont_want(slot, dir);
        }
    }

    pub(crate) fn wait(&self, limit: Limit) -> Result<usize, Errno> {
        wait_on(&self.lock, limit, Waiter::Program)
    }

    pub(crate) fn pop(&self, dir: Direction) -> Option<u32> {
        self.state().next(dir)
    }

    pub(crate) fn drain(&self, dir: Direction) -> Vec<u32> {
        std::iter::from_fn(|| self.pop(dir)).collect()
    }

    /// Acts as after a fork.
    pub(crate) fn fork(&self) {
        self.state().after_fork();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let old = self.state().shut_down();
        drop(old);
    }
}
