//! Descriptors of the library's own.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const AFTER_STANDARD_ERROR: RawFd = 3;

/// `fd`, which was just opened close-on-exec, under a number above those of standard input, output and error. In a
/// program that has closed one of these, what it prints would otherwise arrive in the library's descriptor.
pub(crate) fn above_standard(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    if fd.as_raw_fd() >= AFTER_STANDARD_ERROR {
        return Ok(fd);
    }
    let higher = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(AFTER_STANDARD_ERROR))?;
    // SAFETY: just opened, so nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(higher) })
}
