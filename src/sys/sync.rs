//! What the protocols between threads are built on. The models in `tests/models/` put another module in its place, which
//! tries every order in which threads can run.

pub(crate) use super::system::in_child;
pub(super) use super::system::{sleep_while, sleep_while_cancellable, wake};
pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize};
pub(crate) use std::thread::yield_now;

/// How often to look at a held lock again before sleeping: it is held for a few hundred instructions.
pub(super) const LOOKS: u32 = 100;

/// How often to let others run then.
pub(super) const YIELDS: u32 = 10;

/// Wakes one of those who sleep over `word`.
#[cold]
pub(super) fn wake_one(word: &AtomicU32) {
    wake(word, 1);
}
