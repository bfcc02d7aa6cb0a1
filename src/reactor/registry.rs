//! From `io_fd` to `io_close`.

use super::{Flags, Reactor};
use crate::backend::{Token, Watch};
use crate::fd::Fd;
use crate::interest::Direction;
use crate::mode::{FileKind, Mode};
use crate::sys::mode::is_nonblocking;
use nix::errno::Errno;

impl Reactor {
    /// Registers `fd`, or refreshes what the kernel can tell of it. A number that was closed behind our back
    /// and now stands for another file starts clean.
    pub(super) fn register(&mut self, fd: Fd, flags: Flags) -> Result<(), Errno> {
        let mode = match flags.mode {
            Some(mode) => mode,
            // Taken for blocking, which is right for both modes and survives a number that changed hands.
            None if self.just_set.take() == Some(fd) && self.table.get(fd).is_none() => Mode::Blocking,
            None => match is_nonblocking(fd) {
                Ok(true) => Mode::Nonblocking,
                Ok(false) => Mode::Blocking,
                Err(e) => {
                    self.unregister(fd);
                    return Err(e);
                }
            },
        };
        if self.is_another_file(fd) {
            self.unregister(fd);
        }
        if self.table.get(fd).is_none() {
            self.admit(fd, mode)?;
        }
        let e = self.table.listed(fd.index() as u32);
        e.mode = mode;
        e.kind = FileKind::Unknown;
        e.can_write_hint |= flags.can_write;
        Ok(())
    }

    /// Ends the registration of `fd`, if it has one, before the number is closed.
    pub(super) fn unregister(&mut self, fd: Fd) {
        let forks = self.forks;
        self.just_set = None;
        let Some(e) = self.table.get(fd) else { return };
        let token = Token { fd, generation: e.generation };
        let (want, watched, shared) = (e.want, e.watched, e.shared || e.forks != forks);
        if let Some(backend) = self.live_backend().filter(|_| !watched.is_none()) {
            if shared {
                // A copy of the descriptor would keep the registration alive after close (epoll(7), Q6).
                // An error means that there is none, which is what we want.
                let _ = backend.set(token, Watch::level(watched), Watch::default());
            } else {
                backend.closing(token);
            }
        }
        let number = fd.index() as u32;
        self.withdraw(Direction::Read, number);
        self.withdraw(Direction::Write, number);
        self.timer.clear(&mut self.table, number);
        self.wanted -= want.count();
        self.registered -= 1;
        self.table.listed(number).vacate();
    }

    /// Whether the number stands for another file than the one that was registered.
    fn is_another_file(&mut self, fd: Fd) -> bool {
        let Some(e) = self.table.get(fd) else { return false };
        let (token, watched, dead) = (Token { fd, generation: e.generation }, e.watched, e.dead);
        match self.live_backend() {
            // Without a registration in the kernel there is nothing to compare with.
            Some(backend) if !watched.is_none() => !backend.same_file(token, Watch::level(watched)),
            _ => dead,
        }
    }

    fn admit(&mut self, fd: Fd, mode: Mode) -> Result<(), Errno> {
        // Early, because a program may give up the right to make one after it has set up its descriptors.
        if self.backend.is_none() {
            self.renew_backend()?;
        }
        // Room for every registered descriptor, so that stating interest never needs memory.
        self.unarmed.try_reserve(self.registered + 1).map_err(|_| Errno::ENOMEM)?;
        let forks = self.forks;
        self.table.slot_or_new(fd)?.register(mode, forks);
        self.registered += 1;
        Ok(())
    }

    /// Forgets everything. Descriptors of the program stay open.
    pub(super) fn shut_down(&mut self) {
        self.shut_backend();
        *self = Reactor { epoch: self.epoch.wrapping_add(1), forks: self.forks, ..Reactor::new() };
    }
}
