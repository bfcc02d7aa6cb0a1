//! Releases entries: those that were sent, with autofree, and all of them at a reset.

use super::{AUTOFREE, Batch, ENTRY, LOOKING, RESETS, block, empty, item};
use crate::array;
use crate::ctypes::{IobEntry, WideBatch};
use std::ffi::c_long;
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
        self.entry(i).is_some_and(|e| unsafe { (*e).cleanup.is_some() })
    }

    /// Removes the finished entries from the array. If there are no others, frees the array.
    fn forget_gone(self) {
        let (gone, len) = (self.next(), self.len());
        if gone == 0 {
            return;
        }
        self.set_next(0);
        if gone < len {
            return self.with_array(|b| array::shift(b, ENTRY, gone as u64));
        }
        self.with_array(|b| {
            // SAFETY: an array's block is `malloc` memory, and no entry in it is used any more.
            unsafe { block::free(b.p.cast(), b.allocated) };
            (b.p, b.allocated, b.initialized) = (ptr::null_mut(), 0, 0);
        });
    }

    /// Releases finished entries, in the order in which they were added.
    #[inline]
    pub(super) fn release_range(self, from: usize, to: usize) {
        let mut i = from;
        loop {
            // Read again each time, because a clean-up function may have added to the batch, sent or reset it. What is
            // finished then is released as well.
            let end = to.min(self.next()).min(self.len());
            let first = self.with_array(|b| b.p.cast::<IobEntry>());
            // SAFETY: entries of the array; nothing else runs while they are looked at.
            while i < end && unsafe { (*first.wrapping_add(i)).cleanup.is_none() } {
                i += 1;
            }
            if i >= end {
                return;
            }
            // SAFETY: a finished entry of the array; each is released once.
            unsafe { item::release(first.wrapping_add(i)) };
            i += 1;
        }
    }

    /// Whether a reset would change nothing: nothing was queued since the last one, and the batch has no mark.
    #[inline(always)]
    pub(crate) fn is_pristine(self) -> bool {
        // SAFETY: `new` requires a valid structure.
        let b = unsafe { &*self.raw() };
        b.b.p.is_null() && b.b.allocated == 0 && b.bytesleft == 0 && b.next == 0 && b.b.headroom == 0
    }

    /// Releases everything, in the order in which it was added, and leaves an empty batch without autofree, as libowfat 0.34
    /// does. What a clean-up function adds meanwhile stays queued.
    #[inline]
    pub(crate) fn reset(self) {
        if self.autofree() {
            // SAFETY: only a batch that has this part gets the mark.
            unsafe { (&raw mut (*self.raw().cast::<WideBatch>()).autofree).write(0) };
        }
        self.let_go(0);
    }

    /// [`Batch::reset`] when everything is sent. Autofree stays on.
    #[inline]
    pub(crate) fn emptied(self) {
        self.let_go(if self.autofree() { AUTOFREE } else { 0 });
    }

    /// Marks all entries as finished and releases them one by one. If a clean-up function leaves by a jump, the others are
    /// still there for the next reset.
    #[inline]
    fn let_go(self, mark: usize) {
        // SAFETY: `new` requires a valid structure; nothing here reaches it by another way.
        let b = unsafe { &mut *self.raw() };
        let (mut e, mut end) = (b.b.p.cast::<IobEntry>(), ENTRY);
        // If no entry has a clean-up function, the order does not matter.
        // SAFETY: entries of the array.
        while end <= b.b.initialized && !e.is_null() && unsafe { (*e).cleanup.is_none() } {
            e = e.wrapping_add(1);
            end += ENTRY;
        }
        if (end <= b.b.initialized && !e.is_null()) || b.b.headroom & LOOKING != 0 {
            return self.let_go_in_order(mark);
        }
        // SAFETY: an array's block is `malloc` memory, and no entry in it is used any more.
        unsafe { block::free(b.b.p.cast(), b.b.allocated) };
        *b = empty(mark);
    }

    #[inline(never)]
    fn let_go_in_order(self, mark: usize) {
        let len = self.len();
        // SAFETY: `new` requires a valid structure; nothing here reaches it by another way.
        let b = unsafe { &mut *self.raw() };
        (b.bytesleft, b.next, b.bufs, b.files) = (0, len as c_long, 0, 0);
        b.b.headroom = match b.b.headroom & LOOKING {
            0 => mark,
            _ => LOOKING | (b.b.headroom.wrapping_add(1) & RESETS),
        };
        if len == 0 {
            // It is a block without entries, or a failed array.
            self.set_next(1);
        } else {
            self.release_range(0, len);
        }
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
