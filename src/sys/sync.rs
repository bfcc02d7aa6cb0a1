//! What the protocols between threads are built on. The models in `tests/models/` put another module in its place, which
//! tries every order in which threads can run.

use super::cancel;
use super::count::{Call, count};
use std::ptr;

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize};
pub(crate) use std::thread::yield_now;

/// How often to look at a held lock again before sleeping: it is held for a few hundred instructions.
pub(super) const LOOKS: u32 = 100;

/// How often to let others run then.
pub(super) const YIELDS: u32 = 10;

/// Sleeps until [`wake_one`] is called for `word`, unless it is not `value` any more.
#[cold]
pub(super) fn sleep_while(word: &AtomicU32, value: u32) {
    futex(word, libc::FUTEX_WAIT, value);
}

/// [`sleep_while`] as a cancellation point.
#[cold]
pub(super) fn sleep_while_cancellable(word: &AtomicU32, value: u32) {
    count(Call::Futex);
    // SAFETY: the word lives through the call.
    unsafe { cancel::futex_wait(word.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, value) };
}

/// Wakes one of those who sleep over `word`.
#[cold]
pub(super) fn wake_one(word: &AtomicU32) {
    wake(word, 1);
}

/// Wakes up to `threads` of those who sleep over `word`.
pub(super) fn wake(word: &AtomicU32, threads: u32) {
    futex(word, libc::FUTEX_WAKE, threads);
}

/// futex(2), within the process. An error is as good as a wake-up: the caller looks at the word again.
fn futex(word: &AtomicU32, operation: libc::c_int, value: u32) {
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    count(Call::Futex);
    // SAFETY: the word lives through the call; without a timeout no other address is used.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, ptr::null::<libc::timespec>()) };
}
