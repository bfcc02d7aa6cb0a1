//! What the C library and the kernel know of threads.

use std::ffi::{CStr, c_char, c_int};

/// For `pthread_setcancelstate`.
pub(in crate::sys) const CANCEL_DISABLE: c_int = 1;

/// The byte that is not 0 while the C library knows of one thread only. It changes while only one runs, or atomically.
#[cfg(target_env = "gnu")]
#[inline(always)]
pub(in crate::sys) const fn single_threaded_byte() -> *mut c_char {
    unsafe extern "C" {
        // glibc 2.32; never written by us.
        static __libc_single_threaded: c_char;
    }
    (&raw const __libc_single_threaded).cast_mut()
}

/// See above: musl does not tell, so there may be any number of threads.
#[cfg(not(target_env = "gnu"))]
pub(in crate::sys) const fn single_threaded_byte() -> *mut c_char {
    static MANY: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);
    MANY.as_ptr().cast()
}

/// Names the calling thread, as `top -H` shows it; at most 15 bytes.
pub(crate) fn set_name(name: &CStr) {
    // SAFETY: takes a string. A name is a courtesy, so its refusal is none.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
}

/// The kernel's number of the calling thread; never 0.
pub(in crate::sys) fn number() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}
