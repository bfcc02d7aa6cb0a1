//! Being told of forks, and a lock that a fork cannot leave behind locked.

use nix::errno::Errno;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Arranges for the three functions to run around every fork of the process: `before` and `parent` in the
/// forking process, `child` in the new one.
pub(crate) fn at_fork(
    before: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> Result<(), Errno> {
    // SAFETY: the functions are plain code of this library, which is never unloaded (-z nodelete).
    match unsafe { libc::pthread_atfork(Some(before), Some(parent), Some(child)) } {
        0 => Ok(()),
        e => Err(Errno::from_raw(e)),
    }
}

/// A mutex that the forking thread can hold across the fork, so that the child, which has no other thread
/// to unlock it, gets it unlocked and its contents whole.
pub(crate) struct ForkLock<T: 'static> {
    mutex: Mutex<T>,
    /// The guard of the thread that forks. Touched only by the thread that `holder` names.
    held: UnsafeCell<Option<MutexGuard<'static, T>>>,
    /// `pthread_self` of the thread between `hold` and `release`; 0 for none. A child keeps its value.
    holder: AtomicUsize,
}

// SAFETY: `mutex` is Sync for T: Send. `held` is written by the thread that has just locked `mutex`, and
// taken by the thread that `holder` names, which is the same: never two at once.
unsafe impl<T: Send> Sync for ForkLock<T> {}

impl<T> ForkLock<T> {
    pub(crate) const fn new(value: T) -> ForkLock<T> {
        ForkLock { mutex: Mutex::new(value), held: UnsafeCell::new(None), holder: AtomicUsize::new(0) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // A panic under the lock became an error code at the border; the next call goes on with what is there.
        self.mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks until this thread, or its copy in a child, calls [`ForkLock::release`].
    pub(crate) fn hold(&'static self) {
        let guard = self.lock();
        // SAFETY: we have the mutex, so nobody else is between hold and release.
        unsafe { *self.held.get() = Some(guard) };
        self.holder.store(this_thread(), Ordering::Relaxed);
    }

    /// Runs `f` on the contents and unlocks what [`ForkLock::hold`] locked in this thread.
    pub(crate) fn release(&'static self, f: impl FnOnce(&mut T)) {
        if self.holder.load(Ordering::Relaxed) != this_thread() {
            return;
        }
        self.holder.store(0, Ordering::Relaxed);
        // SAFETY: `holder` named this thread, so it wrote `held` and still has the mutex.
        if let Some(mut guard) = unsafe { (*self.held.get()).take() } {
            f(&mut guard);
        }
    }
}

fn this_thread() -> usize {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::pthread_self() as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    static LOCK: ForkLock<u32> = ForkLock::new(1);

    #[test]
    fn only_the_holder_releases() {
        LOCK.hold();
        let other = std::thread::spawn(|| {
            LOCK.release(|_| panic!("released by a stranger"));
            LOCK.mutex.try_lock().is_err()
        });
        assert!(other.join().unwrap());
        LOCK.release(|v| *v += 1);
        LOCK.release(|_| panic!("released twice"));
        assert_eq!(*LOCK.lock(), 2);
    }
}
