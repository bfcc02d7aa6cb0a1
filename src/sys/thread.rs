//! Whether there are threads, and thread cancellation.
//!
//! Most system call wrappers of the C library are cancellation points, and the unwinding of a cancelled
//! thread ends the process when it meets a Rust frame. So no call of this library is one: a cancelled thread
//! ends at its next cancellation point outside.

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

unsafe extern "C" {
    // glibc 2.32; never written by us.
    static __libc_single_threaded: c_char;
    // POSIX; missing from the libc crate.
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

const DISABLE: c_int = 1;

/// Cancellation is put off while this lives.
pub(crate) struct Uncancelled {
    /// What to go back to; `None` if nobody is there who could cancel.
    before: Option<c_int>,
}

impl Uncancelled {
    #[inline]
    pub(crate) fn begin() -> Uncancelled {
        if single_threaded() {
            return Uncancelled { before: None };
        }
        let mut before = 0;
        // SAFETY: `before` lives through the call; the state is valid.
        let set = unsafe { pthread_setcancelstate(DISABLE, &mut before) };
        Uncancelled { before: (set == 0).then_some(before) }
    }
}

impl Drop for Uncancelled {
    #[inline]
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // SAFETY: the state is the one that was there; NULL for the old one is allowed on Linux
            // (pthread_setcancelstate(3)).
            unsafe { pthread_setcancelstate(before, ptr::null_mut()) };
        }
    }
}

/// Whether the C library knows of one thread only.
#[inline]
pub(crate) fn single_threaded() -> bool {
    // SAFETY: a byte that lives as long as the process; glibc changes it while only one thread runs, or
    // atomically.
    let flag = unsafe { AtomicU8::from_ptr((&raw const __libc_single_threaded).cast_mut().cast()) };
    flag.load(Ordering::Relaxed) != 0
}

/// Tells this thread from the others that there are; a forked child goes on with its parent's.
pub(crate) fn this_thread() -> usize {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::pthread_self() as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_before_comes_back() {
        let other = std::thread::spawn(|| {
            let state = || {
                let mut now = 0;
                // SAFETY: reads the state by setting it and putting it back.
                unsafe {
                    pthread_setcancelstate(DISABLE, &mut now);
                    pthread_setcancelstate(now, ptr::null_mut());
                }
                now
            };
            let before = state();
            let inside = {
                let _guard = Uncancelled::begin();
                state()
            };
            (before, inside, state())
        });
        assert_eq!(other.join().unwrap(), (0, DISABLE, 0));
    }
}
