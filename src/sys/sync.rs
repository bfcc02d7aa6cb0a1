//! The primitives of the protocols between threads. The models in `tests/models/` replace this module by one that tries
//! every order in which threads can run.

pub(crate) use super::system::in_child;
pub(super) use super::system::{sleep_while, sleep_while_cancellable, wake};
pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize};
pub(crate) use std::thread::yield_now;

/// How often a thread reads a held lock again before it yields. The lock is held for a few hundred instructions.
pub(super) const LOOKS: u32 = 100;

/// How often it yields before it sleeps.
pub(super) const YIELDS: u32 = 10;

/// Wakes one of the threads that sleep on `word`.
#[cold]
pub(super) fn wake_one(word: &AtomicU32) {
    wake(word, 1);
}
