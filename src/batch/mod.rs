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
use std::ffi::c_long;
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::slice;

/// A mark in `headroom` of the array: entries are released as soon as they are sent, until `iob_reset`. The field is 0 in
/// every batch that was zeroed or filled by libowfat 0.32. The `autofree` field of 0.34's header cannot be used, because
/// the structure of an older program ends before it.
const AUTOFREE: usize = 0x2f77_0000;
const AUTOFREE_BITS: usize = 0x7fff_0000;

/// In the same field while a filter runs, which may do anything to the batch. A filter that leaves by a jump leaves the
/// mark there, which does no harm.
const LOOKING: usize = 0x8000_0000;

/// In the same field: counts sends and resets while a filter runs. So a change is noticed even if what is queued
/// afterwards looks like what was there before.
const CHANGES: usize = 0xffff;

const ENTRY: u64 = size_of::<IobEntry>() as u64;

/// An entry's index, and how many bytes the array has up to its end.
#[derive(Clone, Copy)]
struct Place {
    i: usize,
    end: u64,
}

impl Place {
    fn of(i: usize) -> Place {
        Place { i, end: (i as u64).saturating_add(1).saturating_mul(ENTRY) }
    }

    fn next(self) -> Place {
        Place { i: self.i + 1, end: self.end.saturating_add(ENTRY) }
    }
}

/// The value of `headroom` before a filter runs, and meanwhile.
#[derive(Clone, Copy)]
struct Look {
    before: usize,
    now: usize,
}

/// A position in a batch: the first entry that has unsent bytes.
#[derive(Clone, Copy)]
struct Mark {
    next: usize,
    bytesleft: u64,
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
                return block::begin(b);
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
        self.with_array(|b| b.headroom & AUTOFREE_BITS == AUTOFREE)
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

