//! The memory of batches: the block of a small batch's entries, and the batch itself if the library allocates it. Most
//! batches live for one answer, so the blocks of the last one are kept for the next. That costs a tenth of `malloc` and
//! `free`. They are `malloc` blocks, because programs may free a batch that they have reset.

use crate::batch::{ENTRY, window};
use crate::ctypes::Array;
use crate::sys::mem;
use crate::sys::spare::Spare;
use nix::errno::Errno;
use std::ptr::{self, NonNull};

/// Bytes of a block, which programs see in the array's `allocated`.
pub(super) const SIZE: u64 = 16 * ENTRY;

static SPARE: Spare = Spare::new();

static SPARE_BATCH: Spare = Spare::new();

/// A block for a batch. `size` is the same in every call.
#[inline]
pub(crate) fn batch(size: usize) -> Result<NonNull<u8>, Errno> {
    // SAFETY: a new block.
    SPARE_BATCH.take().map_or_else(|| unsafe { mem::realloc(ptr::null_mut(), size) }, Ok)
}

/// Frees a batch. If the program allocated it itself, against the rules, its block may be too small to be kept.
///
/// # Safety
/// `p` is a `malloc` block that nobody uses any more; `size` is that of [`batch`].
#[inline]
pub(crate) unsafe fn free_batch(p: NonNull<u8>, size: usize) {
    // SAFETY: the caller's block.
    let superfluous = if unsafe { mem::has(p, size) } { SPARE_BATCH.leave(p) } else { Some(p) };
    if let Some(superfluous) = superfluous {
        // SAFETY: the one that was kept.
        unsafe { mem::free(superfluous.as_ptr()) };
    }
}

/// Gives an array its first block. `ENOMEM` if the array has failed or there is no memory.
pub(super) fn begin(x: &mut Array) -> Result<(), Errno> {
    if x.allocated != 0 {
        return Err(Errno::ENOMEM);
    }
    // SAFETY: a new block.
    let p = SPARE.take().map_or_else(|| unsafe { mem::realloc(ptr::null_mut(), SIZE as usize) }, Ok)?;
    (x.p, x.allocated, x.initialized) = (p.as_ptr().cast(), SIZE as i64, 0);
    Ok(())
}

/// Frees a block of `size` bytes, or NULL.
///
/// # Safety
/// It is a `malloc` block of that size that nobody uses any more.
#[inline]
pub(super) unsafe fn free(p: *mut u8, size: i64) {
    let block = NonNull::new(p);
    let superfluous = if size == SIZE as i64 { block.and_then(|p| SPARE.leave(p)) } else { block };
    if let Some(p) = superfluous {
        // SAFETY: the caller's block, or the one that was kept.
        unsafe { mem::free(p.as_ptr()) };
    }
}

/// Frees the spare blocks.
pub(crate) fn shut_down() {
    window::shut_down();
    for p in [SPARE.take(), SPARE_BATCH.take()].into_iter().flatten() {
        // SAFETY: nobody else has the block.
        unsafe { mem::free(p.as_ptr()) };
    }
}
