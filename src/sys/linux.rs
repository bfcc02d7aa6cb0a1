//! System calls that only Linux has. `portable` has the same names for other systems.

pub(super) mod moving;

use super::cancel;
use super::count::{Call, count};
use super::sync::AtomicU32;
use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::ffi::{CStr, c_char, c_int};
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};

/// Lets a file of a 32-bit program grow past 2 GiB.
pub(crate) const O_LARGEFILE: c_int = libc::O_LARGEFILE;

/// Has poll(2) report that the peer has ended its stream.
pub(super) const POLL_RDHUP: u32 = libc::POLLRDHUP as u32;

/// See `sys`. It asks for the address of errno only once.
#[inline]
pub(crate) fn keep_errno<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: it has an address as long as the thread lives.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; nobody else uses it.
    let before = unsafe { *errno };
    let r = f();
    // SAFETY: as above.
    unsafe { *errno = before };
    r
}

/// A descriptor that is readable once eight bytes have been written to it, until they are read.
pub(crate) fn event_descriptor() -> Result<OwnedFd, Errno> {
    count(Call::Eventfd);
    EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map(OwnedFd::from)
}

unsafe extern "C" {
    // glibc and musl; missing from the libc crate for Linux.
    fn secure_getenv(name: *const c_char) -> *mut c_char;
}

/// An environment variable, or NULL if it is unset or the process has raised privileges.
pub(super) fn secure_variable(name: &CStr) -> *const c_char {
    // SAFETY: the name ends in a zero byte.
    unsafe { secure_getenv(name.as_ptr()) }
}

/// pipe2(2).
pub(super) fn pipe2(flags: c_int) -> Result<[c_int; 2], Errno> {
    let mut ends = [-1; 2];
    // SAFETY: room for the two numbers.
    Errno::result(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) })?;
    Ok(ends)
}

/// The size of a `malloc` block.
///
/// # Safety
/// `p` is the start of a live `malloc` block.
pub(super) unsafe fn usable(p: NonNull<u8>) -> usize {
    // SAFETY: the caller's promise.
    unsafe { libc::malloc_usable_size(p.as_ptr().cast()) }
}

/// Names the calling thread, as `top -H` shows it; at most 15 bytes.
pub(crate) fn set_name(name: &CStr) {
    // SAFETY: takes a string. A name is a courtesy, so its refusal is none.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
}

/// The kernel's number of the calling thread, which is never 0.
pub(super) fn thread_number() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// Sleeps until [`wake`] is called for `word`. Returns at once if `word` is not `value` any more.
pub(super) fn sleep_while(word: &AtomicU32, value: u32) {
    futex(word, libc::FUTEX_WAIT, value);
}

/// [`sleep_while`] as a cancellation point.
#[cold]
pub(super) fn sleep_while_cancellable(word: &AtomicU32, value: u32) {
    count(Call::Futex);
    // SAFETY: the word lives through the call.
    unsafe { cancel::futex_wait(word.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, value) };
}

/// Wakes up to `threads` of the threads that sleep on `word`.
pub(super) fn wake(word: &AtomicU32, threads: u32) {
    futex(word, libc::FUTEX_WAKE, threads);
}

/// futex(2), within the process. Errors are ignored, because the caller reads the word again anyway.
fn futex(word: &AtomicU32, operation: c_int, value: u32) {
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    count(Call::Futex);
    // SAFETY: the word lives through the call; without a timeout no other address is used.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, ptr::null::<libc::timespec>()) };
}

/// For a new child process. Nothing to do: the kernel knows of no sleeper in it.
pub(crate) fn in_child() {}
