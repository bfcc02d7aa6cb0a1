//! Deadlines.
//!
//! A 4-ary heap of deadlines to come, whose keys may be too early: pushing a deadline back, which servers
//! do at every event, only changes the entry, and the heap learns of it when the old key comes near. Moving
//! a deadline forward or removing it moves one key. An entry is in the heap at most once, so memory follows
//! the number of descriptors and not the number of changes.
//!
//! What has expired leaves the heap for a list, so that an expired deadline that nobody collects wakes a
//! wait once and is found again by each sweep of `io_timeouted` at no cost for the others.

use crate::grow::Grow;
use crate::table::{FdTable, Link, Place};
use crate::time::Deadline;
use nix::errno::Errno;
use std::time::Duration;

const ARITY: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Key {
    at: Deadline,
    number: u32,
}

/// What a wait has to know of the deadlines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// No deadline lies ahead.
    Nothing,
    /// At least one has passed that had not been noticed.
    Now,
    /// The nearest is this far ahead.
    In(Duration),
}

/// All deadlines of the registered descriptors.
#[derive(Debug)]
pub(crate) struct Timer {
    heap: Vec<Key>,
    /// Expired, not yet named by the running sweep.
    expired: List,
    /// Expired and named by the running sweep.
    named: List,
    /// Whether a sweep is under way: it names only what had expired when it began.
    sweeping: bool,
}

impl Timer {
    pub(crate) const fn new() -> Timer {
        Timer { heap: Vec::new(), expired: List::EMPTY, named: List::EMPTY, sweeping: false }
    }

    /// Sets the deadline of the entry `number`. Only a first deadline can fail, for lack of memory.
    pub(crate) fn set(&mut self, table: &mut FdTable, number: u32, at: Deadline) -> Result<(), Errno> {
        if at == Deadline::NEVER {
            self.clear(table, number);
            return Ok(());
        }
        let e = table.listed(number);
        if let Place::Heap(i) = e.place {
            let later = at >= e.deadline;
            e.deadline = at;
            if !later && let Some(key) = self.heap.get_mut(i as usize).filter(|key| at < key.at) {
                key.at = at;
                self.sift_up(table, i as usize);
            }
            return Ok(());
        }
        self.heap.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.clear(table, number);
        table.listed(number).deadline = at;
        self.heap.try_push(Key { at, number })?;
        self.sift_up(table, self.heap.len() - 1);
        Ok(())
    }

    /// Takes the deadline of the entry `number` away.
    pub(crate) fn clear(&mut self, table: &mut FdTable, number: u32) {
        let e = table.listed(number);
        e.deadline = Deadline::NEVER;
        match std::mem::replace(&mut e.place, Place::Nowhere) {
            Place::Nowhere => {}
            Place::Heap(i) => self.remove(table, i as usize),
            Place::Expired(link) => self.expired.unlink(table, link, Place::Expired),
            Place::Named(link) => self.named.unlink(table, link, Place::Named),
        }
    }

