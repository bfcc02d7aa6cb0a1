//! Memory that files are read into: page-aligned, of one size, and the last block that was used is kept for the next
//! user. A block of that size is more than `malloc` has at hand.

use crate::sys::spare::Spare;
use nix::errno::Errno;
use std::alloc::{Layout, alloc, dealloc};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;

/// Smaller reads cost more (16 KiB: a fifth on top of a checksum, a seventh on top of AES-GCM), larger ones no less
/// (`docs/performance.md`).
pub(crate) const SIZE: usize = 64 << 10;

/// Where pages are larger than that, with a part of one.
const LAYOUT: Layout = match Layout::from_size_align(SIZE, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

static SPARE: Spare = Spare::new();

/// [`SIZE`] bytes.
#[derive(Debug)]
pub(crate) struct Room(NonNull<u8>);

// SAFETY: the block belongs to the room alone.
unsafe impl Send for Room {}

impl Room {
    pub(crate) fn new() -> Result<Room, Errno> {
        // SAFETY: the layout has a size.
        SPARE.take().or_else(|| NonNull::new(unsafe { alloc(LAYOUT) })).map(Room).ok_or(Errno::ENOMEM)
    }

    /// All of it. What was written before is still there.
    pub(crate) fn all(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the block has that size, and is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.0.as_ptr().cast(), SIZE) }
    }

    /// # Safety
    /// The bytes of that range have been written.
    pub(crate) unsafe fn written(&self, from: usize, to: usize) -> &[u8] {
        debug_assert!(from <= to && to <= SIZE);
        // SAFETY: the caller vouches for the contents.
        unsafe { slice::from_raw_parts(self.0.as_ptr().add(from), to - from) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(superfluous) = SPARE.leave(self.0) {
            // SAFETY: it came from `alloc` with this layout, and nobody else has it.
            unsafe { dealloc(superfluous.as_ptr(), LAYOUT) };
        }
    }
}

/// Gives the spare block back.
pub(crate) fn shut_down() {
    if let Some(p) = SPARE.take() {
        // SAFETY: as for the drop of a room.
        unsafe { dealloc(p.as_ptr(), LAYOUT) };
    }
}
