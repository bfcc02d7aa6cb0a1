//! NetBSD and OpenBSD have no sendfile.

use crate::fd::Fd;
use crate::sys::system::wide::off_t;
use libc::iovec;
use nix::errno::Errno;

/// Whether [`sendfile_headed`] can be called.
pub(crate) const SENDFILE_HAS_HEADERS: bool = false;

/// In the words of Linux, "not this way": the caller reads and sends.
pub(in crate::sys) fn sendfile(_: Fd, _: Fd, _: off_t, _: usize) -> Result<usize, Errno> {
    Err(Errno::EINVAL)
}

/// As [`sendfile`].
pub(in crate::sys) fn sendfile_headed(_: Fd, _: &[iovec], _: Fd, _: off_t, _: usize) -> Result<usize, Errno> {
    Err(Errno::EINVAL)
}
