//! The block that a small batch keeps its entries in. Most batches live for one answer; the block of the last one is kept
//! for the next, which costs a tenth of what `malloc` and `free` do.

use crate::batch::ENTRY;
use crate::ctypes::Array;
use crate::sys::mem;
use crate::sys::thread::single_threaded;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

/// Bytes of a block: a program that looks at the array finds it allocated.
pub(super) const SIZE: u64 = 16 * ENTRY;

static SPARE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// Gives an array that has no block a first one. False: it has failed, or there is no memory.
#[inline(never)]
pub(super) fn begin(x: &mut Array) -> bool {
    if x.allocated != 0 {
        return false;
    }
    let spare = NonNull::new(exchange(ptr::null_mut()));
    // SAFETY: a new block.
    let Ok(p) = spare.map_or_else(|| unsafe { mem::realloc(ptr::null_mut(), SIZE as usize) }, Ok) else {
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
    let superfluous = if size == SIZE as i64 && !p.is_null() { exchange(p) } else { p };
    if !superfluous.is_null() {
        // SAFETY: the caller's block, or the one that was kept.
        unsafe { mem::free(superfluous) };
    }
}

/// Gives the spare block back.
pub(crate) fn shut_down() {
    // SAFETY: the block was kept by nobody else.
    unsafe { mem::free(exchange(ptr::null_mut())) };
}

#[inline(always)]
fn exchange(p: *mut u8) -> *mut u8 {
    if single_threaded() {
        let old = SPARE.load(Ordering::Relaxed);
        SPARE.store(p, Ordering::Relaxed);
        old
    } else {
        SPARE.swap(p, Ordering::AcqRel)
    }
}
