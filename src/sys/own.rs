//! System calls on the library's own descriptors.

use super::count::{Call, count};
use super::thread::Uncancelled;
use crate::fd::Fd;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const AFTER_STANDARD_ERROR: RawFd = 3;

/// Takes over a number that the kernel has just returned. Unlike the conversion of the standard library, it returns an error
/// for a negative number and does not panic.
///
/// # Safety
/// It was just opened, so that nobody else has it.
pub(crate) unsafe fn owner(number: RawFd) -> Result<OwnedFd, Errno> {
    if number < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

// These are not declared as cancellation points, because the event loop calls them under its lock.

/// read(2) from a descriptor of the library's own.
pub(crate) fn read(fd: Fd, room: &mut [u8]) {
    count(Call::Read);
    let _uncancelled = Uncancelled::begin();
    // SAFETY: pointer and length describe `room`. Nothing to read means that another thread was faster.
    unsafe { libc::read(fd.raw(), room.as_mut_ptr().cast(), room.len()) };
}

/// write(2) to a descriptor of the library's own, which takes all of it or is full.
pub(crate) fn write(fd: Fd, bytes: &[u8]) {
    count(Call::Write);
    let _uncancelled = Uncancelled::begin();
    // SAFETY: pointer and length describe `bytes`.
    unsafe { libc::write(fd.raw(), bytes.as_ptr().cast(), bytes.len()) };
}

/// close(2) of a descriptor of the library's own. The number is free even if it fails.
pub(crate) fn close(fd: Fd) {
    count(Call::Close);
    let _uncancelled = Uncancelled::begin();
    // SAFETY: it is ours, as the caller has confirmed.
    unsafe { libc::close(fd.raw()) };
}

/// Moves `fd`, which was just opened close-on-exec, to a number above standard error. Otherwise, in a program that has
/// closed standard output, its output would go to the library's descriptor.
pub(crate) fn above_standard(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    if fd.as_raw_fd() >= AFTER_STANDARD_ERROR {
        return Ok(fd);
    }
    // SAFETY: no pointer is passed. (nix's wrapper allocates for other commands, and can panic.)
    let higher = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, AFTER_STANDARD_ERROR) };
    let higher = Errno::result(higher)?;
    // SAFETY: just opened.
    unsafe { owner(higher) }
}
