//! What the C library and the kernel of macOS know of threads.

use std::ffi::{CStr, c_int};

/// For `pthread_setcancelstate`.
pub(in crate::sys) const CANCEL_DISABLE: c_int = 0;

/// Names the calling thread.
pub(crate) fn set_name(name: &CStr) {
    // SAFETY: takes a string. A name is a courtesy, so its refusal is none.
    unsafe { libc::pthread_setname_np(name.as_ptr()) };
}

/// The kernel's number of the calling thread; never 0.
pub(in crate::sys) fn number() -> u32 {
    let mut number = 0;
    // SAFETY: the number lives through the call; 0 is the calling thread.
    unsafe { libc::pthread_threadid_np(0, &mut number) };
    (number as u32).max(1)
}

/// Where the thread has its errno.
pub(in crate::sys) fn errno_location() -> *mut c_int {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::__error() }
}
