//! Tries once to send a list of buffers, to a socket or anything else.

use crate::fd::Fd;
use crate::sys::message::{self, Gather};
use crate::xfer::room::{self, Room};
use crate::xfer::sigpipe::quietly;
use nix::errno::Errno;

/// Sends a list of buffers. `more`: the kernel may hold the last segment back for bytes that follow in the same call of
/// the library. It waits if the descriptor is in blocking mode.
#[inline(always)]
pub(crate) fn send(s: Fd, list: &Gather, more: bool) -> Result<usize, Errno> {
    or_write(message::send(s, list, more), || message::write(s, list))
}

/// The largest piece of a file that is read and sent together with the buffers around it. That takes as many system calls
/// as sendfile(2) and less time: 8 % less at this size, more below it (`docs/performance.md`).
pub(crate) const SMALL_FILE: usize = room::SIZE;

/// Sends a list with a gap for `n` bytes of `file` from `off`, at most [`SMALL_FILE`]. `None` if the file does not have
/// them all, or not without waiting for the disk; nothing is sent then.
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

/// Nearly all descriptors here are sockets, so that is tried first.
fn or_write(
    sent: Result<usize, Errno>,
    write: impl FnOnce() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    match sent {
        Err(Errno::ENOTSOCK) => quietly(write),
        sent => sent,
    }
}
