//! The functions of `linux` for other systems, from POSIX calls.

pub(super) mod moving;

use super::cancel;
use super::count::{Call, count};
use super::own::owner;
use super::sync::AtomicU32;
use super::thread::Uncancelled;
use libc::{PTHREAD_COND_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, pthread_cond_t, pthread_mutex_t};
use nix::errno::Errno;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

/// File positions have 64 bits without it.
pub(crate) const O_LARGEFILE: c_int = 0;

/// Has poll(2) report that the peer has ended its stream, where the system can.
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
pub(super) const POLL_RDHUP: u32 = libc::POLLRDHUP as u32;
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
pub(super) const POLL_RDHUP: u32 = 0;

/// An environment variable, or NULL if it is unset or the process has raised privileges.
pub(super) fn secure_variable(name: &CStr) -> *const c_char {
    // SAFETY: these take nothing and cannot fail.
    let is_raised = unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() };
    if is_raised {
        return ptr::null();
    }
    // SAFETY: the name ends in a zero byte.
    unsafe { libc::getenv(name.as_ptr()) }
}

/// See `sys`.
#[inline]
pub(crate) fn keep_errno<R>(f: impl FnOnce() -> R) -> R {
    let before = Errno::last_raw();
    let r = f();
    Errno::set_raw(before);
    r
}

/// pipe2(2), which not all systems have, for the flags `O_CLOEXEC` and `O_NONBLOCK`. A program that another thread executes
/// at the same time may inherit the ends.
pub(super) fn pipe2(flags: c_int) -> Result<[c_int; 2], Errno> {
    let mut ends = [-1; 2];
    // SAFETY: room for the two numbers.
    Errno::result(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
    let [read, write] = ends;
    // SAFETY: the kernel has just opened both for us.
    let ends = unsafe { [owner(read)?, owner(write)?] };
    for end in &ends {
        control(end.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC)?;
        control(end.as_raw_fd(), libc::F_SETFL, flags & libc::O_NONBLOCK)?;
    }
    Ok(ends.map(IntoRawFd::into_raw_fd))
}

fn control(fd: c_int, command: c_int, flags: c_int) -> Result<(), Errno> {
    count(Call::Fcntl);
    // SAFETY: no pointer is passed.
    Errno::result(unsafe { libc::fcntl(fd, command, flags) }).map(drop)
}

/// The size of a `malloc` block. It is not known here, so the result is 0.
///
/// # Safety
/// None is needed here.
pub(super) unsafe fn usable(_: NonNull<u8>) -> usize {
    0
}

/// Threads have no names.
pub(crate) fn set_name(_: &CStr) {}

/// A number for the calling thread, which is never 0: threads are counted as they ask.
pub(super) fn thread_number() -> u32 {
    static ASKED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    ASKED.fetch_add(1, Ordering::Relaxed) + 1
}

/// The place where threads sleep, whatever their word.
struct Bed {
    mutex: UnsafeCell<pthread_mutex_t>,
    changed: UnsafeCell<pthread_cond_t>,
}

// SAFETY: both are made to be used by several threads.
unsafe impl Sync for Bed {}

static BED: Bed = Bed {
    mutex: UnsafeCell::new(PTHREAD_MUTEX_INITIALIZER),
    changed: UnsafeCell::new(PTHREAD_COND_INITIALIZER),
};

/// Sleeps until [`wake`] is called. Returns at once if `word` is not `value` any more. May return without a reason.
#[cold]
pub(super) fn sleep_while(word: &AtomicU32, value: u32) {
    let _uncancelled = Uncancelled::begin();
    sleep_while_cancellable(word, value);
}

/// [`sleep_while`] as a cancellation point.
#[cold]
pub(super) fn sleep_while_cancellable(word: &AtomicU32, value: u32) {
    /// Unlocks the mutex, which a thread that is cancelled in the wait holds again.
    struct Locked;
    impl Drop for Locked {
        fn drop(&mut self) {
            // SAFETY: it was initialised, and this thread has locked it.
            unsafe { libc::pthread_mutex_unlock(BED.mutex.get()) };
        }
    }
    // SAFETY: it was initialised.
    unsafe { libc::pthread_mutex_lock(BED.mutex.get()) };
    let _locked = Locked;
    if word.load(Ordering::Acquire) == value {
        // SAFETY: both were initialised, and this thread has the mutex.
        unsafe { cancel::pthread_cond_wait(BED.changed.get(), BED.mutex.get()) };
    }
}

/// Wakes all threads that sleep, on any word. It is rare that any do.
#[cold]
pub(super) fn wake(_: &AtomicU32, _: u32) {
    // SAFETY: as above. The mutex is taken so that nobody is between looking at the word and sleeping.
    unsafe {
        libc::pthread_mutex_lock(BED.mutex.get());
        libc::pthread_cond_broadcast(BED.changed.get());
        libc::pthread_mutex_unlock(BED.mutex.get());
    }
}

/// For a new child process. The threads that held the mutex or slept are not in it.
pub(crate) fn in_child() {
    // SAFETY: there is no other thread. One that a signal handler has interrupted in `wake` unlocks a mutex that is
    // free, which the systems bear.
    unsafe {
        *BED.mutex.get() = PTHREAD_MUTEX_INITIALIZER;
        *BED.changed.get() = PTHREAD_COND_INITIALIZER;
    }
}
