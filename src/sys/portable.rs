//! The names of `linux` from what POSIX says and all systems have.

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

/// Files have positions of 64 bits without it.
pub(crate) const O_LARGEFILE: c_int = 0;

/// What poll(2) is asked for to learn that a peer writes no more, where it can be asked.
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
pub(super) const POLL_RDHUP: u32 = libc::POLLRDHUP as u32;
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
pub(super) const POLL_RDHUP: u32 = 0;

/// A string of the environment, or NULL if there is none or the process runs with raised privilege.
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

/// pipe2(2), which not all have. Of the flags, `O_CLOEXEC` and `O_NONBLOCK`. A program that another thread executes
/// meanwhile inherits the ends.
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

/// No system call says how many bytes a `malloc` block has: no more than are used.
///
/// # Safety
/// None is needed here.
pub(super) unsafe fn usable(_: NonNull<u8>) -> usize {
    0
}

/// Threads have no names.
pub(crate) fn set_name(_: &CStr) {}

/// The calling thread's number, for people: threads are counted as they ask. Never 0.
pub(super) fn thread_number() -> u32 {
    static ASKED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    ASKED.fetch_add(1, Ordering::Relaxed) + 1
}

/// Where threads sleep over any word.
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

/// Sleeps until [`wake`] is called, unless the word is not `value` any more. May return for no reason.
#[cold]
pub(super) fn sleep_while(word: &AtomicU32, value: u32) {
    let _uncancelled = Uncancelled::begin();
    sleep_while_cancellable(word, value);
}

/// [`sleep_while`] as a cancellation point.
#[cold]
pub(super) fn sleep_while_cancellable(word: &AtomicU32, value: u32) {
    /// A thread that is cancelled has the mutex again.
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

/// Wakes those who sleep over `word`, and all others: it is rare that any do.
#[cold]
pub(super) fn wake(_: &AtomicU32, _: u32) {
    // SAFETY: as above. The mutex is taken so that nobody is between looking at the word and sleeping.
    unsafe {
        libc::pthread_mutex_lock(BED.mutex.get());
        libc::pthread_cond_broadcast(BED.changed.get());
        libc::pthread_mutex_unlock(BED.mutex.get());
    }
}

/// In a new child process, by its one thread: whoever had the mutex in the parent, or slept, is not here.
pub(crate) fn in_child() {
    // SAFETY: there is no other thread. One that a signal handler has interrupted in `wake` unlocks a mutex that is
    // free, which the systems bear.
    unsafe {
        *BED.mutex.get() = PTHREAD_MUTEX_INITIALIZER;
        *BED.changed.get() = PTHREAD_COND_INITIALIZER;
    }
}
