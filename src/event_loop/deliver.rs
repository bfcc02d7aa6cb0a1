//! `io_canread`, `io_canwrite` and `io_timeouted`: takes the next event or expired descriptor from what the last look found.
//! It asks the kernel nothing.

use super::news::{Facts, is_news};
use super::{EventLoop, attention, state, try_with_state};
use crate::backend::Event;
use crate::grow::take_out;
use crate::interest::{Direction, Interest};
use crate::slot::{Hint, Slot};
use crate::table;
use crate::time::Deadline;

/// The fast path of [`next`]. It is taken if nothing needs attention and the next event is news or none is left.
#[inline(always)]
pub(crate) fn next_at_once<const WRITE: bool>() -> Option<i64> {
    let dir = if WRITE { Direction::Write } else { Direction::Read };
    try_with_state(|state| state.next_in_turn(dir))?
}

/// The next descriptor to report in a direction, or -1. With event-loop threads it waits for one, and -1 means that the
/// threads have ended.
pub(crate) fn next(dir: Direction) -> i64 {
    let mut state = state();
    let next = if state.threads.are_running() { super::threads::next(state, dir) } else { state.next(dir) };
    next.map_or(-1, i64::from)
}

/// `io_timeouted`.
pub(crate) fn expired() -> Option<u32> {
    state().next_expired(Deadline::now)
}

#[inline(always)]
pub(super) fn facts(slot: &Slot, dir: Direction) -> Facts {
    Facts {
        generation: slot.generation(),
        want: slot.want.get(),
        used: slot.used[dir.index()].get(),
        leased: slot.leased.get(),
    }
}

impl EventLoop {
    pub(super) fn next(&mut self, dir: Direction) -> Option<u32> {
        if self.queued.is_empty() { self.next_found(dir) } else { self.next_of_both(dir) }
    }

    /// Queued and found events take turns by look, so that neither starves the other.
    #[cold]
    fn next_of_both(&mut self, dir: Direction) -> Option<u32> {
        let queued_first = table::look() & 1 != 0;
        let queued = if queued_first { self.next_queued(dir) } else { None };
        let next = queued.or_else(|| self.next_found(dir));
        if let Some(slot) = next.and_then(table::slot) {
            // This report also stands for a queued event in the same direction.
            slot.queued.set(slot.queued.get() - dir.into());
        }
        if next.is_some() || queued_first { next } else { self.next_queued(dir) }
    }

    /// The next event that is ready in a direction, if it is news; -1 at the end; `None` if it is not news.
    #[inline(always)]
    fn next_in_turn(&mut self, dir: Direction) -> Option<i64> {
        let i = self.cursors[dir.index()];
        match self.events.get(i) {
            Some(event) if event.is_ready(dir) => self.take_in_turn(i, event, dir),
            Some(_) => self.next_ready_from(i + 1, dir),
            None => self.end_of_found(dir),
        }
    }

    /// Out of line: a look of a server nearly always finds events of one direction only, so one cursor skips them all.
    #[inline(never)]
    fn next_ready_from(&mut self, mut i: usize, dir: Direction) -> Option<i64> {
        while let Some(event) = self.events.get(i) {
            if event.is_ready(dir) {
                return self.take_in_turn(i, event, dir);
            }
            i += 1;
        }
        self.end_of_found(dir)
    }

    #[inline(always)]
    fn take_in_turn(&mut self, i: usize, event: Event, dir: Direction) -> Option<i64> {
        let slot = table::near_slot(event.number().into())?;
        self.take_at(i, event, slot, dir).then(|| event.number().into())
    }

    #[inline(always)]
    fn end_of_found(&mut self, dir: Direction) -> Option<i64> {
        self.cursors[dir.index()] = self.behind_the_end();
        Some(-1)
    }

    /// The position of a cursor when the program has asked for more than there was.
    #[inline(always)]
    fn behind_the_end(&self) -> usize {
        self.events.len() + 1
    }

    /// The next descriptor to report among the events of the last look.
    fn next_found(&mut self, dir: Direction) -> Option<u32> {
        let mut i = self.cursors[dir.index()];
        while let Some(event) = self.events.get(i) {
            if event.is_ready(dir) {
                if table::slot(event.number()).is_some_and(|slot| self.take_at(i, event, slot, dir)) {
                    return Some(event.number());
                }
                self.has_unwanted = true;
            }
            i += 1;
        }
        self.cursors[dir.index()] = self.behind_the_end();
        None
    }

