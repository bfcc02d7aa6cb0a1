//! A bell that wakes sleepers, silenced by whoever hears it, and which rings for ever once the backend is shut.

use crate::sys::sync::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

pub(super) struct Shut(AtomicBool);

impl Shut {
    pub(super) const fn new() -> Shut {
        Shut(AtomicBool::new(false))
    }

    /// From now on the bell rings.
    pub(super) fn shut(&self, ring: impl FnOnce()) {
        self.0.store(true, SeqCst);
        ring();
    }

    /// The bell was heard.
    pub(super) fn silence(&self, silence: impl FnOnce(), ring: impl FnOnce()) {
        silence();
        // Looked at afterwards: what was silenced may have been the last ring.
        if self.0.load(SeqCst) {
            ring();
        }
    }
}
