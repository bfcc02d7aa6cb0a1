//! `_umtx_op(2)`, within the process.

use crate::sys::count::{Call, count};
use std::ffi::{c_int, c_ulong};
use std::ptr;
use std::sync::atomic::AtomicU32;

/// Sleeps while the word is `value`. May return for no reason.
pub(in crate::sys) fn wait(word: &AtomicU32, value: u32) {
    umtx(word, libc::UMTX_OP_WAIT_UINT_PRIVATE, value);
}

/// Wakes up to `threads` of those who sleep over `word`.
pub(in crate::sys) fn wake(word: &AtomicU32, threads: u32) {
    // The kernel takes it for signed.
    umtx(word, libc::UMTX_OP_WAKE_PRIVATE, threads.min(i32::MAX as u32));
}

/// An error is as good as a wake-up: the caller looks at the word again.
fn umtx(word: &AtomicU32, operation: c_int, value: u32) {
    count(Call::Futex);
    // SAFETY: the word lives through the call; without a timeout no other address is used.
    unsafe {
        libc::_umtx_op(
            word.as_ptr().cast(),
            operation,
            c_ulong::from(value),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
}
