//! Which process this is.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// 0: not asked for yet.
static NUMBER: AtomicU32 = AtomicU32::new(0);

pub(super) fn own() -> u32 {
    if NUMBER.load(Relaxed) == 0 {
        NUMBER.store(std::process::id(), Relaxed);
    }
    NUMBER.load(Relaxed)
}

pub(super) fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// In a forked child.
pub(super) fn forget() {
    NUMBER.store(0, Relaxed);
}