    /// Whether no descriptor has a deadline, ahead or expired.
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty() && self.expired.is_empty() && self.named.is_empty()
    }

    /// [`Timer::advance`] to the present, exact for the next `horizon`; reads the clock only if a deadline
    /// lies ahead.
    pub(crate) fn look(&mut self, table: &mut FdTable, horizon: Duration) -> Due {
        if self.heap.is_empty() {
            return Due::Nothing;
        }
        let now = Deadline::now();
        self.advance(table, now, now.after(horizon))
    }

    /// Moves what has passed by `now` to the expired, and says how far ahead the rest is. What lies beyond
    /// `horizon` may be said to be nearer than it is, but not within it.
    pub(crate) fn advance(&mut self, table: &mut FdTable, now: Deadline, horizon: Deadline) -> Due {
        let mut passed = false;
        while let Some(first) = self.heap.first_mut().filter(|key| key.at < horizon) {
            let number = first.number;
            let due = table.listed(number).deadline;
            if first.at < due {
                first.at = due;
                self.sift_down(table, 0);
            } else if due < now {
                self.remove(table, 0);
                self.expired.push(table, number, Place::Expired);
                passed = true;
            } else {
                break;
            }
        }
        match self.heap.first() {
            _ if passed => Due::Now,
            None => Due::Nothing,
            // The clock must be past the deadline, not on it.
            Some(key) => Due::In(key.at.since(now) + Duration::from_nanos(1)),
        }
    }

    /// The next expired descriptor of the sweep, or `None` at its end; the call after that begins another.
    pub(crate) fn sweep(&mut self, table: &mut FdTable, now: impl FnOnce() -> Deadline) -> Option<u32> {
        if !self.sweeping {
            if self.heap.is_empty() && self.expired.is_empty() {
                return None;
            }
            let now = now();
            self.advance(table, now, now);
            self.sweeping = true;
        }
        while let Some(number) = self.expired.pop(table, Place::Expired) {
            self.named.push(table, number, Place::Named);
            // A descriptor with an event at hand is alive: the event comes first.
            let e = table.listed(number);
            if e.pending.is_none() && !e.in_hand {
                return Some(number);
            }
        }
        self.sweeping = false;
        while let Some(number) = self.named.pop(table, Place::Named) {
            self.expired.push(table, number, Place::Expired);
        }
        None
    }

    /// Takes the key at `i` out of the heap; the entry's place is the caller's to set.
    fn remove(&mut self, table: &mut FdTable, i: usize) {
        let Some(last) = self.heap.pop() else { return };
        if let Some(key) = self.heap.get_mut(i) {
            *key = last;
            self.sift_down(table, i);
            self.sift_up(table, i);
        }
    }

    fn sift_up(&mut self, table: &mut FdTable, mut i: usize) {
        let Some(&key) = self.heap.get(i) else { return };
        while i > 0 {
            let parent = (i - 1) / ARITY;
            match self.heap.get(parent) {
                Some(&above) if above.at > key.at => self.settle(table, i, above),
                _ => break,
            }
            i = parent;
        }
        self.settle(table, i, key);
    }

    fn sift_down(&mut self, table: &mut FdTable, mut i: usize) {
        let Some(&key) = self.heap.get(i) else { return };
        loop {
            let first = i * ARITY + 1;
            let children = self.heap.get(first..).unwrap_or_default().iter().zip(first..).take(ARITY);
            match children.min_by_key(|(child, _)| child.at) {
                Some((&least, place)) if least.at < key.at => {
                    self.settle(table, i, least);
                    i = place;
                }
                _ => break,
            }
        }
        self.settle(table, i, key);
    }

    fn settle(&mut self, table: &mut FdTable, i: usize, key: Key) {
        if let Some(place) = self.heap.get_mut(i) {
            *place = key;
            table.listed(key.number).place = Place::Heap(i as u32);
        }
    }
}

/// A list linked through the entries' `place`; `kind` makes the place of this list out of a link.
#[derive(Debug)]
struct List {
    head: u32,
    tail: u32,
}

impl List {
    const EMPTY: List = List { head: Link::NIL, tail: Link::NIL };

    fn is_empty(&self) -> bool {
        self.head == Link::NIL
    }

    fn push(&mut self, table: &mut FdTable, number: u32, kind: fn(Link) -> Place) {
        let prev = std::mem::replace(&mut self.tail, number);
        table.listed(number).place = kind(Link { prev, next: Link::NIL });
        match prev {
            Link::NIL => self.head = number,
            p => relink(table, p, kind, |l| l.next = number),
        }
    }

    fn pop(&mut self, table: &mut FdTable, kind: fn(Link) -> Place) -> Option<u32> {
        let number = self.head;
        if number == Link::NIL {
            return None;
        }
        let place = std::mem::replace(&mut table.listed(number).place, Place::Nowhere);
        self.unlink(table, link_of(place), kind);
        Some(number)
    }

    /// Closes the gap that an entry with this link leaves.
    fn unlink(&mut self, table: &mut FdTable, link: Link, kind: fn(Link) -> Place) {
        match link.prev {
            Link::NIL => self.head = link.next,
            p => relink(table, p, kind, |l| l.next = link.next),
        }
        match link.next {
            Link::NIL => self.tail = link.prev,
            n => relink(table, n, kind, |l| l.prev = link.prev),
        }
    }
}

fn link_of(place: Place) -> Link {
    match place {
        Place::Expired(l) | Place::Named(l) => l,
        Place::Nowhere | Place::Heap(_) => Link::ALONE,
    }
}

fn relink(table: &mut FdTable, number: u32, kind: fn(Link) -> Place, change: impl FnOnce(&mut Link)) {
    let e = table.listed(number);
    let mut link = link_of(e.place);
    change(&mut link);
    e.place = kind(link);
}

#[cfg(test)]
mod tests;
