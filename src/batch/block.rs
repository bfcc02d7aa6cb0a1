//! The block that a small batch keeps its entries in. Most batches live for one answer; the block of the last one is kept
//! for the next, which costs a tenth of what `malloc` and `free` do.

use crate::batch::ENTRY;
use crate::ctypes::Array;
use crate::sys::mem;
use crate::sys::spare::Spare;
use std::ptr::{self, NonNull};

/// Bytes of a block: a program that looks at the array finds it allocated.
pub(super) const SIZE: u64 = 16 * ENTRY;

static SPARE: Spare = Spare::new();

/// Gives an array that has no block a first one. False: it has failed, or there is no memory.
#[inline(never)]
pub(super) fn begin(x: &mut Array) -> bool {
    if x.allocated != 0 {
        return false;
    }
    // SAFETY: a new block.
    let Ok(p) = SPARE.take().map_or_else(|| unsafe { mem::realloc(ptr::null_mut(), SIZE as usize) }, Ok)
    else {
        return false;
    };
    (x.p, x.allocated, x.initialized) = (p.as_ptr().cast(), SIZE as i64, 0);
    true
}

/// Lets go of a block of `size` bytes, or of NULL.
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

/// Gives the spare block back.
pub(crate) fn shut_down() {
    if let Some(p) = SPARE.take() {
        // SAFETY: nobody else has the block.
        unsafe { mem::free(p.as_ptr()) };
    }
}
