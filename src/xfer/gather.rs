//! One try at sending memory, to a socket or anything else.

use crate::fd::Fd;
use crate::sys::message::{self, Gather};
use crate::xfer::sigpipe;
use nix::errno::Errno;

/// Sends a list of buffers. `more`: the last segment may wait for the bytes that follow in the same call of
/// the library. Whether it blocks is the descriptor's mode.
pub(crate) fn send(s: Fd, list: &Gather, more: bool) -> Result<usize, Errno> {
    or_write(message::send(s, list, more), || message::write(s, list))
}

/// Sends bytes of our own.
pub(crate) fn send_bytes(s: Fd, bytes: &[u8]) -> Result<usize, Errno> {
    or_write(message::send_bytes(s, bytes), || message::write_bytes(s, bytes))
}

/// Sockets are what nearly all descriptors are here, so they do not pay for the question.
fn or_write(
    sent: Result<usize, Errno>,
    write: impl FnOnce() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    match sent {
        Err(Errno::ENOTSOCK) => {
            sigpipe::arrange();
            write()
        }
        sent => sent,
    }
}
