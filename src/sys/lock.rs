//! The lock of the library's state: cheap for a program of one thread, and never left locked by a fork.
//!
//! A lock of our own because the one of the standard library costs several times what it guards here: it asks
//! for panics in flight, and takes atomic operations where there is nobody to race with. While the C library
//! says that only one thread exists (`__libc_single_threaded`), plain loads and stores do. No thread can appear
//! while the lock is held: the holder calls nothing that could start one.

use super::sync::{AtomicU32, AtomicUsize, LOOKS, sleep_while, spin_loop, wake_one};
use super::thread::{short_ways_are_open, single_threaded, this_thread};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may be asleep over it.
const WAITED_FOR: u32 = 2;

/// A mutex that the forking thread can hold across the fork, so that the child, which has no other thread
/// to unlock it, gets it unlocked and its contents whole.
///
/// A panic under the lock unlocks it: the panic became an error code at the border, and the next call goes on
/// with what is there.
pub(crate) struct ForkLock<T> {
    word: AtomicU32,
    /// `pthread_self` of the thread between `hold` and `release`; 0 for none. A child keeps its value.
    holder: AtomicUsize,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, of which there is one at a time, so a value that may move
// between threads may be shared in here.
unsafe impl<T: Send> Sync for ForkLock<T> {}

/// The right to the value; as shareable as an exclusive reference to it.
pub(crate) struct Guard<'a, T> {
    lock: &'a ForkLock<T>,
    value: PhantomData<&'a mut T>,
}

impl<T> ForkLock<T> {
    pub(crate) const fn new(value: T) -> ForkLock<T> {
        ForkLock { word: AtomicU32::new(FREE), holder: AtomicUsize::new(0), value: UnsafeCell::new(value) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        if single_threaded() && self.word.load(Relaxed) == FREE {
            self.word.store(HELD, Relaxed);
        } else if self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_err() {
            self.lock_later();
        }
        self.guard()
    }

    /// For the holder of the lock.
    #[inline]
    fn guard(&self) -> Guard<'_, T> {
        Guard { lock: self, value: PhantomData }
    }

    /// The lock, unless somebody has it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok().then(|| self.guard())
    }

    /// [`ForkLock::lock`] for a program of one thread; `None` if there are more, or if all is to go the long ways. With nobody to keep out nothing is
    /// locked: the library calls no function of the program while it holds the lock, so nothing can come in between.
    /// So short that a caller which does nothing but look something up needs no stack frame.
    #[inline(always)]
    pub(crate) fn lock_alone(&self) -> Option<Alone<'_, T>> {
        short_ways_are_open().then(|| {
            debug_assert_eq!(self.word.load(Relaxed), FREE);
            Alone { lock: self, value: PhantomData }
        })
    }

    #[cold]
    fn lock_later(&self) {
        for _ in 0..LOOKS {
            if self.word.load(Relaxed) == FREE
                && self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()
            {
                return;
            }
            spin_loop();
        }
        while self.word.swap(WAITED_FOR, Acquire) != FREE {
            sleep_while(&self.word, WAITED_FOR);
        }
    }

    #[inline]
    fn unlock(&self) {
        if single_threaded() {
            self.word.store(FREE, Relaxed);
        } else if self.word.swap(FREE, Release) == WAITED_FOR {
            wake_one(&self.word);
        }
    }

    /// Locks until this thread, or its copy in a child, calls [`ForkLock::release`]; once, however often it is called.
    pub(crate) fn hold(&self) {
        if self.holder.load(Relaxed) != this_thread() {
            std::mem::forget(self.lock());
            self.holder.store(this_thread(), Relaxed);
        }
    }

    /// Runs `f` on the contents and unlocks what [`ForkLock::hold`] locked in this thread.
    pub(crate) fn release(&self, f: impl FnOnce(&mut T)) {
        if self.holder.load(Relaxed) == this_thread() {
            self.holder.store(0, Relaxed);
            f(&mut self.guard());
        }
    }

    #[cfg(all(test, not(loom)))]
    fn is_held(&self) -> bool {
        self.word.load(Relaxed) != FREE
    }
}

/// A [`Guard`] in a program of one thread, which stays so until the guard goes: its holder starts none.
pub(crate) struct Alone<'a, T> {
    lock: &'a ForkLock<T>,
    value: PhantomData<&'a mut T>,
}

impl<T> Deref for Alone<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: as for `Guard`.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Alone<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `Guard`.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard is made by the one who has just locked, and unlocks when it goes: there is no other.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this guard is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.unlock();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn only_the_holder_releases() {
        static LOCK: ForkLock<u32> = ForkLock::new(1);
        LOCK.hold();
        LOCK.hold();
        thread::spawn(|| LOCK.release(|_| panic!("released by a stranger"))).join().unwrap();
        assert!(LOCK.is_held());
        LOCK.release(|v| *v += 1);
        LOCK.release(|_| panic!("released twice"));
        assert_eq!(*LOCK.lock(), 2);
    }

    #[test]
    fn threads_take_turns() {
        static LOCK: ForkLock<[u64; 2]> = ForkLock::new([0; 2]);
        const ROUNDS: u64 = 20_000;
        let add = || {
            for round in 0..ROUNDS {
                let mut v = LOCK.lock();
                assert_eq!(v[0], v[1], "seen half-way");
                v[0] += 1;
                if round % 1000 == 0 {
                    thread::yield_now();
                }
                v[1] += 1;
            }
        };
        let others: Vec<_> = (0..4).map(|_| thread::spawn(add)).collect();
        others.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(*LOCK.lock(), [4 * ROUNDS; 2]);
    }

    #[test]
    fn nobody_waits_for_what_is_only_tried() {
        static LOCK: ForkLock<u32> = ForkLock::new(0);
        let held = LOCK.try_lock();
        assert!(held.is_some() && LOCK.try_lock().is_none());
        drop(held);
        assert!(LOCK.try_lock().is_some());
    }

    #[test]
    fn a_panic_unlocks() {
        static LOCK: ForkLock<u32> = ForkLock::new(0);
        let panicking = thread::spawn(|| {
            let _guard = LOCK.lock();
            panic!("on purpose");
        });
        assert!(panicking.join().is_err());
        assert!(!LOCK.is_held());
    }
}
