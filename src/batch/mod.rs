//! Batches: queues of buffers and pieces of files, which are sent in order. This module owns the structure, its entries and
//! what they hold. It moves no bytes ([`crate::xfer`]) and knows nothing of registrations ([`crate::event_loop`]).
//!
//! An `io_batch` belongs to the C program, which embeds it, zeroes it, moves it and reads its fields. [`Batch`] is a view
//! without state: every method reads the structure again, and no reference into it outlives a method, because callbacks
//! and clean-up functions may add entries or reset the batch.

pub(crate) mod block;
pub(crate) mod filter;
pub(crate) mod item;
#[cfg(any(test, fuzzing))]
pub(crate) mod model;
pub(crate) mod plan;
pub(crate) mod prefetch;
mod release;
pub(crate) mod send;
pub(crate) mod window;

use crate::array;
use crate::ctypes::{Array, FROM_FILE, IoBatch, IobEntry};
use nix::errno::Errno;
use std::ffi::{c_int, c_long};
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::slice;

/// A mark in `headroom` of the array: entries are released as soon as they are sent, until `iob_reset`. The field is 0 in
/// every batch that was zeroed or filled by libowfat 0.32. The `autofree` field of 0.34's header cannot be used, because
/// the structure of an older program ends before it.
const AUTOFREE: usize = 0x2f77_0000;

/// In the same field while a filter runs, which may do anything to the batch. A filter that leaves by a jump leaves the
/// mark there, which does no harm.
const LOOKING: usize = 0x8000_0000;

/// In the same field: counts the resets while a filter runs. So a reset is noticed even if what is queued afterwards looks
/// like what was there before.
const RESETS: usize = 0xffff;

const ENTRY: u64 = size_of::<IobEntry>() as u64;

/// An entry of a batch, as it was before the filter was called.
struct Place {
    i: usize,
    /// Where the entry ends in the array, in bytes.
    end: u64,
    kind: c_int,
    /// The unsent bytes, if it is a buffer.
    bytes: *const u8,
    offset: u64,
    n: u64,
}

/// A position in a batch: the first entry that has unsent bytes.
#[derive(Clone, Copy)]
struct Mark {
    next: usize,
    bytesleft: u64,
}

/// The value of `headroom` before a filter runs, and meanwhile.
struct Look {
    before: usize,
    during: usize,
}

/// A caller's `io_batch`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch(NonNull<IoBatch>);

impl Batch {
    /// # Safety
    /// `b` is NULL or points to an `io_batch` of at least 64 bytes that was zeroed, or filled by this library
    /// or libowfat. It stays valid, and is used by no other thread, while the view is in use.
    pub(crate) unsafe fn new(b: *mut IoBatch) -> Result<Batch, Errno> {
        NonNull::new(b).map(Batch).ok_or(Errno::EFAULT)
    }

    /// Makes it an empty batch, whatever was there before, with room for `hint` entries. If there is no memory for that,
    /// returns an error; the batch can be used all the same.
    pub(crate) fn init(self, autofree: bool, hint: u32) -> Result<(), Errno> {
        let headroom = if autofree { AUTOFREE } else { 0 };
        // SAFETY: `new` requires the structure to be writable; nothing in it needs a drop.
        unsafe { self.0.write(empty(headroom)) };
        if hint == 0 {
            return Ok(());
        }
        self.with_array(|b| {
            if u64::from(hint) * ENTRY <= block::SIZE {
                return block::begin(b).then_some(()).ok_or(Errno::ENOMEM);
            }
            array::allocate(b, ENTRY, i64::from(hint - 1))?;
            array::truncate(b, ENTRY, 0);
            Ok(())
        })
    }

    fn raw(self) -> *mut IoBatch {
        self.0.as_ptr()
    }

    fn with_array<R>(self, f: impl FnOnce(&mut Array) -> R) -> R {
        // SAFETY: `new` requires a valid structure; `f` is one of this module's closures, which do not reach the batch in
        // another way.
        f(unsafe { &mut (*self.raw()).b })
    }

    pub(crate) fn bytesleft(self) -> u64 {
        // SAFETY: `new` requires a valid structure.
        unsafe { (*self.raw()).bytesleft }
    }

    /// Entries that may have unsent bytes.
    pub(crate) fn entries_left(self) -> usize {
        self.len().saturating_sub(self.next())
    }

    fn set_bytesleft(self, n: u64) {
        // SAFETY: `new` requires a valid structure.
        unsafe { (*self.raw()).bytesleft = n }
    }

