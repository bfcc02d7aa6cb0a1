//! Guesses whether other threads take events from the same multiplexer. A thread that finds no event yields the processor
//! once before it sleeps if they do.
//!
//! Falling asleep and being woken are two context switches, which cost more than an event. While other threads take events,
//! the next ones are often about to come: their source, a client on the same machine for example, waits for a processor.
//! If no other thread takes events, a yield would only delay the next event by somebody's time slice.
//!
//! A wrong guess costs time and nothing else.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

thread_local! {
    /// The count when this thread took its last event.
    static TAKEN: Cell<u32> = const { Cell::new(0) };
}

/// Counts the events that were taken. The count may wrap around.
pub(super) struct Contention<'a>(pub(super) &'a AtomicU32);

impl Contention<'_> {
    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether others have taken events since this thread took its last one. The answer may be wrong for a thread that
    /// comes for the first time or from another multiplexer.
    pub(super) fn is_found(&self) -> bool {
        self.0.load(Ordering::Relaxed) != TAKEN.get()
    }

    /// This thread has taken an event.
    pub(super) fn count_event(&self) {
        TAKEN.set(self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn only_events_that_other_threads_took_are_contention() {
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
