//! One try at sending memory, to a socket or anything else.

use crate::fd::Fd;
use crate::sys::message::{self, Gather};
use crate::xfer::room::{self, Room};
use crate::xfer::sigpipe::quietly;
use nix::errno::Errno;

/// Sends a list of buffers. `more`: the last segment may wait for the bytes that follow in the same call of
/// the library. Whether it blocks is the descriptor's mode.
#[inline(always)]
pub(crate) fn send(s: Fd, list: &Gather, more: bool) -> Result<usize, Errno> {
    or_write(message::send(s, list, more), || message::write(s, list))
}

/// The largest piece of a file that is read and sent with the buffers around it. That takes as many system calls as
/// sending it by itself and less time, by 8 % at this size and more below it (`docs/performance.md`).
pub(crate) const SMALL_FILE: usize = room::SIZE;

/// [`send`] of a list with a gap for `n` bytes of `file` from `off`, at most [`SMALL_FILE`]. `None`, and nothing is
/// sent: they are not all there, or not without waiting for the disk.
#[inline(never)]
pub(crate) fn send_around(
    s: Fd,
    list: &mut Gather,
    (gap, n): (usize, usize),
    (file, off): (Fd, u64),
    more: bool,
) -> Option<Result<usize, Errno>> {
    let mut room = Room::new().ok()?;
    let bytes = message::read_cached(file, room.all().get_mut(..n)?, off)?;
    list.fill(gap, bytes);
    Some(send(s, list, more))
}

/// Sockets are what nearly all descriptors are here, so they do not pay for the question.
fn or_write(
    sent: Result<usize, Errno>,
    write: impl FnOnce() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    match sent {
        Err(Errno::ENOTSOCK) => quietly(write),
        sent => sent,
    }
}
