//! Keeps one block of memory from its last user for the next one.

use super::sync::AtomicPtr;
use super::thread::single_threaded;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

/// Room for one block. The one who takes it out owns it, with its contents.
pub(crate) struct Spare(AtomicPtr<u8>);

impl Spare {
    pub(crate) const fn new() -> Spare {
        Spare(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline(always)]
    pub(crate) fn take(&self) -> Option<NonNull<u8>> {
        NonNull::new(self.exchange(ptr::null_mut()))
    }

    /// Stores `block`. The caller frees the one that was there before, which is returned.
    #[inline(always)]
    pub(crate) fn leave(&self, block: NonNull<u8>) -> Option<NonNull<u8>> {
        NonNull::new(self.exchange(block.as_ptr()))
    }

    #[inline(always)]
    fn exchange(&self, p: *mut u8) -> *mut u8 {
        if single_threaded() {
            let old = self.0.load(Relaxed);
            self.0.store(p, Relaxed);
            old
        } else {
            self.0.swap(p, AcqRel)
        }
    }
}
