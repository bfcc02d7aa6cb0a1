//! sendfile(2) of macOS.

use crate::fd::Fd;
use crate::sys::count::{Call, count};
use crate::sys::system::moving::headed_by;
use crate::sys::system::wide::off_t;
use libc::iovec;
use nix::errno::Errno;
use std::ptr;

/// Whether [`sendfile_headed`] can be called.
pub(crate) const SENDFILE_HAS_HEADERS: bool = true;

/// See `message::sendfile`. `n` is not 0, which would be all of the file.
pub(in crate::sys) fn sendfile(out: Fd, file: Fd, off: off_t, n: usize) -> Result<usize, Errno> {
    sendfile_headed(out, &[], file, off, n)
}

/// See `message::sendfile_headed`.
pub(in crate::sys) fn sendfile_headed(
    out: Fd,
    headers: &[iovec],
    file: Fd,
    off: off_t,
    n: usize,
) -> Result<usize, Errno> {
    super::moving::keep_quiet(out);
    count(Call::Sendfile);
    let mut around = headed_by(headers);
    let around = if headers.is_empty() { ptr::null_mut() } else { &raw mut around };
    // In: bytes of the file, without the headers. Out: bytes of both that were sent.
    let mut moved = off_t::try_from(n).unwrap_or(off_t::MAX);
    // SAFETY: `moved` and the list, at most `GATHER_MAX` long, live through the call; the kernel checks the memory that
    // the list names.
    let r = unsafe { libc::sendfile(file.raw(), out.raw(), off, &mut moved, around, 0) };
    let all = n.saturating_add(headers.iter().map(|h| h.iov_len).sum());
    let moved = usize::try_from(moved).unwrap_or(0);
    match Errno::result(r) {
        Ok(_) => Ok(moved),
        // Only these say how far they came.
        Err(Errno::EAGAIN | Errno::EINTR) if moved > 0 && moved < all => Ok(moved),
        // Only sockets are sent to. In the words of Linux, "not this way".
        Err(Errno::ENOTSOCK | Errno::ENOTSUP | Errno::EOPNOTSUPP) => Err(Errno::EINVAL),
        Err(e) => Err(e),
    }
}
