//! A count to sleep on until it changes: what a condition variable is for a lock that is not the C library's.

use super::sync::{self, AtomicU32};
use std::sync::atomic::Ordering;

/// Look at the count while the reason to sleep holds, under the lock that guards the reason; then unlock and sleep.
/// Whoever takes the reason away, under the lock, advances the count: a sleep that has not begun does not begin.
pub(crate) struct EventCount(AtomicU32);

impl EventCount {
    pub(crate) const fn new() -> EventCount {
        EventCount(AtomicU32::new(0))
    }

    pub(crate) fn now(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Sleeps unless the count has changed since it was `seen`. May return for no reason. A cancellation point.
    pub(crate) fn sleep(&self, seen: u32) {
        sync::sleep_while_cancellable(&self.0, seen);
    }

    /// Advances the count and wakes up to `threads` that sleep.
    pub(crate) fn advance(&self, threads: u32) {
        self.0.fetch_add(1, Ordering::Release);
        sync::wake(&self.0, threads);
    }
}
