//! umtx(2).

use crate::sys::count::{Call, count};
use std::ffi::c_int;
use std::sync::atomic::AtomicU32;

/// Sleeps while the word is `value`. May return for no reason.
pub(in crate::sys) fn wait(word: &AtomicU32, value: u32) {
    count(Call::Futex);
    // SAFETY: the word lives through the call. 0: without a timeout; an error is as good as a wake-up.
    unsafe { libc::umtx_sleep(word.as_ptr().cast(), value as c_int, 0) };
}

/// Wakes up to `threads` of those who sleep over `word`.
pub(in crate::sys) fn wake(word: &AtomicU32, threads: u32) {
    count(Call::Futex);
    // 0 wakes all.
    let threads = c_int::try_from(threads).unwrap_or(0);
    // SAFETY: the word lives through the call.
    unsafe { libc::umtx_wakeup(word.as_ptr().cast(), threads) };
}
