//! sendfile(2) of FreeBSD and DragonFly. Its headers and trailers are not used: what stands around a file goes with
//! sendmsg, as on Linux.

use crate::fd::Fd;
use crate::sys::count::{Call, count};
use crate::sys::system::wide::off_t;
use nix::errno::Errno;
use std::ptr;

/// See `message::sendfile`. `n` is not 0, which would be all of the file.
pub(in crate::sys) fn sendfile(out: Fd, file: Fd, off: off_t, n: usize) -> Result<usize, Errno> {
    count(Call::Sendfile);
    let mut sent: off_t = 0;
    // SAFETY: `sent` lives through the call.
    let r = unsafe { libc::sendfile(file.raw(), out.raw(), off, n, ptr::null_mut(), &mut sent, 0) };
    match (Errno::result(r), usize::try_from(sent)) {
        // With an error, too.
        (_, Ok(sent @ 1..)) => Ok(sent),
        (Ok(_), _) => Ok(0),
        // Only sockets are sent to. In the words of Linux, "not this way".
        (Err(Errno::ENOTSOCK | Errno::EOPNOTSUPP), _) => Err(Errno::EINVAL),
        (Err(e), _) => Err(e),
    }
}
