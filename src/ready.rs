//! The queues behind `io_canread` and `io_canwrite`: FIFO lists linked through the entries.
//!
//! Adding, popping and taking out of the middle are O(1) and allocate nothing. A queue holds a descriptor
//! at most once, which the entry's `pending` bit guards.

use crate::interest::{Direction, Interest};
use crate::table::{FdTable, Link};

/// One queue.
#[derive(Debug)]
pub(crate) struct ReadyQueue {
    dir: Direction,
    head: u32,
    tail: u32,
}

impl ReadyQueue {
    pub(crate) const fn new(dir: Direction) -> ReadyQueue {
        ReadyQueue { dir, head: Link::NIL, tail: Link::NIL }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head == Link::NIL
    }

    /// The number at the front.
    pub(crate) fn front(&self) -> Option<u32> {
        (self.head != Link::NIL).then_some(self.head)
    }

    /// The number behind `number`, which is in the queue.
    pub(crate) fn after(&self, table: &mut FdTable, number: u32) -> Option<u32> {
        let next = table.listed(number).ready[self.dir.index()].next;
        (next != Link::NIL).then_some(next)
    }

    /// Appends `number`; without effect if it is in the queue.
    pub(crate) fn push(&mut self, table: &mut FdTable, number: u32) {
        let tail = self.tail;
        let e = table.listed(number);
        if e.pending.has(self.dir) {
            return;
        }
        e.pending |= self.dir.into();
        e.ready[self.dir.index()] = Link { prev: tail, next: Link::NIL };
        self.tail = number;
        match tail {
            Link::NIL => self.head = number,
            t => table.listed(t).ready[self.dir.index()].next = number,
        }
    }

    /// Takes `number` out; without effect if it is not in the queue.
    pub(crate) fn remove(&mut self, table: &mut FdTable, number: u32) {
        let i = self.dir.index();
        let e = table.listed(number);
        if !e.pending.has(self.dir) {
            return;
        }
        let bit = Interest::from(self.dir);
        e.pending -= bit;
        e.unconfirmed -= bit;
        e.queued -= bit;
        let Link { prev, next } = std::mem::replace(&mut e.ready[i], Link::ALONE);
        match prev {
            Link::NIL => self.head = next,
            p => table.listed(p).ready[i].next = next,
        }
        match next {
            Link::NIL => self.tail = prev,
            n => table.listed(n).ready[i].prev = prev,
        }
    }

    /// Takes the front out.
    pub(crate) fn pop(&mut self, table: &mut FdTable) -> Option<u32> {
        let number = self.front()?;
        self.remove(table, number);
        Some(number)
    }
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

    fn drain(q: &mut ReadyQueue, t: &mut FdTable) -> Vec<u32> {
        std::iter::from_fn(|| q.pop(t)).collect()
    }

    #[test]
    fn m1_fifo_and_at_most_once() {
        let (mut t, mut q) = (table(), ReadyQueue::new(Direction::Read));
        for n in [3, 1, 3, 2, 1] {
            q.push(&mut t, n);
        }
        assert_eq!(drain(&mut q, &mut t), [3, 1, 2]);
        assert!(q.is_empty());
    }

    #[test]
    fn removal_anywhere() {
        for gone in [0, 1, 2] {
            let (mut t, mut q) = (table(), ReadyQueue::new(Direction::Write));
            (0..3).for_each(|n| q.push(&mut t, n));
            q.remove(&mut t, gone);
            q.remove(&mut t, gone);
            q.push(&mut t, 7);
            let left: Vec<u32> = [0, 1, 2, 7].into_iter().filter(|&n| n != gone).collect();
            assert_eq!(drain(&mut q, &mut t), left);
        }
    }

    #[test]
    fn the_two_queues_are_independent() {
        let mut t = table();
        let (mut r, mut w) = (ReadyQueue::new(Direction::Read), ReadyQueue::new(Direction::Write));
        r.push(&mut t, 4);
        w.push(&mut t, 4);
        assert_eq!(r.pop(&mut t), Some(4));
        assert_eq!(w.pop(&mut t), Some(4));
    }
}
