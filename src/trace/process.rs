//! The number of this process.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// 0 if it was not asked for yet.
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

/// For a new child process.
pub(super) fn forget() {
    NUMBER.store(0, Relaxed);
}
