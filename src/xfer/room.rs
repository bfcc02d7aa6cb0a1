//! Memory that files are read into: page-aligned, of one size, and a few blocks that were used are kept for the next
//! users. A block of that size is more than `malloc` has at hand.

use crate::sys::message;
use crate::sys::spare::Spare;
use nix::errno::Errno;
use std::alloc::{Layout, alloc, dealloc};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;

/// The most of a file that is kept for a filter that does not take it.
pub(crate) const SIZE: usize = 16 << 10;

/// Aligned as `O_DIRECT` asks for. Where pages are larger than that, with a part of one.
const LAYOUT: Layout = match Layout::from_size_align(SIZE, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

/// As many as are in use at a time, nearly always.
static SPARE: [Spare; 4] = [const { Spare::new() }; 4];

/// [`SIZE`] bytes.
#[derive(Debug)]
pub(crate) struct Room(NonNull<u8>);

// SAFETY: the block belongs to the room alone.
unsafe impl Send for Room {}

impl Room {
    pub(crate) fn new() -> Result<Room, Errno> {
        // SAFETY: the layout has a size.
        let fresh = || NonNull::new(unsafe { alloc(LAYOUT) });
        SPARE.iter().find_map(Spare::take).or_else(fresh).map(Room).ok_or(Errno::ENOMEM)
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
        let mut superfluous = Some(self.0);
        for spare in &SPARE {
            superfluous = superfluous.and_then(|p| spare.leave(p));
        }
        if let Some(p) = superfluous {
            // SAFETY: it came from `alloc` with this layout, and nobody else has it.
            unsafe { dealloc(p.as_ptr(), LAYOUT) };
        }
    }
}

/// Gives the spare blocks back, and the memory that sends keep.
pub(crate) fn shut_down() {
    message::shut_down();
    for p in SPARE.iter().filter_map(Spare::take) {
        // SAFETY: as for the drop of a room.
        unsafe { dealloc(p.as_ptr(), LAYOUT) };
    }
}
