//! sendfile(2) of FreeBSD and DragonFly.

use crate::fd::Fd;
use crate::sys::count::{Call, count};
use crate::sys::system::moving::headed_by;
use crate::sys::system::wide::off_t;
use libc::iovec;
use nix::errno::Errno;
use std::ptr;

/// Whether [`sendfile_headed`] can be called. DragonFly comes from a FreeBSD that counted the headers against the bytes
/// that are asked for; nobody has looked what it does today.
pub(crate) const SENDFILE_HAS_HEADERS: bool = cfg!(target_os = "freebsd");

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
    count(Call::Sendfile);
    let mut around = headed_by(headers);
    let around = if headers.is_empty() { ptr::null_mut() } else { &raw mut around };
    let mut sent: off_t = 0;
    // SAFETY: `sent` and the list, at most `GATHER_MAX` long, live through the call; the kernel checks the memory that
    // the list names.
    let r = unsafe { libc::sendfile(file.raw(), out.raw(), off, n, around, &mut sent, 0) };
    match (Errno::result(r), usize::try_from(sent)) {
        // With an error, too.
        (_, Ok(sent @ 1..)) => Ok(sent),
        (Ok(_), _) => Ok(0),
        // Only sockets are sent to. In the words of Linux, "not this way".
        (Err(Errno::ENOTSOCK | Errno::EOPNOTSUPP), _) => Err(Errno::EINVAL),
        (Err(e), _) => Err(e),
    }
}
