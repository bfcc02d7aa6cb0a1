//! A loop of its own on some backend.

use super::super::wait::{Waiter, wait_on};
use super::super::{Flags, Limit, Reactor};
use crate::backend::Opened;
use crate::fd::Fd;
use crate::interest::Direction;
use crate::mode::Mode;
use crate::sys::lock::{ForkLock, Guard};
use nix::errno::Errno;

pub(crate) struct Rig {
    lock: ForkLock<Reactor>,
}

impl Rig {
    pub(crate) fn new(backend: impl Into<Opened>) -> Rig {
        let mut r = Reactor::new();
        r.backend = Some(backend.into());
        Rig { lock: ForkLock::new(r) }
    }

    pub(crate) fn state(&self) -> Guard<'_, Reactor> {
        self.lock.lock()
    }

    pub(crate) fn register(&self, fd: Fd, can_write: bool) {
        self.state().register(fd, Flags { can_write, mode: Some(Mode::Nonblocking) }).unwrap();
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
}
