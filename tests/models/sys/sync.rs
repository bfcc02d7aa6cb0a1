//! In place of `src/sys/sync.rs`: loom's atomics, and a futex made of loom's mutex and condition variable.
//!
//! loom makes its objects anew for each run, so they cannot be made by a `const fn`: each is made at its first use,
//! which a model has to make before it starts threads. loom runs one thread at a time.

use loom::sync::{Condvar, Mutex};
use std::cell::OnceCell;
use std::sync::atomic::Ordering;

pub(crate) use loom::hint::spin_loop;
pub(crate) use loom::thread::yield_now;

pub(super) const LOOKS: u32 = 1;

/// One more look is no other order.
pub(super) const YIELDS: u32 = 0;

macro_rules! atomic {
    ($name:ident $(<$t:ident>)?, $loom:ty, $value:ty) => {
        pub(crate) struct $name $(<$t>)? {
            first: $value,
            made: OnceCell<$loom>,
        }

        // SAFETY: loom runs one thread at a time.
        unsafe impl $(<$t>)? Sync for $name $(<$t>)? {}
        // SAFETY: as above.
        unsafe impl $(<$t>)? Send for $name $(<$t>)? {}

        #[allow(dead_code, reason = "each protocol uses some")]
        impl $(<$t>)? $name $(<$t>)? {
            pub(crate) const fn new(first: $value) -> Self {
                Self { first, made: OnceCell::new() }
            }

            fn it(&self) -> &$loom {
                self.made.get_or_init(|| <$loom>::new(self.first))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.it().load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.it().store(value, order)
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.it().swap(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.it().compare_exchange(old, new, success, failure)
            }
        }
    };
}

atomic!(AtomicPtr<T>, loom::sync::atomic::AtomicPtr<T>, *mut T);
atomic!(AtomicUsize, loom::sync::atomic::AtomicUsize, usize);
atomic!(Word, loom::sync::atomic::AtomicU32, u32);

impl AtomicUsize {
    pub(crate) fn fetch_or(&self, bits: usize, order: Ordering) -> usize {
        self.it().fetch_or(bits, order)
    }

    pub(crate) fn fetch_and(&self, bits: usize, order: Ordering) -> usize {
        self.it().fetch_and(bits, order)
    }
}

/// With its queue of sleepers in the kernel.
pub(crate) struct AtomicU32 {
    word: Word,
    queue: OnceCell<(Mutex<()>, Condvar)>,
}

// SAFETY: loom runs one thread at a time.
unsafe impl Sync for AtomicU32 {}
// SAFETY: as above.
unsafe impl Send for AtomicU32 {}

impl AtomicU32 {
    pub(crate) const fn new(value: u32) -> AtomicU32 {
        AtomicU32 { word: Word::new(value), queue: OnceCell::new() }
    }

    pub(crate) fn fetch_add(&self, n: u32, order: Ordering) -> u32 {
        self.word.it().fetch_add(n, order)
    }

    fn queue(&self) -> &(Mutex<()>, Condvar) {
        self.queue.get_or_init(|| (Mutex::new(()), Condvar::new()))
    }
}

impl std::ops::Deref for AtomicU32 {
    type Target = Word;

    fn deref(&self) -> &Word {
        &self.word
    }
}

pub(super) fn sleep_while(word: &AtomicU32, value: u32) {
    let (lock, wakes) = word.queue();
    let held = lock.lock().unwrap();
    if word.load(Ordering::Relaxed) == value {
        drop(wakes.wait(held).unwrap());
    }
}

pub(super) fn wake_one(word: &AtomicU32) {
    let (lock, wakes) = word.queue();
    let _held = lock.lock().unwrap();
    wakes.notify_one();
}

/// One or all: who is woken for no reason looks again.
pub(super) fn wake(word: &AtomicU32, threads: u32) {
    let (lock, wakes) = word.queue();
    let _held = lock.lock().unwrap();
    match threads {
        0 => {}
        1 => wakes.notify_one(),
        _ => wakes.notify_all(),
    }
}

/// Nobody is cancelled here.
pub(super) use sleep_while as sleep_while_cancellable;
