//! A value that its owner lends to one thread at a time. While it is lent it may outlive its owner.
//!
//! A wait call borrows what it needs while it sleeps without the lock. When it wakes, the owner may be gone (the loop was
//! shut down, the process has forked). Or the borrower may not come back (it left by siglongjmp). Neither is a use after
//! free. A thread that jumped out of its wait call gets the same value again in the next one.

use super::mem::boxed;
use super::sync::AtomicUsize;
use super::thread::this_thread;
use nix::errno::Errno;
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

/// Marks a value whose owner is gone. No thread's number has this bit.
const ORPHAN: usize = 1;
const NOBODY: usize = 0;

struct Shelf<T> {
    /// The number of the thread that has it, or [`NOBODY`]. With [`ORPHAN`], the borrower frees it.
    borrower: AtomicUsize,
    value: UnsafeCell<T>,
}

/// The owner's end.
pub(crate) struct Loan<T>(NonNull<Shelf<T>>);

/// The borrower's end.
pub(crate) struct Lent<T>(NonNull<Shelf<T>>);

// SAFETY: one thread at a time has the value, so it may be one that moves between threads.
unsafe impl<T: Send> Send for Loan<T> {}

impl<T> Loan<T> {
    pub(crate) fn new(value: T) -> Result<Loan<T>, Errno> {
        let shelf = boxed(Shelf { borrower: AtomicUsize::new(NOBODY), value: UnsafeCell::new(value) })?;
        Ok(Loan(NonNull::from(Box::leak(shelf))))
    }

    fn shelf(&self) -> &Shelf<T> {
        // SAFETY: freed by the last of owner and borrower, and here is the owner.
        unsafe { self.0.as_ref() }
    }

    /// Whether another thread has the value.
    #[inline]
    pub(crate) fn is_lent_elsewhere(&self) -> bool {
        let borrower = self.shelf().borrower.load(Ordering::Acquire);
        borrower != NOBODY && borrower != this_thread()
    }

    /// Lends the value to this thread, unless another one has it. If this thread has it already, it has left the call that
    /// borrowed it by a jump.
    pub(crate) fn lend(&mut self) -> Option<Lent<T>> {
        if self.is_lent_elsewhere() {
            return None;
        }
        self.shelf().borrower.store(this_thread(), Ordering::Relaxed);
        Some(Lent(self.0))
    }

    /// For a new child process. A borrower that is another thread is not in this process.
    pub(crate) fn take_back_in_child(&mut self) {
        if self.is_lent_elsewhere() {
            self.shelf().borrower.store(NOBODY, Ordering::Relaxed);
        }
    }
}

impl<T> Lent<T> {
    /// A value without an owner, for this thread only.
    pub(crate) fn own(value: T) -> Result<Lent<T>, Errno> {
        let borrower = AtomicUsize::new(this_thread() | ORPHAN);
        Ok(Lent(NonNull::from(Box::leak(boxed(Shelf { borrower, value: UnsafeCell::new(value) })?))))
    }
}

impl<T> Drop for Loan<T> {
    fn drop(&mut self) {
        if self.shelf().borrower.fetch_or(ORPHAN, Ordering::AcqRel) == NOBODY {
            // SAFETY: it came from a box, and nobody has the value.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this thread alone has the value until this is dropped, and whoever is last frees it.
        unsafe { &*self.0.as_ref().value.get() }
    }
}

impl<T> DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.as_ref().value.get() }
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        // SAFETY: as above.
        let shelf = unsafe { self.0.as_ref() };
        if shelf.borrower.fetch_and(ORPHAN, Ordering::AcqRel) & ORPHAN != 0 {
            // SAFETY: it came from a box, its owner is gone, and so is the borrower now.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn one_thread_at_a_time_has_the_value() {
        let mut loan = Loan::new(5).unwrap();
        let mut lent = loan.lend().unwrap();
        *lent += 1;
        let loan = thread::spawn(move || {
            assert!(loan.is_lent_elsewhere() && loan.lend().is_none());
            loan
        });
        let mut loan = loan.join().unwrap();
        drop(lent);
        assert_eq!(loan.lend().as_deref(), Some(&6));
    }

    #[test]
    fn who_jumped_out_of_the_call_that_borrowed_it_gets_it_again() {
        let mut loan = Loan::new(5).unwrap();
        std::mem::forget(loan.lend());
        assert_eq!(loan.lend().as_deref(), Some(&5));
        assert!(!loan.is_lent_elsewhere());
    }

    #[test]
    fn the_last_of_owner_and_borrower_drops_the_value() {
        let value = Arc::new(());
        let mut loan = Loan::new(Arc::clone(&value)).unwrap();
        let lent = loan.lend();
        drop(loan);
        assert_eq!(Arc::strong_count(&value), 2);
        drop(lent);
        assert_eq!(Arc::strong_count(&value), 1);
        drop(Loan::new(Arc::clone(&value)).unwrap());
        drop(Lent::own(Arc::clone(&value)).unwrap());
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
