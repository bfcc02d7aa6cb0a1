//! What the program wants, and telling the backend of it.

use super::Reactor;
use crate::backend::{Backend, Token};
use crate::fd::Fd;
use crate::grow::Grow;
use crate::interest::{Direction, Interest, Trigger, Watch};
use crate::outcome::Readiness;
use crate::sys::mode::is_nonblocking;
use crate::table::Rhythm;
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
    #[inline]
    pub(super) fn want(&mut self, fd: Fd, dir: Direction) {
        self.touch(fd);
        let cycle = self.cycle;
        let Some(e) = self.table.get(fd).filter(|e| !e.want.has(dir)) else { return };
        if e.in_hand {
            e.want_later |= dir.into();
            return;
        }
        e.want |= dir.into();
        self.wanted += 1;
        let number = fd.index() as u32;
        // Without memory for it, the next wait finds out.
        let at_once =
            dir == Direction::Write && e.can_be_written_to(cycle) && self.writable.reserve(1).is_ok();
        if at_once {
            self.writable.push(e, number);
            self.tell_takers(Direction::Write);
        }
        self.list_if_unsettled(number);
        if self.sleepers.any() {
            self.tell_sleepers(number, at_once);
        }
    }

    /// Another thread must not sleep over what was just stated.
    #[cold]
    pub(super) fn tell_sleepers(&mut self, number: u32, at_once: bool) {
        let unknown = self.table.listed(number).unknown();
        if at_once || (!unknown.is_none() && self.arm(number, unknown) != Armed::Yes) {
            self.wake_sleepers();
        }
    }

    /// Puts `number` on the list that the next wait call goes through, if there is a reason.
    pub(super) fn list_if_unsettled(&mut self, number: u32) {
        let e = self.table.listed(number);
        if e.is_unsettled() && !e.listed {
            e.listed = self.unsettled.try_push(number).is_ok();
        }
    }

    /// `io_dontwantread`, `io_dontwantwrite`. The backend hears of it when it next reports the direction.
    #[inline]
    pub(super) fn dont_want(&mut self, fd: Fd, dir: Direction) {
        self.touch(fd);
        let Some(e) = self.table.get(fd) else { return };
        e.want_later -= dir.into();
        if !e.want.has(dir) {
            return;
        }
        e.want -= dir.into();
        let queued = e.queued.has(dir);
        self.wanted -= 1;
        if !queued {
            self.withdraw(dir, fd.index() as u32);
        }
        self.dismiss_sleepers();
    }

    /// `io_eagain_*`: the program found out that the descriptor is not ready. It may be wrong, so that an edge does
    /// not count as used up.
    pub(super) fn eagain(&mut self, fd: Fd, dir: Direction) {
        self.touch(fd);
        let Some(e) = self.table.get(fd) else { return };
        e.can_write_hint &= dir != Direction::Write;
        e.fresh = 0;
        if e.in_hand {
            e.queued -= dir.into();
        }
        self.withdraw(dir, fd.index() as u32);
    }

    /// A transfer through the library is over.
    pub(super) fn moved(&mut self, fd: Fd, dir: Direction, readiness: Readiness) {
        self.touch(fd);
        let Some(e) = self.table.get(fd) else { return };
        if dir == Direction::Write {
            e.fresh = 0;
        }
        match (readiness, dir) {
            (Readiness::Stands, Direction::Write) if e.rhythm == Rhythm::Answering => {
                e.rhythm = Rhythm::TakesTurns;
                // The request was read before anybody looked how.
                e.open |= Interest::READ;
            }
            (Readiness::Stands, _) => {}
            // What the program queued itself stands.
            _ if e.queued.has(dir) => {}
            (Readiness::UsedUp, _) => {
                e.close(dir);
                self.withdraw(dir, fd.index() as u32);
            }
            // The next edge may never come: the kernel has to be asked.
            (Readiness::Unclear, _) => {
                e.come_up_short(dir);
                self.withdraw(dir, fd.index() as u32);
            }
        }
    }

    /// `io_queueforread`, `io_queueforwrite`. False for a descriptor that is not registered.
    pub(super) fn queue_for(&mut self, fd: Fd, dir: Direction) -> bool {
        self.touch(fd);
        let Some(e) = self.table.get(fd) else { return false };
        let room = match dir {
            Direction::Read => self.readable.reserve(1),
            Direction::Write => self.writable.reserve(1),
        };
        if room.is_err() {
            return false;
        }
        e.queued |= dir.into();
        if e.in_hand {
            return true;
        }
        e.unconfirmed -= dir.into();
        self.push(dir, fd.index() as u32);
        self.tell_takers(dir);
        if self.sleepers.any() {
            self.wake_sleepers();
        }
        true
    }

    /// Has the backend watch the registered `number` for `more` than it does.
    pub(super) fn arm(&mut self, number: u32, more: Interest) -> Armed {
        let Watch { interest, trigger } = self.table.listed(number).watch();
        self.watch(number, Watch { interest: interest | more, trigger })
    }

    /// Has the backend watch the registered `number` in another way.
    pub(super) fn watch(&mut self, number: u32, new: Watch) -> Armed {
        let e = self.table.listed(number);
        let (token, old) = (Token { fd: Fd::from_index(number), generation: e.generation }, e.watch());
        let Some(backend) = self.live_backend() else { return Armed::AskOnly };
        match backend.set(token, old, new) {
            Ok(()) => {
                let e = self.table.listed(number);
                (e.watched, e.trigger) = (new.interest, new.trigger);
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

    /// Watches for edges in both directions a descriptor whose program uses every one up, if that can be had.
    pub(super) fn promote(&mut self, number: u32) {
        let both = Watch { interest: Interest::BOTH, trigger: Trigger::Edge };
        let can = self.live_backend().is_some_and(|b| b.edges(Fd::from_index(number)));
        if !can || self.watch(number, both) != Armed::Yes {
            self.table.listed(number).rhythm = Rhythm::Irregular;
        } else {
            self.promoted = true;
        }
    }

    /// Threads appear: see the module's text.
    #[cold]
    pub(super) fn demote_all(&mut self) {
        let mut edges = Vec::new();
        let mut left = false;
        self.table.for_each(|number, e| {
            if e.trigger == Trigger::Edge {
                left |= edges.try_push(number).is_err();
            }
        });
        edges.into_iter().for_each(|number| self.demote(number));
        self.promoted = left;
    }

    /// Goes back to level-triggering, for good.
    pub(super) fn demote(&mut self, number: u32) {
        let e = self.table.listed(number);
        e.rhythm = Rhythm::Irregular;
        e.open = Interest::NONE;
        if self.watch(number, Watch::level(Interest::READ)) != Armed::Yes {
            // Not told of any more, whatever the reason: to be armed, or asked about, as if new.
            let e = self.table.listed(number);
            (e.watched, e.trigger) = (Interest::NONE, Trigger::Level);
        }
        self.list_if_unsettled(number);
    }

    /// Notes that the number was closed behind our back.
    pub(super) fn lost(&mut self, number: u32) {
        let e = self.table.listed(number);
        e.watched = Interest::NONE;
        e.dead = true;
    }

    /// Has a sleeper look at what has changed. It sleeps on for all, or returns and wakes the next.
    pub(super) fn wake_sleepers(&mut self) {
        self.sleepers.change();
        self.wake_one();
    }

    /// A thread ends its wait call: it may have been the only one that knew of the last change.
    #[inline]
    pub(super) fn pass_on_the_change(&self) {
        if self.sleepers.must_be_told() {
            self.wake_one();
        }
    }

    /// Sends the sleepers away if nothing is left to wait for.
    #[inline]
    pub(super) fn dismiss_sleepers(&mut self) {
        // An event-loop thread waits for what will be wanted.
        if self.sleepers.any() && self.wanted == 0 && self.timer.is_empty() && !self.loops.are_running() {
            self.wake_sleepers();
        }
    }

    #[cold]
    fn wake_one(&self) {
        if let Some(backend) = self.live_backend() {
            backend.wake();
        }
    }

    /// Sends the sleepers away from a backend that is given up.
    pub(super) fn shut_backend(&self) {
        if let Some(backend) = self.live_backend().filter(|_| self.sleepers.any()) {
            backend.shut();
        }
    }
}
