//! What makes a call leave its fast path. One word, so that the fast path asks one question.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Somebody traces or counts the calls.
pub(crate) const TRACED: u32 = 1;
/// The process has forked, or been forked, and the loop has not taken notice.
pub(super) const FORKED: u32 = 2;
/// There are event-loop threads.
pub(super) const THREADS: u32 = 4;
/// The program has queued events itself.
pub(super) const QUEUED: u32 = 8;

static ATTENTION: AtomicU32 = AtomicU32::new(0);

/// Whether nothing needs more than the fast path.
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
