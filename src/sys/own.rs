//! Descriptors of the library's own.

use nix::errno::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const AFTER_STANDARD_ERROR: RawFd = 3;

/// The owner of a number that the kernel has just handed out. That it is none is an error and not a panic, which the
/// standard library's own conversion has.
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

/// `fd`, which was just opened close-on-exec, under a number above those of standard input, output and error. In a
/// program that has closed one of these, what it prints would otherwise arrive in the library's descriptor.
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
