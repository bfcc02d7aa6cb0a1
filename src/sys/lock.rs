//! The lock of the library's state. It costs little in a program with one thread, and does not hinder a fork.
//!
//! The mutex of the standard library costs several times what it guards here: it checks for panics, and uses atomic
//! operations even if there is one thread. This one locks nothing while the C library says that there is only one thread
//! (`__libc_single_threaded`). No second thread can appear while the lock is held, unless the holder starts one
//! ([`ForkLock::lock_marked`]).
//!
//! # Forks
//!
//! No fork handler takes the lock. A handler of the program may need it, before or after ours, and a fork in a signal
//! handler may have interrupted the thread that holds it. Instead the child checks who had the lock
//! ([`ForkLock::in_child`]). If it was the thread that forked, that goes on in the child and unlocks. Any other thread is not
//! in the child, so the lock is free, and the child repairs what may be half changed.

use super::sync::{AtomicU32, LOOKS, YIELDS, sleep_while, spin_loop, wake_one, yield_now};
use super::thread::{single_threaded, this_thread};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const FREE: u32 = 0;
/// Held by the only thread.
const HELD: u32 = 2;
/// A bit beside the holder's mark: a thread may be asleep on the lock.
const WAITED_FOR: u32 = 1;

/// A mutex. A panic under the lock unlocks it: the guard turns the panic into an error code, and the next call goes on with
/// the state as it is.
///
/// With `MARKS` the word is written even if there is one thread, so that a signal handler can tell that it has interrupted
/// the holder.
pub(crate) struct ForkLock<T, const MARKS: bool = false> {
    /// [`FREE`], or the mark of the thread that holds it.
    word: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, of which there is one at a time, so a value that may move
// between threads may be shared in here.
unsafe impl<T: Send, const MARKS: bool> Sync for ForkLock<T, MARKS> {}

/// The right to the value. It is as shareable as an exclusive reference.
pub(crate) struct Guard<'a, T, const MARKS: bool = false> {
    lock: &'a ForkLock<T, MARKS>,
    /// Whether the lock's word says that it is held.
    is_marked: bool,
    value: PhantomData<&'a mut T>,
}

/// The mark of the calling thread. It is unique among living threads, because their control blocks are more than 64 bytes
/// apart.
#[inline(always)]
fn mark() -> u32 {
    (this_thread() >> 5) as u32 & !WAITED_FOR | HELD
}

impl<T, const MARKS: bool> ForkLock<T, MARKS> {
    pub(crate) const fn new(value: T) -> ForkLock<T, MARKS> {
        ForkLock { word: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T, MARKS> {
        self.try_lock().unwrap_or_else(|| {
            self.lock_later();
            self.guard(true)
        })
    }

    /// Takes the lock, unless somebody has it.
    #[inline(always)]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T, MARKS>> {
        if !single_threaded() {
            return self
                .word
                .compare_exchange(FREE, mark(), Acquire, Relaxed)
                .is_ok()
                .then(|| self.guard(true));
        }
        let is_free = self.word.load(Relaxed) == FREE;
        if MARKS && is_free {
            self.word.store(HELD, Relaxed);
        }
        (!MARKS || is_free).then(|| self.guard(MARKS))
    }

    /// Takes the lock so that it excludes also threads which the caller is about to start.
    pub(crate) fn lock_marked(&self) -> Guard<'_, T, MARKS> {
        if self.word.compare_exchange(FREE, mark(), Acquire, Relaxed).is_err() {
            self.lock_later();
        }
        self.guard(true)
    }

