//! Memory that files are read into: page-aligned blocks of one size. A few used blocks are kept, because `malloc` is slow
//! for blocks of that size.

use crate::sys::message;
use crate::sys::spare::Spare;
use nix::errno::Errno;
use std::alloc::{Layout, alloc, dealloc};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;

/// Bytes of a block. No more of a file is kept for a filter that refuses it.
pub(crate) const SIZE: usize = 16 << 10;

/// The alignment is enough for `O_DIRECT`.
const LAYOUT: Layout = match Layout::from_size_align(SIZE, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

/// Hardly ever are more in use at a time.
static SPARE: [Spare; 4] = [const { Spare::new() }; 4];

/// A block of [`SIZE`] bytes.
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

    /// The whole block. It still has what was written before.
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

/// Frees the spare blocks, and the memory that sends keep.
pub(crate) fn shut_down() {
    message::shut_down();
    for p in SPARE.iter().filter_map(Spare::take) {
        // SAFETY: as for the drop of a room.
        unsafe { dealloc(p.as_ptr(), LAYOUT) };
    }
}