    /// Reports the event at `i`, which is ready, if it is news. There are no event-loop threads, and so no leases.
    #[inline(always)]
    fn take_at(&mut self, i: usize, event: Event, slot: &Slot, dir: Direction) -> bool {
        let look = self.events_look;
        let facts = Facts {
            generation: slot.generation(),
            want: slot.want.get(),
            used: slot.used[dir.index()].get(),
            leased: false,
        };
        if !is_news(event.generation(), dir, facts, look) {
            return false;
        }
        self.cursors[dir.index()] = i + 1;
        slot.used[dir.index()].set(look);
        // The hint serves once.
        if dir == Direction::Write && slot.hint.get() != Hint::None {
            slot.hint.set(Hint::None);
        }
        true
    }

    /// The directions in which an event is news.
    #[inline(always)]
    pub(super) fn news(&self, event: Event) -> Interest {
        let mut news = Interest::NONE;
        let Some(slot) = table::slot(event.number()) else { return news };
        for dir in Direction::BOTH {
            if event.is_ready(dir) && is_news(event.generation(), dir, facts(slot, dir), self.events_look) {
                news |= dir.into();
            }
        }
        news
    }

    /// Whether one of the events from `i` on is news.
    #[inline(always)]
    pub(super) fn has_news_from(&mut self, mut i: usize) -> bool {
        while let Some(event) = self.events.get(i) {
            i += 1;
            if !self.news(event).is_none() {
                return true;
            }
            self.has_unwanted = true;
        }
        false
    }

    /// The directions in which `number` will be reported without another look.
    pub(super) fn pending(&self, number: u32) -> Interest {
        let mut pending = Interest::NONE;
        for dir in Direction::BOTH {
            let mut i = self.cursors[dir.index()];
            while let Some(event) = self.events.get(i) {
                i += 1;
                if event.number() == number && self.news(event).has(dir) {
                    pending |= dir.into();
                }
            }
        }
        pending | table::slot(number).map_or(Interest::NONE, queued)
    }

    /// The next descriptor among those that the program queued.
    pub(super) fn next_queued(&mut self, dir: Direction) -> Option<u32> {
        let mut i = 0;
        while let Some(&number) = self.queued.get(i) {
            let slot = table::slot(number).filter(|slot| !queued(slot).is_none());
            match slot {
                None => take_out(&mut self.queued, i),
                Some(slot) if queued(slot).has(dir) && !slot.leased.get() => {
                    report(slot, dir, table::look());
                    return Some(number);
                }
                Some(_) => i += 1,
            }
        }
        if self.queued.is_empty() {
            attention::end(attention::QUEUED);
        }
        None
    }

    /// Whether the program has queued an event that was not taken yet.
    pub(super) fn has_queued(&self) -> bool {
        self.queued.iter().any(|&number| table::slot(number).is_some_and(|slot| !queued(slot).is_none()))
    }

    pub(super) fn next_expired(&mut self, now: impl Fn() -> Deadline) -> Option<u32> {
        loop {
            let number = self.timer.sweep(&now)?;
            // A descriptor with a pending report is alive; the report comes first.
            let is_leased = table::slot(number).is_some_and(|slot| slot.leased.get());
            if !is_leased && self.pending(number).is_none() {
                return Some(number);
            }
            self.timer.pass_over();
        }
    }
}

/// The directions that the program queued, and the one that its hint stands for.
pub(super) fn queued(slot: &Slot) -> Interest {
    let claimed = if slot.hint.get() == Hint::Claimed { Interest::WRITE } else { Interest::NONE };
    slot.queued.get() | (claimed & slot.want.get())
}

/// Notes that a descriptor is reported. That also settles a queued event in the same direction.
pub(super) fn report(slot: &Slot, dir: Direction, look: u32) {
    slot.used[dir.index()].set(look);
    if !slot.queued.get().is_none() {
        slot.queued.set(slot.queued.get() - dir.into());
    }
    if dir == Direction::Write && slot.hint.get() != Hint::None {
        slot.hint.set(Hint::None);
    }
}
