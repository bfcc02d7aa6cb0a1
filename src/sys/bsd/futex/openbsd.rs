//! futex(2).

use crate::sys::count::{Call, count};
use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::AtomicU32;

// Missing from the libc crate (sys/futex.h).
const FUTEX_WAIT: c_int = 1;
const FUTEX_WAKE: c_int = 2;
const FUTEX_PRIVATE_FLAG: c_int = 128;

/// Sleeps while the word is `value`. May return for no reason.
pub(in crate::sys) fn wait(word: &AtomicU32, value: u32) {
    futex(word, FUTEX_WAIT, value as c_int);
}

/// Wakes up to `threads` of those who sleep over `word`.
pub(in crate::sys) fn wake(word: &AtomicU32, threads: u32) {
    futex(word, FUTEX_WAKE, c_int::try_from(threads).unwrap_or(c_int::MAX));
}

/// An error is as good as a wake-up: the caller looks at the word again.
fn futex(word: &AtomicU32, operation: c_int, value: c_int) {
    count(Call::Futex);
    // SAFETY: the word lives through the call; without a timeout no other address is used.
    unsafe {
        libc::futex(word.as_ptr(), operation | FUTEX_PRIVATE_FLAG, value, ptr::null(), ptr::null_mut())
    };
}
