//! Plain reads and writes: on descriptors in non-blocking mode, and calls that are meant to wait.

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

/// Repeats a call as long as it returns `EAGAIN`, and waits in between. A Unix datagram socket that is shut down returns `EAGAIN` for
/// ever in non-blocking mode; the result is then `the_end`.
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