    fn autofree(self) -> bool {
        self.with_array(|b| b.headroom & !(LOOKING | RESETS) == AUTOFREE)
    }

    #[inline]
    fn len(self) -> usize {
        // Without a block there are no entries, whatever the length says.
        self.with_array(|b| if b.p.is_null() { 0 } else { (b.initialized / ENTRY) as usize })
    }

    /// Index of the first entry that may have unsent bytes; there may be none.
    #[inline]
    fn next(self) -> usize {
        // SAFETY: `new` requires a valid structure.
        let next = unsafe { (*self.raw()).next };
        usize::try_from(next).unwrap_or(0)
    }

    fn set_next(self, next: usize) {
        // SAFETY: `new` requires a valid structure.
        unsafe { (*self.raw()).next = next as c_long }
    }

    /// The address of entry `i`, until the next entry is added.
    #[inline]
    fn entry(self, i: usize) -> Option<*mut IobEntry> {
        self.with_array(|b| {
            let end = (i as u64 + 1).saturating_mul(ENTRY);
            (end <= b.initialized && !b.p.is_null()).then(|| b.p.cast::<IobEntry>().wrapping_add(i))
        })
    }

    /// Runs `f` on the entries from the first unsent one on. `f` must not reach the batch.
    #[inline(always)]
    fn with_unsent<R>(self, f: impl FnOnce(&mut [IobEntry]) -> R) -> R {
        let len = self.len();
        if len == 0 {
            return f(&mut []);
        }
        let next = self.next().min(len);
        let first = self.with_array(|b| b.p.cast::<IobEntry>().wrapping_add(next));
        // SAFETY: the array holds `len` initialised entries, and `f` leaves the batch alone.
        f(unsafe { slice::from_raw_parts_mut(first, len - next) })
    }

    /// Adds an entry at the end. If it fails, the batch is unchanged and the entry is still the caller's.
    pub(crate) fn add(self, e: IobEntry) -> Result<(), Errno> {
        self.bytesleft().checked_add(e.n).ok_or(Errno::EOVERFLOW)?;
        if self.add_quickly(IobEntry { ..e }) {
            return Ok(());
        }
        self.make_room()?;
        self.add_quickly(e).then_some(()).ok_or(Errno::ENOMEM)
    }

    /// The fast path of [`Batch::add`]; false if there is no room. The entry is made in its place.
    #[inline(always)]
    pub(crate) fn add_quickly(self, e: IobEntry) -> bool {
        // SAFETY: `new` requires a valid structure; nothing here reaches it by another way.
        let b = unsafe { &mut *self.raw() };
        let (bytesleft, too_many) = b.bytesleft.overflowing_add(e.n);
        if too_many || (b.b.p.is_null() && !block::begin(&mut b.b)) {
            return false;
        }
        if b.b.allocated.wrapping_sub(b.b.initialized as i64) < ENTRY as i64 {
            return false;
        }
        let count = if e.kind == FROM_FILE { &mut b.files } else { &mut b.bufs };
        *count = count.wrapping_add(1);
        // SAFETY: there is room for an entry behind the others; nothing there needs a drop.
        unsafe { b.b.p.wrapping_add(b.b.initialized as usize).cast::<IobEntry>().write(e) };
        b.b.initialized = b.b.initialized.wrapping_add(ENTRY);
        b.bytesleft = bytesleft;
        true
    }

    fn make_room(self) -> Result<(), Errno> {
        // Not while a filter runs: its entry must stay at its index.
        if self.with_array(|b| b.headroom) == AUTOFREE && self.drop_gone() {
            return Ok(());
        }
        self.with_array(|b| {
            let need = b.initialized.checked_add(ENTRY).ok_or(Errno::ENOMEM)?;
            array::make_room(b, need, block::SIZE)
        })
    }

    /// Marks that a filter is about to run.
    #[inline(always)]
    fn begin_looking(self) -> Look {
        self.with_array(|b| {
            let before = b.headroom;
            b.headroom = before | LOOKING;
            Look { before, during: b.headroom }
        })
    }

    #[inline(always)]
    fn end_looking(self, look: Look) {
        if look.before & LOOKING == 0 {
            // In a nested call, the mark of the outer call stays.
            self.with_array(|b| b.headroom = if b.headroom == look.during { look.before } else { 0 });
        }
    }

