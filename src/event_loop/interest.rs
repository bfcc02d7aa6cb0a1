//! Changes of interest, queued events and deadlines, and how the backend learns of them.

use super::deliver::queued;
use super::looking::{mark_dirty, token};
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

/// The result of a change of what the backend watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    Yes,
    /// The number is not open, so that nothing will happen on it.
    Closed,
    /// There is no usable backend. The next look opens one.
    Lost,
    /// The backend cannot watch it. Each look probes it instead.
    Unable,
}

/// `io_wantread`, `io_wantwrite`.
pub(crate) fn want(d: i64, dir: Direction) {
    if let Some(slot) = slot_of(d) {
        state().want(d as u32, slot, dir);
    }
}

/// The fast path of [`want`]; false if it cannot be taken.
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

/// The fast path of [`dont_want`]; false if it cannot be taken.
#[inline(always)]
pub(crate) fn dont_want_at_once(d: i64, dir: Direction) -> bool {
    at_once(d, |state, slot| state.dont_want(slot, dir)).is_some()
}

/// Calls `f` with the loop and a slot; `None` if the fast path cannot be taken.
#[inline(always)]
fn at_once<R>(d: i64, f: impl Fn(&mut EventLoop, &'static Slot) -> R) -> Option<R> {
    let slot = table::near_slot(d)?;
    try_with_state(|state| f(state, slot))
}

/// `io_eagain_read`, `io_eagain_write`.
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

/// `io_queueforread`, `io_queueforwrite`. False if the descriptor is not registered or memory is short.
pub(crate) fn queue_for(d: i64, dir: Direction) -> bool {
    state().queue_for(d, dir)
}

/// `io_timeout`.
pub(crate) fn set_deadline(d: i64, at: Deadline) -> Result<(), Errno> {
    state().set_deadline(d, at)
}

/// The fast path of [`set_deadline`], for a deadline that is pushed back; false if it cannot be taken.
#[inline(always)]
pub(crate) fn push_deadline_at_once(d: i64, at: Deadline) -> bool {
    at_once(d, |_, slot| timer::push_back(slot, at)) == Some(true)
}

/// `io_timedout`.
pub(crate) fn is_expired(d: i64) -> bool {
    let at = deadline(d);
    at != Deadline::NEVER && at < Deadline::now()
}

/// The deadline of `d`, `NEVER` if it is not registered.
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

    /// Has the backend learn of new interest, at the next look if possible.
    #[inline(never)]
    fn tell_later(&mut self, number: u32, slot: &Slot, dir: Direction) {
        if slot.watched.get().has(dir) || slot.leased.get() {
            return;
        }
        if self.is_looked_at_elsewhere() {
            return self.tell_at_once(number, slot);
        }
        // A descriptor on the list that waits to be registered is probed again for writing: nearly always it is ready.
        if dir == Direction::Write || slot.dirty.get() == Dirty::No {
            mark_dirty(&mut self.dirty, number, slot, Dirty::Fresh);
        }
    }

    /// Uses the hint of `io_fd_canwrite`: `io_canwrite` reports the descriptor without a look.
    #[cold]
    fn claim_hint(&mut self, number: u32, slot: &Slot) {
        if keep_errno(|| self.queue(number)).is_ok() {
            slot.hint.set(Hint::Claimed);
            self.tell_consumer(Direction::Write);
            self.wake_looker();
        }
        self.tell_later(number, slot, Direction::Write);
    }

    /// Has the backend learn of new interest now, because another thread may be asleep in it.
    #[cold]
    pub(super) fn tell_at_once(&mut self, number: u32, slot: &Slot) {
        if keep_errno(|| self.watch(number, slot, slot.watched.get() | slot.want.get())) != Told::Yes {
            mark_dirty(&mut self.dirty, number, slot, Dirty::Fresh);
            self.wake_looker();
        }
    }

    /// The backend keeps watching the direction. If it reports it, [`EventLoop::narrow`] ends that.
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
        // A number with a queued event is on the list already.
        if queued(slot).is_none() && self.queue(d as u32).is_err() {
            return false;
        }
        slot.queued.set(slot.queued.get() | dir.into());
        self.tell_consumer(dir);
        self.wake_looker();
        true
    }

    /// Adds a number to the list of queued events.
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

    /// [`EventLoop::watch`] without the update of the slot.
    pub(super) fn tell(&self, number: u32, slot: &Slot, interest: Interest) -> Result<(), Refusal> {
        let once = self.threads.are_running();
        // With event-loop threads a one-shot registration that has fired is still in the kernel, but not in the slot.
        let old = if once { Interest::BOTH } else { slot.watched.get() };
        let backend = self.live_backend().ok_or(Refusal::Lost)?;
        backend.set(token(number, slot), old, Watch { interest, once })
    }

    /// Gives up the backend. A thread that sleeps in it wakes and opens another.
    #[cold]
    pub(super) fn lose_backend(&mut self) {
        self.wake_looker();
        self.is_stale = true;
    }

    /// Wakes the thread that looks, so that it takes a change into account.
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

    /// Wakes the thread that looks if nothing is left to wait for, so that its wait call returns.
    #[inline]
    pub(super) fn dismiss_looker(&self) {
        // An event-loop thread goes on waiting: interest will come.
        if self.wanted == 0 && self.timer.is_empty() && !self.threads.are_running() {
            self.wake_looker();
        }
    }
}
