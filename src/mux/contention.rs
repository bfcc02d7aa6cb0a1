//! Whether other threads of a multiplexer take events, too.
//!
//! A thread that finds no event goes to sleep, and the next event has to wake it: two switches, which cost more than
//! the event. While others are at work that is often too soon: whoever makes the next events, a client on the same
//! machine for instance, waits for a processor, and the others will look for events in a moment anyway. Then a thread
//! lets the rest of the machine run once before it sleeps. It may do so only then: when nobody else would look, an
//! event must not wait for somebody's slice of time to end.
//!
//! This is a hint. Right or wrong, it decides nothing but when a thread falls asleep.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

thread_local! {
    /// What the count was when this thread took its last event.
    static TAKEN: Cell<u32> = const { Cell::new(0) };
}

/// How many events were taken, which may come round.
pub(super) struct Contention<'a>(pub(super) &'a AtomicU32);

impl Contention<'_> {
    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether others took events since this thread took its last one. Knows nothing of a thread that comes for the
    /// first time, or from another multiplexer, and may say either.
    pub(super) fn is_found(&self) -> bool {
        self.0.load(Ordering::Relaxed) != TAKEN.get()
    }

    /// This thread has an event.
    pub(super) fn count_event(&self) {
        TAKEN.set(self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn only_others_count() {
        let count = AtomicU32::new(u32::MAX);
        let here = Contention(&count);
        here.count_event();
        assert!(!here.is_found());
        here.count_event();
        assert!(!here.is_found());
        thread::scope(|scope| scope.spawn(|| Contention(&count).count_event()).join()).unwrap();
        assert!(here.is_found());
        here.count_event();
        assert!(!here.is_found());
    }
}
