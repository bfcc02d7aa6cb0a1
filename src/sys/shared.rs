//! A value that several threads share, dropped with the last share: `Arc` that returns an error if memory is short.

use super::mem;
use nix::errno::Errno;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

pub(crate) struct Shared<T>(NonNull<Counted<T>>);

struct Counted<T> {
    shares: AtomicUsize,
    value: T,
}

// SAFETY: as for `Arc`: shares are counted atomically, any thread may look at the value, and the one that drops the
// last share drops the value.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Result<Shared<T>, Errno> {
        let counted = mem::boxed(Counted { shares: AtomicUsize::new(1), value })?;
        Ok(Shared(NonNull::from(Box::leak(counted))))
    }

    /// Whether both are shares of one value.
    pub(crate) fn is(&self, other: &Shared<T>) -> bool {
        self.0 == other.0
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: this share keeps it alive.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        // It cannot overflow: there are at most as many shares as threads, and one more.
        self.counted().shares.fetch_add(1, Ordering::Relaxed);
        Shared(self.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.counted().shares.fetch_sub(1, Ordering::Release) == 1 {
            // What other threads did with the value must happen before its drop.
            fence(Ordering::Acquire);
            // SAFETY: it came from a box, and this was the last share.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn the_last_share_drops_the_value_once() {
        let value = Arc::new(());
        let share = Shared::new(Arc::clone(&value)).unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let share = share.clone();
                thread::spawn(move || assert!(Arc::strong_count(&share) >= 2))
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(Arc::strong_count(&value), 2);
        drop(share);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
