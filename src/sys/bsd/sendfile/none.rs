//! NetBSD and OpenBSD have no sendfile.

use crate::fd::Fd;
use crate::sys::system::wide::off_t;
use nix::errno::Errno;

/// In the words of Linux, "not this way": the caller reads and sends.
pub(in crate::sys) fn sendfile(_: Fd, _: Fd, _: off_t, _: usize) -> Result<usize, Errno> {
    Err(Errno::EINVAL)
}
