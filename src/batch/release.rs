//! Letting go of entries: what was sent, what has to make room, and all of it at a reset.

use super::{AUTOFREE, Batch, ENTRY, LOOKING, RESETS, block, empty, item};
use crate::array;
use crate::ctypes::{IobEntry, WideBatch};
use std::ffi::c_long;
use std::ptr;

impl Batch {
    /// A batch with autofree that is filled and sent in turns may never be empty: the entries that are gone, if they
    /// are most, must not fill its array for ever.
    pub(super) fn drop_gone(self) -> bool {
        let (gone, len) = (self.next(), self.len());
        let are_most = gone > len / 2 && gone <= len;
        let may_go = are_most && (0..gone).all(|i| !self.is_held(i));
        if may_go {
            self.forget_gone();
        }
        may_go
    }

    /// Whether entry `i` is still to be let go of.
    fn is_held(self, i: usize) -> bool {
        // SAFETY: an entry of the array; a short look, during which nothing else runs.
        self.entry(i).is_some_and(|e| unsafe { (*e).cleanup.is_some() })
    }

    /// Takes the entries that are gone out of the array, and the array out of a batch that has no others.
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

    /// Lets go of entries that are gone, in the order in which they were added.
    #[inline]
    pub(super) fn release_range(self, from: usize, to: usize) {
        let mut i = from;
        loop {
            // Looked at afresh each time: a clean-up function may have added to the batch, sent or reset it. Whatever is
            // gone then is to be let go of, too.
            let end = to.min(self.next()).min(self.len());
            let first = self.with_array(|b| b.p.cast::<IobEntry>());
            // SAFETY: entries of the array; nothing else runs while they are looked at.
            while i < end && unsafe { (*first.wrapping_add(i)).cleanup.is_none() } {
                i += 1;
            }
            if i >= end {
                return;
            }
            // SAFETY: an entry of the array that is gone; each is released once.
            unsafe { item::release(first.wrapping_add(i)) };
            i += 1;
        }
    }

    /// Whether nothing was ever queued since the last reset, nor is the batch marked: a reset changes nothing.
    #[inline(always)]
    pub(crate) fn is_pristine(self) -> bool {
        // SAFETY: `new` requires a valid structure.
        let b = unsafe { &*self.raw() };
        b.b.p.is_null() && b.b.allocated == 0 && b.bytesleft == 0 && b.next == 0 && b.b.headroom == 0
    }

    /// Lets go of everything, in the order in which it was added, and leaves an empty batch. What a clean-up function adds
    /// meanwhile is queued in it.
    ///
    /// It is a batch without autofree then, as with libowfat 0.34.
    #[inline]
    pub(crate) fn reset(self) {
        if self.autofree() {
            // SAFETY: only a batch that has this part gets the mark.
            unsafe { (&raw mut (*self.raw().cast::<WideBatch>()).autofree).write(0) };
        }
        self.let_go(0);
    }

    /// [`Batch::reset`] when all is sent. Autofree goes on: a program that fills the batch again may never empty it.
    #[inline]
    pub(crate) fn emptied(self) {
        self.let_go(if self.autofree() { AUTOFREE } else { 0 });
    }

    /// An entry stays in the batch, as one that is gone, until it is let go of: a clean-up function that never comes back
    /// leaves the others there for the next reset.
    #[inline]
    fn let_go(self, mark: usize) {
        // SAFETY: `new` requires a valid structure; nothing here reaches it by another way.
        let b = unsafe { &mut *self.raw() };
        let (mut e, mut end) = (b.b.p.cast::<IobEntry>(), ENTRY);
        // Where no clean-up function runs nobody sees what is done in which order.
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
            // A block without entries, or a failed array.
            self.set_next(1);
        } else {
            self.release_range(0, len);
        }
        self.forget_gone();
    }

    /// [`Batch::reset`] until nothing is left of what clean-up functions add.
    pub(crate) fn reset_for_good(self) {
        // SAFETY: `new` requires a valid structure.
        while unsafe { !(*self.raw()).b.p.is_null() } {
            self.reset();
        }
    }
}
