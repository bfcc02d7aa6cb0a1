//! What the program wants, and telling the backend of it.

use super::Reactor;
use crate::backend::{Token, Watch};
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::sys::mode::is_nonblocking;
use nix::errno::Errno;

/// What became of an attempt to watch a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Armed {
    Yes,
    /// The backend cannot hold it (a regular file, or no room): it is asked about at each wait.
    AskOnly,
    /// The number is not open: nothing will ever happen on it.
    Dead,
}

impl Reactor {
    /// `io_wantread`, `io_wantwrite`.
    pub(super) fn want(&mut self, fd: Fd, dir: Direction) {
        let Some(e) = self.table.get(fd).filter(|e| !e.want.has(dir)) else { return };
        e.want |= dir.into();
        let hinted = dir == Direction::Write && e.can_write_hint;
        let unarmed = e.unarmed();
        let list = !unarmed.is_none() && !e.listed_unarmed;
        e.listed_unarmed |= list;
        self.wanted += 1;
        let number = fd.index() as u32;
        if list {
            self.unarmed.push(number);
        }
        if hinted {
            self.push(dir, number);
        }
        if self.sleepers > 0 && (hinted || (!unarmed.is_none() && self.arm(number, unarmed) != Armed::Yes)) {
            self.wake_sleepers();
        }
    }

    /// `io_dontwantread`, `io_dontwantwrite`. The backend hears of it when it next reports the direction.
    pub(super) fn dont_want(&mut self, fd: Fd, dir: Direction) {
        let Some(e) = self.table.get(fd).filter(|e| e.want.has(dir)) else { return };
        e.want -= dir.into();
        let queued = e.queued.has(dir);
        self.wanted -= 1;
        if !queued {
            self.withdraw(dir, fd.index() as u32);
        }
    }

    /// `io_eagain_*`: the program found out that the descriptor is not ready.
    pub(super) fn eagain(&mut self, fd: Fd, dir: Direction) {
        let Some(e) = self.table.get(fd) else { return };
        if dir == Direction::Write {
            e.can_write_hint = false;
        }
        if e.pending.has(dir) {
            self.withdraw(dir, fd.index() as u32);
        }
    }

    /// A transfer through the library came up short. What the program queued itself stands.
    pub(super) fn stopped(&mut self, fd: Fd, dir: Direction) {
        if !self.table.get(fd).is_some_and(|e| e.queued.has(dir)) {
            self.eagain(fd, dir);
        }
    }

    /// `io_queueforread`, `io_queueforwrite`. False for a descriptor that is not registered.
    pub(super) fn queue_for(&mut self, fd: Fd, dir: Direction) -> bool {
        let Some(e) = self.table.get(fd) else { return false };
        e.queued |= dir.into();
        e.unconfirmed -= dir.into();
        self.push(dir, fd.index() as u32);
        if self.sleepers > 0 {
            self.wake_sleepers();
        }
        true
    }

    /// Has the backend watch the registered `number` for `more` than it does.
    pub(super) fn arm(&mut self, number: u32, more: Interest) -> Armed {
        let e = self.table.listed(number);
        let token = Token { fd: Fd::from_index(number), generation: e.generation };
        let (watched, new) = (e.watched, e.watched | more);
        let Some(backend) = self.live_backend() else { return Armed::AskOnly };
        match backend.set(token, Watch::level(watched), Watch::level(new)) {
            Ok(()) => {
                self.table.listed(number).watched = new;
                Armed::Yes
            }
            Err(Errno::EBADF) if is_nonblocking(token.fd).is_ok() => {
                // Open, so it is the backend's own descriptor that is bad.
                self.lose_backend();
                Armed::AskOnly
            }
            Err(Errno::EBADF) => {
                self.lost(number);
                Armed::Dead
            }
            Err(_) => Armed::AskOnly,
        }
    }

    /// Notes that the number was closed behind our back.
    pub(super) fn lost(&mut self, number: u32) {
        let e = self.table.listed(number);
        e.watched = Interest::NONE;
        e.dead = true;
    }

    pub(super) fn wake_sleepers(&self) {
        if let Some(backend) = self.live_backend() {
            backend.wake();
        }
    }

    /// Sends the sleepers away from a backend that is given up.
    pub(super) fn shut_backend(&self) {
        if let Some(backend) = self.live_backend().filter(|_| self.sleepers > 0) {
            backend.shut();
        }
    }
}
