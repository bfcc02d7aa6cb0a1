//! What the program wants, and telling the backend of it.

use super::deliver::queued;
use super::looking::{list, token};
use super::{EventLoop, attention, state, try_with_state};
use crate::backend::{Backend, Refusal, Watch};
use crate::grow::Grow;
use crate::interest::{Direction, Interest};
use crate::slot::{Dirty, Hint, Slot};
use crate::sys::keep_errno;
use crate::table::{self, mark_used, registered, slot_of};
use crate::time::Deadline;
use crate::timer;
use nix::errno::Errno;

/// What became of telling the backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    Yes,
    /// The number is not open: nothing will ever happen on it.
    Closed,
    /// There is no backend that could be told: the next look makes one.
    Lost,
    /// It cannot be watched: it is probed at each look.
    Unable,
}

/// `io_wantread`, `io_wantwrite`.
pub(crate) fn want(d: i64, dir: Direction) {
    if let Some(slot) = slot_of(d) {
        state().want(d as u32, slot, dir);
    }
}

/// The fast path of [`want`]; false if it is not to be taken.
#[inline(always)]
pub(crate) fn want_at_once(d: i64, dir: Direction) -> bool {
    at_once(d, |state, slot| state.want(d as u32, slot, dir)).is_some()
}

/// `io_dontwantread`, `io_dontwantwrite`.
pub(crate) fn dont_want(d: i64, dir: Direction) {
    if let Some(slot) = slot_of(d) {
        state().dont_want(slot, dir);
    }
}

/// The fast path of [`dont_want`]; false if it is not to be taken.
#[inline(always)]
pub(crate) fn dont_want_at_once(d: i64, dir: Direction) -> bool {
    at_once(d, |state, slot| state.dont_want(slot, dir)).is_some()
}

