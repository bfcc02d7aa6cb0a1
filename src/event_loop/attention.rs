//! The reasons to leave a fast path. All are bits of one word, so that a fast path tests once.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Calls are traced or counted.
pub(crate) const TRACED: u32 = 1;
/// The process has forked, or is a new child, and the loop has not handled that yet.
pub(super) const FORKED: u32 = 2;
/// Event-loop threads are running.
pub(super) const THREADS: u32 = 4;
/// The program has queued events itself.
pub(super) const QUEUED: u32 = 8;

static ATTENTION: AtomicU32 = AtomicU32::new(0);

#[inline(always)]
pub(super) fn is_none() -> bool {
    ATTENTION.load(Relaxed) == 0
}

#[inline(always)]
pub(super) fn is_for(reason: u32) -> bool {
    ATTENTION.load(Relaxed) & reason != 0
}

#[cold]
pub(crate) fn raise(reason: u32) {
    ATTENTION.fetch_or(reason, Relaxed);
}

#[cold]
pub(crate) fn end(reason: u32) {
    ATTENTION.fetch_and(!reason, Relaxed);
}
