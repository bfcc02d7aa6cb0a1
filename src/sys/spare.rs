//! One block of memory that the last user leaves for the next one.

use super::sync::AtomicPtr;
use super::thread::single_threaded;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

/// Room for one block. Whoever takes it out owns it, with what was written into it.
pub(crate) struct Spare(AtomicPtr<u8>);

impl Spare {
    pub(crate) const fn new() -> Spare {
        Spare(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline(always)]
    pub(crate) fn take(&self) -> Option<NonNull<u8>> {
        NonNull::new(self.exchange(ptr::null_mut()))
    }

    /// Leaves `block`; what was there before is now the caller's to free.
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
