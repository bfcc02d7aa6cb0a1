//! The short ways: what servers do at every event, for a program of one thread and where nothing is unusual.
//!
//! Each does what the function of its name elsewhere does, or nothing at all and says `None`: then that one has to
//! be called. They take no lock worth the name, call nothing that waits and cannot panic, so that the C functions
//! need no guard and no stack frame for them. They are worth having because the instructions that surround a
//! system call are all that this library adds to it.

use super::{Reactor, STATE, hot};
use crate::interest::{Direction, Interest, Trigger};
use crate::table::{Place, Rhythm};
use crate::time::Deadline;

/// `io_canread` for descriptors that take no turns.
#[inline(always)]
pub(crate) fn next_readable() -> Option<i64> {
    STATE.lock_alone()?.next_readable_quickly()
}

/// `io_canread` for those that do.
#[inline(always)]
pub(crate) fn next_turn_taker() -> Option<i64> {
    STATE.lock_alone()?.next_turn_taker_quickly()
}

/// `io_canwrite`.
#[inline(always)]
pub(crate) fn next_writable() -> Option<i64> {
    STATE.lock_alone()?.next_writable_quickly()
}

/// `io_wantread`, `io_wantwrite`.
#[inline(always)]
pub(crate) fn want(d: i64, dir: Direction) -> Option<()> {
    STATE.lock_alone()?.want_quickly(d, dir)
}

/// `io_dontwantread`, `io_dontwantwrite`.
#[inline(always)]
pub(crate) fn dont_want(d: i64, dir: Direction) -> Option<()> {
    STATE.lock_alone()?.dont_want_quickly(d, dir)
}

/// `io_timeout` that pushes a deadline back.
#[inline(always)]
pub(crate) fn push_back(d: i64, at: Deadline) -> Option<()> {
    STATE.lock_alone()?.push_back_quickly(d, at)
}

/// A read from a descriptor that takes turns has come up short.
#[inline(always)]
pub(crate) fn drained(d: i64) -> Option<()> {
    STATE.lock_alone()?.drained_quickly(d)
}

/// Whether descriptor `d` is sure to be registered, and the kernel knows nothing of it with which it could be compared.
#[inline(always)]
pub(crate) fn is_registered_unseen(d: i64) -> bool {
    STATE.lock_alone().is_some_and(|mut state| {
        state.table.get_near(d as u64).is_some_and(|e| e.is_registered() && e.watch().is_none())
    })
}

impl Reactor {
    /// An event that was put off and has no consequence but to be reported.
    #[inline(always)]
    fn next_readable_quickly(&mut self) -> Option<i64> {
        let number = self.next_plain_reader()?;
        hot::remember(number);
        self.next_event += 1;
        Some(number.into())
    }

    /// The descriptor of the next event that was put off, if that has no consequence but to be reported.
    #[inline(always)]
    pub(super) fn next_plain_reader(&mut self) -> Option<u32> {
        let event = self.batch.get(self.next_event).filter(|event| event.is_plain_read())?;
        let (number, generation) = event.number_and_generation();
        let e = self.table.get_near(number.into())?;
        (e.generation == generation && e.is_plain_reader()).then_some(number)
    }

    /// An event that was put off and shows a descriptor to be ready in both directions.
    #[inline(always)]
    fn next_turn_taker_quickly(&mut self) -> Option<i64> {
        let event = self.batch.get(self.next_event).filter(|event| event.is_plain_read_and_write())?;
        let (number, generation) = event.number_and_generation();
        let e = self.table.get_near(number.into())?;
        if e.generation != generation || !e.is_turn_taker() {
            return None;
        }
        e.open = Interest::BOTH;
        e.fresh = self.cycle;
        e.knocked = false;
        self.edges = true;
        hot::remember_turn_taker(number);
        self.next_event += 1;
        Some(number.into())
    }

    /// A descriptor that takes turns.
    #[inline(always)]
    fn next_writable_quickly(&mut self) -> Option<i64> {
        if self.has_rest() {
            return None;
        }
        let number = self.writable.first()?;
        let e = self.table.get_near(number.into())?;
        if !e.pending.has(Direction::Write)
            || e.rhythm != Rhythm::TakesTurns
            || e.trigger != Trigger::Edge
            || e.can_write_hint
        {
            return None;
        }
        e.fresh = 0;
        self.writable.take_first(e);
        // What is written is of no consequence now; that a read goes unnoticed only costs the next edge.
        hot::remember(number);
        Some(number.into())
    }

    #[inline(always)]
    fn want_quickly(&mut self, d: i64, dir: Direction) -> Option<()> {
        if self.has_rest_before(d) {
            return None;
        }
        let e = self.table.get_near(d as u64)?;
        let want = e.want | dir.into();
        if !e.is_registered() || e.want.has(dir) || e.can_write_hint {
            return None;
        }
        if dir == Direction::Write && e.can_be_written_to(self.cycle) {
            // An edge of the last look: it is not forgotten.
            if !self.writable.has_room() {
                return None;
            }
            self.writable.push(e, d as u32);
        } else if !e.unknown_with(want).is_none() {
            return None;
        }
        e.want = want;
        self.wanted += 1;
        Some(())
    }

    #[inline(always)]
    fn dont_want_quickly(&mut self, d: i64, dir: Direction) -> Option<()> {
        if self.has_rest_before(d) {
            return None;
        }
        let e = self.table.get_near(d as u64)?;
        // What is not wanted may also be not registered.
        if !e.want.has(dir) || e.pending.has(dir) {
            return None;
        }
        e.want -= dir.into();
        self.wanted -= 1;
        Some(())
    }

    #[inline(always)]
    fn push_back_quickly(&mut self, d: i64, at: Deadline) -> Option<()> {
        let e = self.table.get_near(d as u64)?;
        // Only what is registered has a place.
        let later = at >= e.deadline && at != Deadline::NEVER;
        if !later || !matches!(e.place, Place::Heap(_)) {
            return None;
        }
        e.deadline = at;
        Some(())
    }

    #[inline(always)]
    fn drained_quickly(&mut self, d: i64) -> Option<()> {
        let e = self.table.get_near(d as u64)?;
        if e.pending.has(Direction::Read) || e.rhythm != Rhythm::TakesTurns {
            return None;
        }
        e.open -= Interest::READ;
        Some(())
    }

    /// Whether events that were put off have to be applied before something happens to `d`: not if it is the
    /// one just named.
    #[inline(always)]
    fn has_rest_before(&self, d: i64) -> bool {
        !hot::was_named(d) && self.has_rest()
    }

    /// The descriptor whose event was applied last, while others are put off.
    #[inline(always)]
    pub(super) fn named(&self) -> Option<i64> {
        let last = self.batch.get(self.next_event.wrapping_sub(1))?;
        Some(last.number_and_generation().0.into())
    }
}
