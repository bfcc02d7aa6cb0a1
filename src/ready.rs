//! The queues behind `io_canread` and `io_canwrite`: first in, first out.
//!
//! The truth is the entry's `pending` bit. Taking an event out of the middle only clears the bit; its place in
//! the queue is skipped when it comes up, or serves again if the event comes back before. So a number is in
//! the queue at most once, whatever happens. Room is made before something is added, where a lack of memory can
//! still be reported.

use crate::grow::Grow;
use crate::interest::Interest;
use crate::table::{Entry, FdTable};
use nix::errno::Errno;
use std::collections::VecDeque;

/// The queue of one direction.
#[derive(Debug)]
pub(crate) struct ReadyQueue<const WRITE: bool> {
    places: VecDeque<u32>,
    /// Places whose event is pending.
    pending: usize,
}

/// Behind `io_canread`.
pub(crate) type Readable = ReadyQueue<false>;
/// Behind `io_canwrite`.
pub(crate) type Writable = ReadyQueue<true>;

impl<const WRITE: bool> ReadyQueue<WRITE> {
    const BIT: Interest = if WRITE { Interest::WRITE } else { Interest::READ };

    pub(crate) const fn new() -> ReadyQueue<WRITE> {
        ReadyQueue { places: VecDeque::new(), pending: 0 }
    }

    /// Makes room for `n` more numbers.
    pub(crate) fn reserve(&mut self, n: usize) -> Result<(), Errno> {
        self.places.try_reserve(n).map_err(|_| Errno::ENOMEM)
    }

    /// Whether no event is pending.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// Pending events.
    pub(crate) fn len(&self) -> usize {
        self.pending
    }

    /// Makes the event of `number`, whose entry is `e`, pending; without effect if it is. There must be room.
    #[inline(always)]
    pub(crate) fn push(&mut self, e: &mut Entry, number: u32) {
        if e.pending.has_any(Self::BIT) {
            return;
        }
        if !e.placed.has_any(Self::BIT) {
            if self.places.try_push(number).is_err() {
                return;
            }
            e.placed |= Self::BIT;
        }
        e.pending |= Self::BIT;
        self.pending += 1;
    }

    /// Withdraws the event of the entry `e`; without effect if none is pending.
    #[inline(always)]
    pub(crate) fn remove(&mut self, e: &mut Entry) {
        if e.pending.has_any(Self::BIT) {
            withdraw(Self::BIT, e, &mut self.pending);
        }
    }

    /// Whether a number can be added without allocating.
    #[inline(always)]
    pub(crate) fn has_room(&self) -> bool {
        self.places.len() < self.places.capacity()
    }

    /// The number in the first place, whose event may have been withdrawn.
    #[inline(always)]
    pub(crate) fn first(&self) -> Option<u32> {
        self.places.front().copied()
    }

    /// Takes out the first place, whose event is pending and whose entry is `e`.
    #[inline(always)]
    pub(crate) fn take_first(&mut self, e: &mut Entry) {
        self.places.pop_front();
        e.placed -= Self::BIT;
        self.remove(e);
    }

    /// Takes the first pending event out, showing number and entry to `taken`.
    #[inline]
    pub(crate) fn pop(&mut self, table: &mut FdTable, taken: impl FnOnce(u32, &mut Entry)) -> Option<u32> {
        loop {
            let number = self.first()?;
            let e = table.listed(number);
            if e.pending.has_any(Self::BIT) {
                self.take_first(e);
                taken(number, e);
                return Some(number);
            }
            self.places.pop_front();
            e.placed -= Self::BIT;
        }
    }

    /// Calls `f` with the entry of each pending event and withdraws those for which it answers false.
    pub(crate) fn retain(&mut self, table: &mut FdTable, mut f: impl FnMut(&mut Entry) -> bool) {
        for &number in &self.places {
            let e = table.listed(number);
            if e.pending.has_any(Self::BIT) && !f(e) {
                withdraw(Self::BIT, e, &mut self.pending);
            }
        }
    }
}

#[inline(always)]
fn withdraw(bit: Interest, e: &mut Entry, pending: &mut usize) {
    e.pending -= bit;
    e.unconfirmed -= bit;
    e.queued -= bit;
    *pending -= 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fd::Fd;

    fn table() -> FdTable {
        let mut t = FdTable::new();
        for n in 0..8 {
            t.slot_or_new(Fd::from_index(n)).unwrap();
        }
        t
    }

    fn push<const W: bool>(q: &mut ReadyQueue<W>, t: &mut FdTable, number: u32) {
        q.push(t.listed(number), number);
    }

    fn drain<const W: bool>(q: &mut ReadyQueue<W>, t: &mut FdTable) -> Vec<u32> {
        std::iter::from_fn(|| q.pop(t, |_, _| ())).collect()
    }

    #[test]
    fn m1_fifo_and_at_most_once() {
        let (mut t, mut q) = (table(), Readable::new());
        for n in [3, 1, 3, 2, 1] {
            push(&mut q, &mut t, n);
        }
        assert_eq!(drain(&mut q, &mut t), [3, 1, 2]);
        assert!(q.is_empty());
    }

    #[test]
    fn removal_anywhere() {
        for gone in [0, 1, 2] {
            let (mut t, mut q) = (table(), Writable::new());
            (0..3).for_each(|n| push(&mut q, &mut t, n));
            q.remove(t.listed(gone));
            q.remove(t.listed(gone));
            push(&mut q, &mut t, 7);
            let left: Vec<u32> = [0, 1, 2, 7].into_iter().filter(|&n| n != gone).collect();
            assert_eq!(drain(&mut q, &mut t), left);
        }
    }

    #[test]
    fn a_number_has_one_place_however_often_it_comes_and_goes() {
        let (mut t, mut q) = (table(), Readable::new());
        q.reserve(8).unwrap();
        let room = q.places.capacity();
        for _ in 0..1000 {
            (0..8).for_each(|n| push(&mut q, &mut t, n));
            (0..8).for_each(|n| q.remove(t.listed(n)));
            assert!(q.is_empty());
        }
        assert_eq!((q.places.len(), q.places.capacity()), (8, room));
        assert_eq!(drain(&mut q, &mut t), []);
        assert_eq!(q.places.len(), 0);
    }

    #[test]
    fn what_is_not_retained_is_withdrawn() {
        let (mut t, mut q) = (table(), Readable::new());
        (0..4).for_each(|n| push(&mut q, &mut t, n));
        t.listed(2).cookie = 1;
        q.retain(&mut t, |e| e.cookie == 1);
        assert_eq!(drain(&mut q, &mut t), [2]);
    }

    #[test]
    fn the_two_queues_are_independent() {
        let mut t = table();
        let (mut r, mut w) = (Readable::new(), Writable::new());
        push(&mut r, &mut t, 4);
        push(&mut w, &mut t, 4);
        assert_eq!(drain(&mut r, &mut t), [4]);
        assert_eq!(drain(&mut w, &mut t), [4]);
    }
}
