//! A value that is set once and then read by any thread: `OnceLock` without its panics.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU8, Ordering};

const EMPTY: u8 = 0;
/// A thread is writing the value.
const TAKEN: u8 = 1;
const SET: u8 = 2;

pub(crate) struct Once<T> {
    state: AtomicU8,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is written by the one thread that took the cell, before others see that it is set; then it is
// only read. It may be dropped by another thread than the one that made it.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    pub(crate) const fn new() -> Once<T> {
        Once { state: AtomicU8::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: it is set, and nobody writes it any more.
        (self.state.load(Ordering::Acquire) == SET).then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// Sets the value. If one is set already, or another thread is setting one, returns it.
    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        if self.state.compare_exchange(EMPTY, TAKEN, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Err(value);
        }
        // SAFETY: only this thread found the cell empty, and nobody reads it before it is set.
        unsafe { (*self.value.get()).write(value) };
        self.state.store(SET, Ordering::Release);
        Ok(())
    }
}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        if *self.state.get_mut() == SET {
            // SAFETY: it is set, and nobody has a reference to it any more.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_first_value_stays_and_is_dropped_once() {
        let (first, second) = (Arc::new(1), Arc::new(2));
        let once = Once::new();
        assert!(once.get().is_none());
        assert!(once.set(Arc::clone(&first)).is_ok());
        assert_eq!(once.set(second), Err(Arc::new(2)));
        assert_eq!(once.get(), Some(&first));
        drop(once);
        assert_eq!(Arc::strong_count(&first), 1);
        drop(Once::<Arc<u8>>::new());
    }
}
