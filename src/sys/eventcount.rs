//! An event count: threads sleep until it changes. It is like a condition variable, but works with any lock.

use super::sync::{self, AtomicU32};
use std::sync::atomic::Ordering;

/// To sleep: under the lock that guards the reason to sleep, read the count; unlock; call `sleep` with it. To wake: under
/// the lock, end the reason and advance the count. A sleep that has not begun by then returns at once.
pub(crate) struct EventCount(AtomicU32);

impl EventCount {
    pub(crate) const fn new() -> EventCount {
        EventCount(AtomicU32::new(0))
    }

    pub(crate) fn now(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Sleeps unless the count has changed since it was `seen`. May return without a reason. It is a cancellation point.
    pub(crate) fn sleep(&self, seen: u32) {
        sync::sleep_while_cancellable(&self.0, seen);
    }

    /// Advances the count and wakes up to `threads` sleeping threads.
    pub(crate) fn advance(&self, threads: u32) {
        self.0.fetch_add(1, Ordering::Release);
        sync::wake(&self.0, threads);
    }
}
