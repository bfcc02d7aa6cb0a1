//! sendfile(2) of macOS. Its headers and trailers are not used: what stands around a file goes with sendmsg, as on Linux.

use crate::fd::Fd;
use crate::sys::count::{Call, count};
use crate::sys::system::wide::off_t;
use nix::errno::Errno;
use std::ptr;

/// See `message::sendfile`. `n` is not 0, which would be all of the file.
pub(in crate::sys) fn sendfile(out: Fd, file: Fd, off: off_t, n: usize) -> Result<usize, Errno> {
    super::moving::keep_quiet(out);
    count(Call::Sendfile);
    let mut moved = off_t::try_from(n).unwrap_or(off_t::MAX);
    // SAFETY: `moved` lives through the call: what to send, and what was sent.
    let r = unsafe { libc::sendfile(file.raw(), out.raw(), off, &mut moved, ptr::null_mut(), 0) };
    let moved = usize::try_from(moved).unwrap_or(0);
    match Errno::result(r) {
        Ok(_) => Ok(moved),
        // Only these say how far they came.
        Err(Errno::EAGAIN | Errno::EINTR) if moved > 0 && moved < n => Ok(moved),
        // Only sockets are sent to. In the words of Linux, "not this way".
        Err(Errno::ENOTSOCK | Errno::ENOTSUP | Errno::EOPNOTSUPP) => Err(Errno::EINVAL),
        Err(e) => Err(e),
    }
}
