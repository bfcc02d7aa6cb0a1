//! Memory shared with C: `malloc` blocks, and objects that C points to.

use nix::errno::Errno;
use std::ptr::NonNull;

/// Grows or shrinks a `malloc` block, or makes one of NULL. On failure the old block stays as it was.
///
/// # Safety
/// `p` is NULL or the start of a live `malloc` block, and `size` is not 0. On success no pointer into the
/// old block is used any more.
pub(crate) unsafe fn realloc(p: *mut u8, size: usize) -> Result<NonNull<u8>, Errno> {
    debug_assert_ne!(size, 0, "realloc to 0 may free");
    // SAFETY: the caller's promise is what realloc(3) asks for.
    let new = unsafe { libc::realloc(p.cast(), size) };
    NonNull::new(new.cast()).ok_or(Errno::ENOMEM)
}

/// Gives a `malloc` block back; NULL is none. errno survives, because C libraries older than glibc 2.33 may
/// change it when they return pages to the kernel.
///
/// # Safety
/// `p` is NULL or the start of a live `malloc` block that nobody uses any more.
pub(crate) unsafe fn free(p: *mut u8) {
    let saved = Errno::last_raw();
    // SAFETY: the caller's promise is what free(3) asks for.
    unsafe { libc::free(p.cast()) };
    Errno::set_raw(saved);
}

/// A copy of what `p` points to; `None` for NULL. Alignment does not matter.
///
/// # Safety
/// `p` is NULL or points to a `T`.
pub(crate) unsafe fn load<T: Copy>(p: *const T) -> Option<T> {
    // SAFETY: by the contract above.
    (!p.is_null()).then(|| unsafe { p.read_unaligned() })
}

/// Overwrites what `p` points to; NULL is left alone. Alignment does not matter.
///
/// # Safety
/// `p` is NULL or points to room for a `T`.
pub(crate) unsafe fn store<T: Copy>(p: *mut T, value: T) {
    if !p.is_null() {
        // SAFETY: by the contract above.
        unsafe { p.write_unaligned(value) };
    }
}

/// Unmaps a mapping of the caller.
///
/// # Safety
/// The `n` bytes at `p` are a mapping that nobody uses any more, or `n` is 0.
pub(crate) unsafe fn unmap(p: *mut u8, n: usize) {
    if n != 0 {
        // SAFETY: the caller's promise is what munmap(2) asks for.
        unsafe { libc::munmap(p.cast(), n) };
    }
}
