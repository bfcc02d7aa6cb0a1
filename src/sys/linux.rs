//! What Linux does in its own way.

use super::count::{Call, count};
use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::ffi::{CStr, c_char, c_int};
use std::os::fd::OwnedFd;

/// The error that means that this library met a bug of its own, and its name.
pub(crate) const A_BUG: (Errno, &str) = (Errno::ENOTRECOVERABLE, "ENOTRECOVERABLE");

/// Lets a file of a 32-bit program grow past 2 GiB.
pub(crate) const O_LARGEFILE: c_int = libc::O_LARGEFILE;

/// What poll(2) is asked for to learn that a peer writes no more.
pub(super) const POLL_RDHUP: u32 = libc::POLLRDHUP as u32;

/// Whether messages of this type carry descriptors besides `SCM_RIGHTS`: the pidfd of the sender, which a socket with
/// `SO_PASSPIDFD` delivers (`SCM_PIDFD`, for which libc has no name).
pub(super) fn carries_descriptors(message_type: c_int) -> bool {
    message_type == 4
}

/// Where the thread has its errno.
pub(super) fn errno_location() -> *mut c_int {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::__errno_location() }
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

/// A string of the environment, or NULL if there is none or the process runs with raised privilege.
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