/// Calls `f` with the loop and a slot on a fast path; `None` if it is not to be taken.
#[inline(always)]
fn at_once<R>(d: i64, f: impl Fn(&mut EventLoop, &'static Slot) -> R) -> Option<R> {
    let slot = table::near_slot(d)?;
    try_with_state(|state| f(state, slot))
}

/// `io_eagain_read`, `io_eagain_write`: the program found out that the descriptor is not ready.
pub(crate) fn eagain(d: i64, dir: Direction) {
    state().eagain(d, dir);
}

/// `io_eagain`: for the directions that are wanted.
pub(crate) fn eagain_wanted(d: i64) {
    let mut state = state();
    for dir in Direction::BOTH {
        if registered(d).is_some_and(|slot| slot.want.get().has(dir)) {
            state.eagain(d, dir);
        }
    }
}

/// `io_queueforread`, `io_queueforwrite`. False for a descriptor that is not registered, or for want of memory.
pub(crate) fn queue_for(d: i64, dir: Direction) -> bool {
    state().queue_for(d, dir)
}

/// `io_timeout`.
pub(crate) fn set_deadline(d: i64, at: Deadline) -> Result<(), Errno> {
    state().set_deadline(d, at)
}

/// The fast path of [`set_deadline`]: a deadline that is pushed back. False if it is not to be taken.
#[inline(always)]
pub(crate) fn push_deadline_at_once(d: i64, at: Deadline) -> bool {
    at_once(d, |_, slot| timer::push_back(slot, at)) == Some(true)
}

/// Whether the deadline of `d` has passed.
pub(crate) fn is_expired(d: i64) -> bool {
    let at = deadline(d);
    at != Deadline::NEVER && at < Deadline::now()
}

/// The deadline of `d`; never for one that is not registered.
pub(super) fn deadline(d: i64) -> Deadline {
    registered(d).map_or(Deadline::NEVER, |slot| slot.deadline.get())
}

impl EventLoop {
    #[inline(always)]
    pub(super) fn want(&mut self, number: u32, slot: &Slot, dir: Direction) {
        let want = slot.want.get();
        if !slot.is_registered() || want.has(dir) {
            return;
        }
        slot.want.set(want | dir.into());
        self.wanted += 1;
        if dir == Direction::Write && slot.hint.get() == Hint::Given {
            return self.claim_hint(number, slot);
        }
        self.tell_later(number, slot, dir);
    }

    /// A direction is wanted that was not.
    #[inline(never)]
    fn tell_later(&mut self, number: u32, slot: &Slot, dir: Direction) {
        if slot.watched.get().has(dir) || slot.leased.get() {
            return;
        }
        if self.is_looked_at_elsewhere() {
            return self.tell_at_once(number, slot);
        }
        // What is to be registered already is probed again for writing: it nearly always is ready.
        if dir == Direction::Write || slot.dirty.get() == Dirty::No {
            list(&mut self.dirty, number, slot, Dirty::Fresh);
        }
    }

    /// The program said that the descriptor can be written to: `io_canwrite` need not wait for a look.
    #[cold]
    fn claim_hint(&mut self, number: u32, slot: &Slot) {
        if keep_errno(|| self.queue(number)).is_ok() {
            slot.hint.set(Hint::Claimed);
            self.tell_consumers();
            self.wake_looker();
        }
        self.tell_later(number, slot, Direction::Write);
    }

    /// Another thread must not sleep over what was just stated.
    #[cold]
    pub(super) fn tell_at_once(&mut self, number: u32, slot: &Slot) {
        if keep_errno(|| self.watch(number, slot, slot.watched.get() | slot.want.get())) != Told::Yes {
            list(&mut self.dirty, number, slot, Dirty::Fresh);
            self.wake_looker();
        }
    }

    /// The backend hears of it when it next reports the direction.
    #[inline(always)]
    pub(super) fn dont_want(&mut self, slot: &Slot, dir: Direction) {
        let want = slot.want.get();
        if want.has(dir) {
            slot.want.set(want - dir.into());
            self.wanted -= 1;
            if dir == Direction::Write && slot.hint.get() == Hint::Claimed {
                slot.hint.set(Hint::Given);
            }
            if self.wanted == 0 {
                self.dismiss_looker();
            }
        }
    }

    pub(super) fn eagain(&mut self, d: i64, dir: Direction) {
        let Some(slot) = registered(d) else { return };
        mark_used(slot, dir);
        slot.queued.set(slot.queued.get() - dir.into());
        if dir == Direction::Write {
            slot.hint.set(Hint::None);
        }
    }

    pub(super) fn queue_for(&mut self, d: i64, dir: Direction) -> bool {
        let Some(slot) = registered(d) else { return false };
        // One that has queued something already stands in the list.
        if queued(slot).is_none() && self.queue(d as u32).is_err() {
            return false;
        }
        slot.queued.set(slot.queued.get() | dir.into());
        self.tell_consumers();
        self.wake_looker();
        true
    }

    /// A number has an event that the program queued itself.
    pub(super) fn queue(&mut self, number: u32) -> Result<(), Errno> {
        self.queued.try_push(number)?;
        attention::raise(attention::QUEUED);
        Ok(())
    }

    pub(super) fn set_deadline(&mut self, d: i64, at: Deadline) -> Result<(), Errno> {
        if registered(d).is_none() {
            return Ok(());
        }
        if self.timer.set(d as u32, at)? {
            self.wake_looker();
        }
        self.dismiss_looker();
        Ok(())
    }

    /// Has the backend watch a descriptor for `interest` and nothing else.
    pub(super) fn watch(&mut self, number: u32, slot: &Slot, interest: Interest) -> Told {
        match self.tell(number, slot, interest) {
            Ok(()) => {
                slot.watched.set(interest);
                Told::Yes
            }
            Err(Refusal::Closed) => Told::Closed,
            Err(Refusal::Unable) => Told::Unable,
            Err(Refusal::Lost) => {
                self.lose_backend();
                Told::Lost
            }
        }
    }

    /// [`EventLoop::watch`] that leaves the books to the caller.
    pub(super) fn tell(&self, number: u32, slot: &Slot, interest: Interest) -> Result<(), Refusal> {
        let once = self.threads.are_running();
        // With event-loop threads the kernel may know a registration that has reported and is over.
        let old = if once { Interest::BOTH } else { slot.watched.get() };
        let backend = self.live_backend().ok_or(Refusal::Lost)?;
        backend.set(token(number, slot), old, Watch { interest, once })
    }

    /// The backend must not be used any more. Whoever sleeps in it is to make another.
    #[cold]
    pub(super) fn lose_backend(&mut self) {
        self.wake_looker();
        self.is_stale = true;
    }

    /// Has the thread that looks take notice of a change.
    #[inline]
    pub(super) fn wake_looker(&self) {
        if self.is_looked_at_elsewhere() {
            self.wake_sleeper();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_sleeper(&self) {
        if let Some(backend) = self.live_backend() {
            keep_errno(|| backend.wake());
        }
    }

    /// Sends the thread that looks away if nothing is left to wait for.
    #[inline]
    pub(super) fn dismiss_looker(&self) {
        // An event-loop thread waits for what will be wanted.
        if self.wanted == 0 && self.timer.is_empty() && !self.threads.are_running() {
            self.wake_looker();
        }
    }
}
