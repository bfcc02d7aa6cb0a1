//! Deadlines.
//!
//! A 4-ary heap of deadlines to come, whose keys may be too early: pushing a deadline back, which servers do at every
//! event, and taking it away, which they do at every close, only change the slot. The heap learns of it when the old key
//! comes near. Moving a deadline forward moves one key. A number is in the heap at most once, so memory follows the
//! number of descriptors and not the number of changes.
//!
//! What has expired leaves the heap for a list, so that an expired deadline that nobody collects wakes a wait once and is
//! found again by each sweep of `io_timeouted` at no cost for the others.

use crate::grow::{Grow, take_out};
use crate::slot::Slot;
use crate::table::slot;
use crate::time::{Deadline, Span};
use nix::errno::Errno;

const ARITY: usize = 4;

/// Where the timer keeps a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    None,
    /// Index in the heap.
    Heap(u32),
    /// Index in the list of the expired.
    Expired(u32),
}

impl Place {
    pub(crate) fn to_bits(self) -> u32 {
        match self {
            Place::None => 0,
            Place::Heap(i) => (i + 1) << 1,
            Place::Expired(i) => (i + 1) << 1 | 1,
        }
    }

    pub(crate) fn from_bits(bits: u32) -> Place {
        match (bits >> 1).checked_sub(1) {
            None => Place::None,
            Some(i) if bits & 1 == 0 => Place::Heap(i),
            Some(i) => Place::Expired(i),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Key {
    at: Deadline,
    number: u32,
}

/// All deadlines of the registered descriptors.
#[derive(Debug)]
pub(crate) struct Timer {
    heap: Vec<Key>,
    expired: Vec<u32>,
    /// How many of the expired the running sweep has named. They stand in front.
    named: usize,
    /// Whether a sweep is under way: it names only what had expired when it began.
    sweeping: bool,
    /// Descriptors that have a deadline, ahead or expired.
    set: usize,
    /// A sweep has passed over one that had an event at hand: the next wait ends at once, for another sweep.
    passed_over: bool,
}

/// Sets a deadline that is ahead to one that is no nearer, which concerns the slot alone. False for any other.
#[inline(always)]
pub(crate) fn push_back(slot: &Slot, at: Deadline) -> bool {
    let old = slot.deadline.get();
    let is_pushed = old <= at && at != Deadline::NEVER && matches!(slot.place.get(), Place::Heap(_));
    if is_pushed {
        slot.deadline.set(at);
    }
    is_pushed
}

impl Timer {
    pub(crate) const fn new() -> Timer {
        Timer { heap: Vec::new(), expired: Vec::new(), named: 0, sweeping: false, set: 0, passed_over: false }
    }

    /// Sets the deadline of a registered number. Only a first deadline can fail, for lack of memory. Says whether waits may
    /// have to end earlier.
    #[inline]
    pub(crate) fn set(&mut self, number: u32, at: Deadline) -> Result<bool, Errno> {
        let Some(slot) = slot(number) else { return Ok(false) };
        if at == Deadline::NEVER {
            self.clear(slot);
            return Ok(false);
        }
        // A wait without a deadline has no end, whatever keys are left in the heap.
        let was_none_ahead = self.is_none_ahead();
        let Place::Heap(i) = slot.place.get() else {
            self.add(number, slot, at)?;
            return Ok(was_none_ahead || slot.place.get() == Place::Heap(0));
        };
        self.set += usize::from(slot.deadline.get() == Deadline::NEVER);
        slot.deadline.set(at);
        let key = self.heap.get_mut(i as usize).filter(|key| at < key.at);
        let is_nearer = key.is_some();
        if let Some(key) = key {
            key.at = at;
            self.sift_up(i as usize);
        }
        Ok(was_none_ahead || is_nearer && slot.place.get() == Place::Heap(0))
    }

    fn add(&mut self, number: u32, slot: &Slot, at: Deadline) -> Result<(), Errno> {
        // To expire needs no memory then.
        self.expired.try_reserve(self.set + 1).map_err(|_| Errno::ENOMEM)?;
        self.heap.try_push(Key { at, number })?;
        if let Place::Expired(i) = slot.place.get() {
            self.leave_expired(i as usize);
        }
        self.set += usize::from(slot.deadline.get() == Deadline::NEVER);
        slot.deadline.set(at);
        self.sift_up(self.heap.len() - 1);
        Ok(())
    }

    /// Takes the deadline of a slot away. Its key stays in the heap, where it says nothing.
    #[inline]
    pub(crate) fn clear(&mut self, slot: &Slot) {
        if slot.deadline.get() == Deadline::NEVER {
            return;
        }
        slot.deadline.set(Deadline::NEVER);
        self.set -= 1;
        if let Place::Expired(i) = slot.place.get() {
            self.leave_expired(i as usize);
            slot.place.set(Place::None);
        }
    }

    /// Whether no descriptor has a deadline, ahead or expired.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.set == 0
    }

    /// What is left in the heap may be keys of deadlines that were taken away.
    fn is_none_ahead(&self) -> bool {
        self.set == self.expired.len()
    }

    /// [`Timer::advance`] to the present, exact for the next `horizon`; reads the clock only if a deadline
    /// lies ahead.
    #[inline]
    pub(crate) fn look(&mut self, now: impl FnOnce() -> Deadline, horizon: Span) -> Span {
        if std::mem::take(&mut self.passed_over) && !self.expired.is_empty() {
            return Span::ZERO;
        }
        if self.is_none_ahead() {
            return Span::FOREVER;
        }
        let now = now();
        self.advance(now, now.after(horizon))
    }

    /// Moves what has passed by `now` to the expired, and says how far ahead the next deadline is: not at all if one has
    /// passed that had not been noticed. What lies beyond `horizon` may be said to be nearer than it is, but not within it.
    pub(crate) fn advance(&mut self, now: Deadline, horizon: Deadline) -> Span {
        let mut passed = false;
        while let Some(first) = self.heap.first_mut().filter(|key| key.at < horizon) {
            let number = first.number;
            let Some(slot) = slot(number) else { break };
            let at = slot.deadline.get();
            if at == Deadline::NEVER {
                slot.place.set(Place::None);
                self.pop();
            } else if first.at < at {
                first.at = at;
                self.sift_down(0);
            } else if at < now {
                self.expired.put(number);
                slot.place.set(Place::Expired(self.expired.len() as u32 - 1));
                self.pop();
                passed = true;
            } else {
                break;
            }
        }
        match self.heap.first() {
            _ if passed => Span::ZERO,
            None => Span::FOREVER,
            // The clock must be past the deadline, not on it.
            Some(key) => key.at.after(Span::nanos(1)).since(now),
        }
    }

    /// The next expired descriptor of the sweep, or `None` at its end; the call after that begins another.
    pub(crate) fn sweep(&mut self, now: &impl Fn() -> Deadline) -> Option<u32> {
        if !self.sweeping {
            if self.is_empty() {
                return None;
            }
            let now = now();
            self.advance(now, now);
            self.sweeping = true;
        }
        let next = self.expired.get(self.named).copied();
        match next {
            Some(_) => self.named += 1,
            None => (self.named, self.sweeping) = (0, false),
        }
        next
    }

    /// The caller does not tell the program of what the sweep has just named.
    pub(crate) fn pass_over(&mut self) {
        self.passed_over = true;
    }

    /// Closes the gap that a number leaves among the expired; its place is the caller's to set.
    fn leave_expired(&mut self, mut i: usize) {
        if i < self.named {
            // The last of those that were named fills the gap, and the last of all the gap that it leaves.
            self.named -= 1;
            self.move_expired(self.named, i);
            i = self.named;
        }
        take_out(&mut self.expired, i);
        if let Some(&number) = self.expired.get(i) {
            place(number, Place::Expired(i as u32));
        }
    }

    fn move_expired(&mut self, from: usize, to: usize) {
        let Some(&number) = self.expired.get(from) else { return };
        if let Some(there) = self.expired.get_mut(to) {
            *there = number;
            place(number, Place::Expired(to as u32));
        }
    }

    /// Takes the first key out of the heap; the slot's place is the caller's to set.
    fn pop(&mut self) {
        take_out(&mut self.heap, 0);
        if !self.heap.is_empty() {
            self.sift_down(0);
        }
    }

    fn sift_up(&mut self, mut i: usize) {
        let Some(&key) = self.heap.get(i) else { return };
        while i > 0 {
            let parent = (i - 1) / ARITY;
            match self.heap.get(parent) {
                Some(&above) if above.at > key.at => self.settle(i, above),
                _ => break,
            }
            i = parent;
        }
        self.settle(i, key);
    }

    fn sift_down(&mut self, mut i: usize) {
        let Some(&key) = self.heap.get(i) else { return };
        loop {
            let first = i * ARITY + 1;
            let children = self.heap.get(first..).unwrap_or_default().iter().zip(first..).take(ARITY);
            match children.min_by_key(|(child, _)| child.at) {
                Some((&least, place)) if least.at < key.at => {
                    self.settle(i, least);
                    i = place;
                }
                _ => break,
            }
        }
        self.settle(i, key);
    }

    fn settle(&mut self, i: usize, key: Key) {
        if let Some(there) = self.heap.get_mut(i) {
            *there = key;
            place(key.number, Place::Heap(i as u32));
        }
    }
}

fn place(number: u32, place: Place) {
    if let Some(slot) = slot(number) {
        slot.place.set(place);
    }
}

#[cfg(test)]
mod tests;
