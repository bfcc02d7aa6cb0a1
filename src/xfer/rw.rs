//! One read or write on a descriptor that does not wait, or is meant to.

use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::interest::Interest;
use crate::outcome::Outcome;
use crate::sys::bytes;
use crate::sys::poll::until_ready;
use crate::xfer::sigpipe::quietly;
use nix::errno::Errno;

/// read(2) on a descriptor in non-blocking mode.
pub(crate) fn read(fd: Fd, t: Target) -> Outcome {
    Ok(bytes::read(fd, t)?)
}

/// write(2) on a descriptor in non-blocking mode.
pub(crate) fn write(fd: Fd, s: Source) -> Outcome {
    Ok(quietly(|| bytes::write(fd, s))?)
}

/// read(2) that waits in either mode. A signal ends it with `EINTR`.
pub(crate) fn wait_read(fd: Fd, t: Target) -> Result<usize, Errno> {
    patiently(fd, Interest::READ, Ok(0), || bytes::read(fd, t))
}

/// write(2) that waits in either mode. A signal ends it with `EINTR`.
pub(crate) fn wait_write(fd: Fd, s: Source) -> Result<usize, Errno> {
    patiently(fd, Interest::WRITE, Err(Errno::EPIPE), || quietly(|| bytes::write(fd, s)))
}

/// A Unix datagram socket that is shut down says "again" for ever in non-blocking mode: that is `the_end`.
fn patiently(
    fd: Fd,
    interest: Interest,
    the_end: Result<usize, Errno>,
    once: impl Fn() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut is_shut = false;
    loop {
        match once() {
            Err(Errno::EAGAIN) if is_shut => return the_end,
            Err(Errno::EAGAIN) => is_shut = until_ready(fd, interest)?,
            r => return r,
        }
    }
}
