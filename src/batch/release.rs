//! Releases entries: those that were sent, with autofree, and all of them at a reset.

use super::{Batch, CHANGES, ENTRY, LOOKING, Place, block, item};
use crate::array;
use crate::ctypes::{IobEntry, WideBatch};
use std::ptr;

impl Batch {
    /// Removes finished entries from the array, if they are most of it and all released. A batch with autofree that is
    /// filled and sent in turns may never be empty, and its array must not grow without end.
    pub(super) fn drop_gone(self) -> bool {
        let (gone, len) = (self.next(), self.len());
        let are_most = gone > len / 2 && gone <= len;
        let may_go = are_most && (0..gone).all(|i| !self.is_held(i));
        if may_go {
            self.forget_gone();
        }
        may_go
    }

    /// Whether entry `i` has not been released yet.
    fn is_held(self, i: usize) -> bool {
        // SAFETY: an entry of the array; a short look, during which nothing else runs.
        self.entry(Place::of(i)).is_some_and(|e| unsafe { (*e).cleanup.is_some() })
    }

    /// Removes the finished entries from the array. If there are no others, frees the array.
    fn forget_gone(self) {
        let gone = self.next() as u64;
        self.set_next(0);
        if gone.saturating_mul(ENTRY) < self.with_array(|b| b.initialized) {
            return self.with_array(|b| array::shift(b, ENTRY, gone));
        }
        self.free_array();
    }

    #[inline(always)]
    fn free_array(self) {
        self.with_array(|b| {
            // SAFETY: an array's block is `malloc` memory, and no entry in it is used any more.
            unsafe { block::free(b.p.cast(), b.allocated) };
            (b.p, b.allocated, b.initialized) = (ptr::null_mut(), 0, 0);
        });
    }

    /// Releases finished entries, in the order in which they were added.
    pub(super) fn release_range(self, from: usize, to: usize) {
        let mut place = Place::of(from);
        // Read again each time, because a clean-up function may have added to the batch, sent or reset it. What is
        // finished then is released as well.
        let gone = || (to.min(self.next()) as u64).saturating_mul(ENTRY);
        while let Some((held, e)) = self.next_held(place, gone()) {
            place = held.next();
            // SAFETY: a finished entry of the array; each is released once.
            unsafe { item::release(e) };
        }
    }

    /// The first entry with a clean-up function from `place` on, in the first `end` bytes of the array.
    #[inline(always)]
    fn next_held(self, mut place: Place, end: u64) -> Option<(Place, *mut IobEntry)> {
        while place.end <= end {
            let e = self.entry(place)?;
            // SAFETY: an entry of the array; nothing else runs while it is looked at.
            if unsafe { (*e).cleanup.is_some() } {
                return Some((place, e));
            }
            place = place.next();
        }
        None
    }

    /// Whether nothing was ever queued since the last reset, nor is the batch marked: a reset changes nothing.
    #[inline(always)]
    pub(crate) fn is_pristine(self) -> bool {
        // SAFETY: `new` requires a valid structure.
        let b = unsafe { &*self.raw() };
        b.b.p.is_null() && b.b.allocated == 0 && b.bytesleft == 0 && b.next == 0 && b.b.headroom == 0
    }

    /// Releases everything, in the order in which it was added, and leaves an empty batch without autofree, as libowfat 0.34
    /// does. What a clean-up function adds meanwhile stays queued.
    #[inline(never)]
    pub(crate) fn reset(self) {
        if self.autofree() {
            // SAFETY: only a batch that has this part gets the mark.
            unsafe { (&raw mut (*self.raw().cast::<WideBatch>()).autofree).write(0) };
        }
        self.with_array(|b| b.headroom &= LOOKING | CHANGES);
        self.emptied();
    }

    /// [`Batch::reset`] when everything is sent. Autofree stays on.
    #[inline(always)]
    pub(crate) fn emptied(self) {
        self.note_change();
        // SAFETY: `new` requires a valid structure; nothing here reaches it by another way.
        let b = unsafe { &mut *self.raw() };
        (b.bytesleft, b.next, b.bufs, b.files) = (0, 0, 0, 0);
        match self.next_held(Place::of(0), b.b.initialized) {
            Some((place, _)) => self.run_cleanups(place),
            None => self.free_array(),
        }
    }

    /// Marks all entries as finished and releases them one by one. If a clean-up function leaves by a jump, the others are
    /// still there for the next reset.
    #[inline(never)]
    fn run_cleanups(self, place: Place) {
        let len = self.len();
        self.set_next(len);
        self.release_range(place.i, len);
        self.forget_gone();
    }

    /// Calls [`Batch::reset`] until clean-up functions add nothing more.
    pub(crate) fn reset_for_good(self) {
        // SAFETY: `new` requires a valid structure.
        while unsafe { !(*self.raw()).b.p.is_null() } {
            self.reset();
        }
    }
}
