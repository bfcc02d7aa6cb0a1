//! futex(2), within the process.

use crate::sys::count::{Call, count};
use std::ptr;
use std::sync::atomic::AtomicU32;

/// Sleeps while the word is `value`. May return for no reason.
pub(in crate::sys) fn wait(word: &AtomicU32, value: u32) {
    futex(word, libc::FUTEX_WAIT, value);
}

/// Wakes up to `threads` of those who sleep over `word`.
pub(in crate::sys) fn wake(word: &AtomicU32, threads: u32) {
    futex(word, libc::FUTEX_WAKE, threads);
}

/// An error is as good as a wake-up: the caller looks at the word again.
fn futex(word: &AtomicU32, operation: libc::c_int, value: u32) {
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    count(Call::Futex);
    // SAFETY: the word lives through the call; without a timeout no other address is used.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, ptr::null::<libc::timespec>()) };
}