    /// The first entry with unsent bytes.
    #[inline(always)]
    fn first_unsent(self) -> Option<Place> {
        // SAFETY: `new` requires a valid structure; nothing else runs while it is looked at.
        let b = unsafe { &*self.raw() };
        let mut i = self.next();
        let mut end = (i as u64 + 1).saturating_mul(ENTRY);
        let mut e = b.b.p.cast::<IobEntry>().wrapping_add(i);
        while end <= b.b.initialized && !b.b.p.is_null() {
            // SAFETY: one of the array's entries, all of which are initialised.
            let found = unsafe { &*e };
            if found.n > 0 {
                let bytes = found.buf.cast::<u8>().wrapping_add(found.offset as usize);
                return Some(Place { i, end, kind: found.kind, bytes, offset: found.offset, n: found.n });
            }
            i += 1;
            end += ENTRY;
            e = e.wrapping_add(1);
        }
        None
    }

    /// The entry at a place, if it is unchanged. The filter may have added entries after it. An entry changes only by a
    /// reset or by being sent.
    #[inline(always)]
    fn still_there(self, look: &Look, place: &Place) -> Option<*mut IobEntry> {
        // SAFETY: as in `first_unsent`.
        let b = unsafe { &*self.raw() };
        if b.b.headroom != look.during || b.b.p.is_null() {
            return None;
        }
        if b.next > place.i as c_long || b.b.initialized < place.end {
            return None;
        }
        let e = b.b.p.cast::<IobEntry>().wrapping_add(place.i);
        // SAFETY: as in `first_unsent`.
        unsafe { (*e).offset == place.offset && (*e).n == place.n }.then_some(e)
    }

    /// Takes `sent` bytes off the front, over as many entries as they cover. A finished entry keeps its fields, as in
    /// libowfat; `next` is moved past it.
    #[inline]
    fn advance(self, sent: usize) {
        if sent as u64 >= self.bytesleft() {
            return self.emptied();
        }
        self.advance_some(sent);
    }

    fn advance_some(self, sent: usize) {
        let mut rest = sent as u64;
        let passed = self.with_unsent(|entries| {
            let mut passed = 0;
            for e in entries {
                if e.n > rest {
                    e.offset += rest;
                    e.n -= rest;
                    break;
                }
                rest -= e.n;
                passed += 1;
            }
            passed
        });
        self.set_next(self.next() + passed);
        self.set_bytesleft(self.bytesleft().saturating_sub(sent as u64));
    }

    /// The present position.
    #[inline(always)]
    fn mark(self) -> Mark {
        Mark { next: self.next(), bytesleft: self.bytesleft() }
    }

    /// Queues entries again that were finished since the mark, unless they were released. Returns how many bytes they have.
    fn back_to(self, mark: Mark) -> u64 {
        let back = mark.bytesleft.saturating_sub(self.bytesleft());
        self.set_next(mark.next);
        self.set_bytesleft(mark.bytesleft);
        back
    }

    /// With autofree, releases what was finished since the mark.
    #[inline(always)]
    fn release_since(self, mark: Mark) {
        if self.autofree() {
            self.release_range(mark.next, self.next());
        }
    }

    /// Takes `taken` bytes off the entry `e` at `place`, the first unsent one. A finished entry gets `n` = 0, as in
    /// libowfat after filtering. False if nothing is left, so that the caller has to reset the batch.
    #[inline(always)]
    fn consume(self, e: *mut IobEntry, place: &Place, taken: u64) -> bool {
        // SAFETY: `still_there` returned the entry, and `new` requires a valid structure; nothing else reaches them.
        let (e, b) = unsafe { (&mut *e, &mut *self.raw()) };
        e.offset = place.offset.wrapping_add(taken);
        e.n = place.n.saturating_sub(taken);
        b.bytesleft = b.bytesleft.saturating_sub(taken);
        let is_finished = e.n == 0;
        b.next = (place.i + usize::from(is_finished)) as c_long;
        if b.bytesleft == 0 {
            return false;
        }
        if is_finished && b.b.headroom & !(LOOKING | RESETS) == AUTOFREE {
            self.release_range(place.i, place.i + 1);
        }
        true
    }
}

fn empty(headroom: usize) -> IoBatch {
    let b = Array { p: ptr::null_mut(), allocated: 0, initialized: 0, headroom };
    IoBatch { b, bytesleft: 0, next: 0, bufs: 0, files: 0 }
}

#[cfg(test)]
mod tests;
