//! Where the system has no futex that a program may rely on (NetBSD, macOS): short naps.
//!
//! A condition variable of the C library would need a mutex that a fork can leave locked, or in a state that the child
//! must not use. What is waited for here is a lock that is held for a few hundred instructions; or else work for a thread
//! that has none, which costs a thousand wake-ups a second, and up to a millisecond when there is some.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

const NAP: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Sleeps a little if the word is `value`.
pub(in crate::sys) fn wait(word: &AtomicU32, value: u32) {
    if word.load(Ordering::Acquire) == value {
        // SAFETY: reads the time, which is constant; what is left of it is not asked for.
        unsafe { libc::nanosleep(&NAP, ptr::null_mut()) };
    }
}

/// They wake by themselves.
pub(in crate::sys) fn wake(_: &AtomicU32, _: u32) {}
