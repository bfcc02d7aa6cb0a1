//! Memory that files are read into: page-aligned, of one size, and the last block that was used is kept for the next
//! user. A block of that size is more than `malloc` has at hand.

use nix::errno::Errno;
use std::alloc::{Layout, alloc, dealloc};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Smaller reads cost more (16 KiB: a fifth on top of a checksum, a seventh on top of AES-GCM), larger ones no less
/// (`docs/performance.md`).
pub(crate) const SIZE: usize = 64 << 10;

/// Where pages are larger than that, with a part of one.
const LAYOUT: Layout = match Layout::from_size_align(SIZE, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

static SPARE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// [`SIZE`] bytes.
#[derive(Debug)]
pub(crate) struct Room(NonNull<u8>);

// SAFETY: the block belongs to the room alone.
unsafe impl Send for Room {}

impl Room {
    pub(crate) fn new() -> Result<Room, Errno> {
        let spare = NonNull::new(SPARE.swap(ptr::null_mut(), Ordering::Acquire));
        // SAFETY: the layout has a size.
        spare.or_else(|| NonNull::new(unsafe { alloc(LAYOUT) })).map(Room).ok_or(Errno::ENOMEM)
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
        let kept =
            SPARE.compare_exchange(ptr::null_mut(), self.0.as_ptr(), Ordering::Release, Ordering::Relaxed);
        if kept.is_err() {
            // SAFETY: it came from `alloc` with this layout, and nobody else has it.
            unsafe { dealloc(self.0.as_ptr(), LAYOUT) };
        }
    }
}

/// Gives the spare block back.
pub(crate) fn shut_down() {
    if let Some(p) = NonNull::new(SPARE.swap(ptr::null_mut(), Ordering::Acquire)) {
        // SAFETY: as for the drop of a room.
        unsafe { dealloc(p.as_ptr(), LAYOUT) };
    }
}