    /// For the holder of the lock.
    #[inline(always)]
    fn guard(&self, is_marked: bool) -> Guard<'_, T, MARKS> {
        Guard { lock: self, is_marked, value: PhantomData }
    }

    #[cold]
    fn lock_later(&self) {
        let mark = mark();
        for _ in 0..LOOKS {
            if self.word.load(Relaxed) == FREE
                && self.word.compare_exchange(FREE, mark, Acquire, Relaxed).is_ok()
            {
                return;
            }
            spin_loop();
        }
        // Yield before sleeping. A holder that was preempted then goes on at once. If this thread slept, the holder would
        // be preempted again by the wake-up when it unlocks, in the middle of its work.
        for _ in 0..YIELDS {
            yield_now();
            if self.word.load(Relaxed) == FREE
                && self.word.compare_exchange(FREE, mark, Acquire, Relaxed).is_ok()
            {
                return;
            }
        }
        loop {
            let word = self.word.load(Relaxed);
            // A thread that has slept takes the lock with this bit, because others may still be asleep.
            if word == FREE {
                if self.word.compare_exchange(FREE, mark | WAITED_FOR, Acquire, Relaxed).is_ok() {
                    return;
                }
            } else if word & WAITED_FOR != 0
                || self.word.compare_exchange(word, word | WAITED_FOR, Relaxed, Relaxed).is_ok()
            {
                sleep_while(&self.word, word | WAITED_FOR);
            }
        }
    }

    #[inline(always)]
    fn unlock(&self) {
        if self.word.swap(FREE, Release) & WAITED_FOR != 0 {
            self.wake();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake(&self) {
        wake_one(&self.word);
    }

    /// For a new child process. Calls `adopt` with the contents, and whether another thread of the parent may have left them
    /// half changed. Does not call it if this thread holds the lock: then a signal handler has forked.
    pub(crate) fn in_child(&self, adopt: impl FnOnce(&mut T, bool)) {
        let word = self.word.load(Relaxed);
        let holder = word & !WAITED_FOR;
        if word != FREE && (holder == HELD || holder == mark()) {
            // No other thread can be waiting.
            return self.word.store(holder, Relaxed);
        }
        self.word.store(mark(), Relaxed);
        adopt(&mut self.guard(true), word != FREE);
    }
}

impl<T> ForkLock<T> {
    /// Calls `f` under the lock, unless somebody has it. For fast paths: with one thread there is a copy of `f` of its own,
    /// with nothing to unlock. The result is passed through the call that wakes a waiter, so that no register is saved.
    #[inline(always)]
    pub(crate) fn try_with<R>(&self, f: impl Fn(&mut T) -> R) -> Option<R> {
        if single_threaded() {
            return Some(f(&mut self.guard(false)));
        }
        self.word.compare_exchange(FREE, mark(), Acquire, Relaxed).ok()?;
        let mut guard = self.guard(true);
        let r = f(&mut guard);
        std::mem::forget(guard);
        if self.word.swap(FREE, Release) & WAITED_FOR == 0 { Some(r) } else { Some(self.wake_and_return(r)) }
    }

    #[cold]
    #[inline(never)]
    fn wake_and_return<R>(&self, r: R) -> R {
        wake_one(&self.word);
        r
    }
}

impl<T, const MARKS: bool> Deref for Guard<'_, T, MARKS> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard is made by the one who has just locked, and unlocks when it goes: there is no other.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T, const MARKS: bool> DerefMut for Guard<'_, T, MARKS> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this guard is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T, const MARKS: bool> Drop for Guard<'_, T, MARKS> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.is_marked {
            self.lock.unlock();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_child_keeps_the_lock_of_the_thread_that_forked_and_frees_that_of_another() {
        static LOCK: ForkLock<u32> = ForkLock::new(1);
        let mut adopted = Vec::new();
        LOCK.in_child(|v, torn| adopted.push((*v, torn)));
        let own = LOCK.lock();
        LOCK.in_child(|_, _| panic!("adopted what this thread is changing"));
        drop(own);
        thread::spawn(|| std::mem::forget(LOCK.lock())).join().unwrap();
        LOCK.in_child(|v, torn| adopted.push((*v, torn)));
        assert_eq!(adopted, [(1, false), (1, true)]);
        assert_eq!(*LOCK.lock(), 1);
    }

    #[test]
    fn only_one_thread_at_a_time_holds_the_lock() {
        static LOCK: ForkLock<[u64; 2]> = ForkLock::new([0; 2]);
        const ROUNDS: u64 = 20_000;
        let add = || {
            for round in 0..ROUNDS {
                let mut v = LOCK.lock();
                assert_eq!(v[0], v[1], "changed half-way");
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
    fn trying_a_lock_that_is_held_does_not_wait() {
        static LOCK: ForkLock<u32> = ForkLock::new(0);
        let held = LOCK.try_lock();
        assert!(held.is_some() && LOCK.try_lock().is_none());
        drop(held);
        assert!(LOCK.try_lock().is_some());
    }

    #[test]
    fn a_panic_under_the_lock_unlocks_it() {
        static LOCK: ForkLock<u32> = ForkLock::new(0);
        let panicking = thread::spawn(|| {
            let _guard = LOCK.lock();
            panic!("on purpose");
        });
        assert!(panicking.join().is_err());
        assert!(LOCK.try_lock().is_some());
    }
}