    /// The address of an entry, until the next one is added.
    #[inline(always)]
    fn entry(self, place: Place) -> Option<*mut IobEntry> {
        self.with_array(|b| {
            let is_there = !b.p.is_null() && place.end <= b.initialized;
            is_there.then(|| b.p.wrapping_add((place.end - ENTRY) as usize).cast())
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
    #[inline(always)]
    pub(crate) fn add(self, e: IobEntry) -> Result<(), Errno> {
        let bytesleft = self.bytesleft().checked_add(e.n).ok_or(Errno::EOVERFLOW)?;
        if !self.has_room() {
            self.make_room()?;
        }
        self.push(e, bytesleft);
        Ok(())
    }

    /// The fast path of [`Batch::add`]; false if there is no room. The entry is made in its place.
    #[inline(always)]
    pub(crate) fn add_at_once(self, e: IobEntry) -> bool {
        let (bytesleft, too_many) = self.bytesleft().overflowing_add(e.n);
        if too_many || !self.has_room() {
            return false;
        }
        self.push(e, bytesleft);
        true
    }

    /// For one more entry.
    #[inline(always)]
    fn has_room(self) -> bool {
        self.with_array(|b| !b.p.is_null() && b.allocated.wrapping_sub(b.initialized as i64) >= ENTRY as i64)
    }

    #[inline(always)]
    fn push(self, e: IobEntry, bytesleft: u64) {
        debug_assert!(self.has_room());
        // SAFETY: `new` requires a valid structure; nothing here reaches it by another way.
        let b = unsafe { &mut *self.raw() };
        let count = if e.kind == FROM_FILE { &mut b.files } else { &mut b.bufs };
        *count = count.wrapping_add(1);
        // SAFETY: there is room for an entry behind the others; nothing there needs a drop.
        unsafe { b.b.p.wrapping_add(b.b.initialized as usize).cast::<IobEntry>().write(e) };
        b.b.initialized = b.b.initialized.wrapping_add(ENTRY);
        b.bytesleft = bytesleft;
    }

    #[inline(always)]
    fn make_room(self) -> Result<(), Errno> {
        if self.with_array(|b| b.p.is_null()) {
            return self.with_array(block::begin);
        }
        self.grow()
    }

    #[inline(never)]
    fn grow(self) -> Result<(), Errno> {
        // Not while anybody counts on the places of entries.
        if self.marks() == AUTOFREE && self.drop_gone() {
            return if self.has_room() { Ok(()) } else { self.with_array(block::begin) };
        }
        self.with_array(|b| {
            let need = b.initialized.checked_add(ENTRY).ok_or(Errno::ENOMEM)?;
            array::make_room(b, need, block::SIZE)
        })
    }

    /// Marks that filters are about to run.
    #[inline(always)]
    fn begin_looking(self) -> Look {
        let before = self.marks();
        // In a nested call, the outer filter's entry is no longer as it was.
        self.note_change();
        self.with_array(|b| b.headroom |= LOOKING);
        Look { before, now: self.marks() }
    }

    /// They have run and taken this many bytes.
    #[inline(always)]
    fn end_looking(self, look: Look, taken: u64) {
        self.with_array(|b| {
            if look.before & LOOKING == 0 {
                b.headroom &= !(LOOKING | CHANGES);
            } else if taken == 0 && b.headroom == look.now {
                b.headroom = look.before;
            }
        });
    }

    #[inline(always)]
    fn marks(self) -> usize {
        self.with_array(|b| b.headroom)
    }

    /// The entry at a place, if it is unchanged. The filter may have added entries after it.
    #[inline(always)]
    fn still_there(self, look: Look, place: Place) -> Option<*mut IobEntry> {
        if self.marks() == look.now { self.entry(place) } else { None }
    }

    /// Bytes are sent or entries released: a filter that runs is told by the count.
    #[inline(always)]
    fn note_change(self) {
        self.with_array(|b| {
            if b.headroom & LOOKING != 0 {
                b.headroom = (b.headroom & !CHANGES) | (b.headroom.wrapping_add(1) & CHANGES);
            }
        });
    }

    /// The first entry with unsent bytes.
    #[inline(always)]
    fn first_unsent(self) -> Option<(Place, *mut IobEntry)> {
        let mut place = Place::of(self.next());
        loop {
            let e = self.entry(place)?;
            // SAFETY: one of the array's entries, all of which are initialised.
            if unsafe { (*e).n } > 0 {
                return Some((place, e));
            }
            place = place.next();
        }
    }

    /// Takes `sent` bytes off the front, over as many entries as they cover. A finished entry keeps its fields, as in
    /// libowfat; `next` is moved past it.
    #[inline]
    fn advance(self, sent: usize) {
        if sent as u64 >= self.bytesleft() {
            return self.emptied();
        }
        self.note_change();
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

    /// Counts `taken` bytes off the entry `e`, the first unsent one. As libowfat does after filtering, the fields of a
    /// finished entry say so themselves.
    #[inline(always)]
    fn take_off(self, e: *mut IobEntry, taken: u64) {
        // SAFETY: `still_there` gave the entry, and `new` requires a valid structure; nothing reaches them another way.
        let (e, b) = unsafe { (&mut *e, &mut *self.raw()) };
        e.offset = e.offset.wrapping_add(taken);
        e.n = e.n.saturating_sub(taken);
        b.bytesleft = b.bytesleft.saturating_sub(taken);
    }

    /// The same; lets go of the entry if it is finished and autofree wants that, and of all if nothing is left.
    #[inline(always)]
    fn consume(self, place: Place, e: *mut IobEntry, taken: u64) {
        self.take_off(e, taken);
        // SAFETY: as in `take_off`.
        let is_finished = unsafe { (*e).n == 0 };
        self.set_next(place.i + usize::from(is_finished));
        if self.bytesleft() == 0 {
            self.emptied();
        } else if is_finished && self.autofree() {
            self.release_range(place.i, place.i + 1);
        }
    }
}

fn empty(headroom: usize) -> IoBatch {
    let b = Array { p: ptr::null_mut(), allocated: 0, initialized: 0, headroom };
    IoBatch { b, bytesleft: 0, next: 0, bufs: 0, files: 0 }
}

#[cfg(test)]
mod tests;
