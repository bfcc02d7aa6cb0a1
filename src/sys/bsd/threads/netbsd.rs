//! What the C library and the kernel of NetBSD know of threads.

use std::ffi::{CStr, c_int};

/// For `pthread_setcancelstate`.
pub(in crate::sys) const CANCEL_DISABLE: c_int = 1;

/// Names the calling thread.
pub(crate) fn set_name(name: &CStr) {
    // SAFETY: takes a string. A name is a courtesy, so its refusal is none.
    unsafe {
        libc::pthread_setname_np(libc::pthread_self(), c"%s".as_ptr(), name.as_ptr().cast_mut().cast())
    };
}

/// The kernel's number of the calling thread; never 0.
pub(in crate::sys) fn number() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::_lwp_self() as u32 }
}

/// Where the thread has its errno.
pub(in crate::sys) fn errno_location() -> *mut c_int {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::__errno() }
}
