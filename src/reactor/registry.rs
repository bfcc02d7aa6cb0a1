//! From `io_fd` to `io_close`.

use super::interest::Armed;
use super::loops::Loops;
use super::{Flags, Reactor, hot};
use crate::backend::{Backend, Token};
use crate::fd::Fd;
use crate::interest::{Direction, Interest, Trigger, Watch};
use crate::mode::{FileKind, Mode};
use crate::sys::mode::is_nonblocking;
use crate::table::Arrival;
use nix::errno::Errno;

impl Reactor {
    /// Registers `fd`, or refreshes what the kernel can tell of it. A number that was closed behind our back
    /// and now stands for another file starts clean.
    pub(super) fn register(&mut self, fd: Fd, flags: Flags) -> Result<(), Errno> {
        hot::forget();
        self.touch(fd);
        if self.is_another_file(fd) {
            self.unregister(fd);
        }
        let just_set = self.just_set.take() == Some(fd);
        let mode = match flags.mode {
            Some(mode) => mode,
            // It is open, then. Taken for blocking, which is right for both modes and survives a number that
            // changes hands.
            None if just_set && self.table.get(fd).is_none() => Mode::Blocking,
            None => self.learn_mode(fd).inspect_err(|_| self.unregister(fd))?,
        };
        let new = self.table.get(fd).is_none();
        self.admit(fd)?;
        self.doubt_readiness(fd);
        let e = self.table.listed(fd.index() as u32);
        if new && just_set {
            e.arrival = Arrival::Connection;
        }
        e.mode = mode;
        e.kind = FileKind::Unknown;
        e.can_write_hint |= flags.can_write;
        Ok(())
    }

    /// Has the kernel asked anew about a registered number that it may not know as the same file: what was found ready
    /// may have been another one. What the program has set stays, because nothing says that it was.
    fn doubt_readiness(&mut self, fd: Fd) {
        let Some(e) = self.table.get(fd).filter(|e| e.watch().is_none()) else { return };
        e.can_write_hint = false;
        let found = e.pending - e.queued;
        for dir in [Direction::Read, Direction::Write] {
            if found.has(dir) {
                self.withdraw(dir, fd.index() as u32);
            }
        }
    }

    /// The mode of `fd`, which must be open.
    fn learn_mode(&mut self, fd: Fd) -> Result<Mode, Errno> {
        if self.table.get(fd).is_none() {
            // Nearly every descriptor is to be read from: watching it now, which shows whether it is open, saves
            // a call. Not before there is a backend, whose own descriptor could get the number.
            if self.live_backend().is_some_and(|b| b.asks_at_once()) {
                self.admit(fd)?;
                if self.arm(fd.index() as u32, Interest::READ) == Armed::Yes {
                    return Ok(Mode::Blocking);
                }
            }
        }
        Ok(if is_nonblocking(fd)? { Mode::Nonblocking } else { Mode::Blocking })
    }

    /// Ends the registration of `fd`, if it has one, before the number is closed.
    pub(super) fn unregister(&mut self, fd: Fd) {
        hot::forget();
        self.touch(fd);
        let forks = self.forks;
        let Some(e) = self.table.get(fd) else { return };
        let token = Token { fd, generation: e.generation };
        let (want, watch, shared) = (e.want, e.watch(), e.shared || e.forks != forks);
        if let Some(backend) = self.live_backend().filter(|_| !watch.is_none()) {
            if shared {
                // A copy of the descriptor would keep the registration alive after close (epoll(7), Q6).
                // An error means that there is none, which is what we want.
                let _ = backend.set(token, watch, Watch::default());
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
        self.dismiss_sleepers();
    }

    /// Whether `fd` is registered, and still the same file as far as the kernel can tell.
    pub(super) fn is_current(&mut self, fd: Fd) -> bool {
        self.table.get(fd).is_some() && !self.is_another_file(fd)
    }

    /// Whether the number stands for another file than the one that was registered.
    fn is_another_file(&mut self, fd: Fd) -> bool {
        let Some(e) = self.table.get(fd) else { return false };
        let (token, watch, dead) = (Token { fd, generation: e.generation }, e.watch(), e.dead);
        match self.live_backend() {
            // Without a registration in the kernel there is nothing to compare with.
            Some(backend) if !watch.is_none() => !backend.same_file(token, watch),
            _ => dead,
        }
    }

    /// Gives `fd` an entry of its own, if it has none.
    fn admit(&mut self, fd: Fd) -> Result<(), Errno> {
        if self.table.get(fd).is_some() {
            return Ok(());
        }
        // Early, because a program may give up the right to make one after it has set up its descriptors.
        if self.backend.is_none() {
            self.renew_backend()?;
        }
        // Room for every registered descriptor, so that stating interest never needs memory.
        self.unsettled.try_reserve(self.registered + 1).map_err(|_| Errno::ENOMEM)?;
        let forks = self.forks;
        let e = self.table.slot_or_new(fd)?;
        e.register(forks);
        e.trigger = Trigger::Level;
        self.registered += 1;
        Ok(())
    }

    /// Forgets everything. Descriptors of the program stay open. What was there is to be dropped without the lock.
    pub(super) fn shut_down(&mut self) -> Reactor {
        hot::forget();
        self.shut_backend();
        let loops = std::mem::replace(&mut self.loops, Loops::new());
        let fresh = Reactor { epoch: self.epoch.wrapping_add(1), forks: self.forks, loops, ..Reactor::new() };
        std::mem::replace(self, fresh)
    }
}
