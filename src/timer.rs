//! The deadlines of all descriptors: which one is next, and which have expired. It does not wait; [`crate::event_loop`]
//! asks it how long a wait may take.
//!
//! Deadlines that lie ahead are in a 4-ary heap, whose keys may be earlier than the deadlines in the slots. Servers push a
//! deadline back at every event and remove it at every close. Both change only the slot; the key is corrected when it
//! reaches the top. Moving a deadline forward moves one key. A number is in the heap at most once, so memory grows with the
//! number of descriptors and not with the number of changes.
//!
//! Expired deadlines move from the heap to a list. So a deadline that nobody collects ends one wait only, and each sweep of
//! `io_timeouted` finds it again without looking at the others.

use crate::grow::{Grow, take_out};
use crate::slot::Slot;
use crate::table::slot;
use crate::time::{Deadline, Span};
use nix::errno::Errno;

const ARITY: usize = 4;

/// Where a number is in the timer.
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
    /// How many of the expired the running sweep has named. They come first in the list.
    named: usize,
    /// Whether a sweep is running. It names only what had expired when it began.
    sweeping: bool,
    /// How many descriptors have a deadline, ahead or expired.
    set: usize,
    /// A sweep has passed over a descriptor with a pending report. The next wait ends at once, for another sweep.
    passed_over: bool,
}

/// Pushes a deadline back, which changes only the slot. False, and no change, if it lies not ahead or would move forward.
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

    /// Sets the deadline of a registered number. Fails only without memory, and only if the number is not in the heap.
    /// Returns whether a wait may have to end earlier than before.
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
        // So that expiring needs no memory.
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

    /// Removes the deadline of a slot. Its key stays in the heap until it reaches the top.
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

    /// Not `heap.is_empty()`: keys of removed deadlines may be left in it.
    fn is_none_ahead(&self) -> bool {
        self.set == self.expired.len()
    }

    /// [`Timer::advance`] to the present. It is exact for the next `horizon`, and reads the clock only if a deadline lies
    /// ahead.
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

    /// Moves the deadlines that have passed by `now` to the expired. Returns how far ahead the next one is, 0 if one has
    /// passed. Beyond `horizon` the answer may be too early, but not earlier than `horizon`.
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
            // A deadline has passed one nanosecond after it.
            Some(key) => key.at.after(Span::nanos(1)).since(now),
        }
    }

    /// The next expired descriptor of the sweep, or `None` at its end. The call after that begins another sweep.
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

    /// The caller does not report the descriptor that the sweep has just named.
    pub(crate) fn pass_over(&mut self) {
        self.passed_over = true;
    }

    /// Removes the number at `i` from the expired. The caller sets its place.
    fn leave_expired(&mut self, mut i: usize) {
        if i < self.named {
            // The last of the named numbers moves to `i`, so that the named ones still come first.
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

    /// Removes the first key from the heap. The caller sets the slot's place.
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
