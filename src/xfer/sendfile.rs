//! One try at sending a piece of a file.

use crate::fd::Fd;
use crate::outcome::Outcome;
use crate::sys::message::{self, TRANSFER_MAX};
use crate::xfer::room::{self, Room};
use crate::xfer::{gather, sigpipe};
use nix::errno::Errno;

/// The part of `n` that one call can move.
pub(crate) fn part(n: u64) -> usize {
    usize::try_from(n).map_or(TRANSFER_MAX, |n| n.min(TRANSFER_MAX))
}

/// Sends up to `n` bytes from `off`, at most [`part`] of it; 0: the file ends at or before `off`. Whether it
/// blocks is the mode of `out`.
pub(crate) fn send(out: Fd, file: Fd, off: u64, n: u64) -> Outcome {
    if n == 0 {
        return Ok(0);
    }
    sigpipe::arrange();
    match message::sendfile(out, file, off, part(n)) {
        // Files that cannot splice (on older kernels those of /proc), and such targets (append mode, some ttys).
        Err(refusal @ (Errno::EINVAL | Errno::ENOSYS)) => copy(out, file, off, part(n), refusal),
        r => Ok(r?),
    }
}

/// The same by reading and sending. What was read and not sent is read again the next time.
fn copy(out: Fd, file: Fd, off: u64, n: usize, refusal: Errno) -> Outcome {
    let mut room = Room::new()?;
    let mut sent = 0;
    let end = loop {
        if sent == n {
            break Ok(0);
        }
        let piece = (n - sent).min(room::SIZE);
        let read = match message::pread(file, &mut room.all()[..piece], off.saturating_add(sent as u64)) {
            Ok(0) => break Ok(0),
            Ok(read) => read,
            // A directory: sendfile's own verdict is the documented one.
            Err(Errno::EISDIR) => break Err(refusal),
            Err(e) => break Err(e),
        };
        // SAFETY: so many bytes were read.
        match gather::send_bytes(out, unsafe { room.written(0, read) }) {
            Ok(k) => {
                sent += k;
                if k < read {
                    break Ok(0);
                }
            }
            Err(e) => break Err(e),
        }
    };
    match end {
        Err(e) if sent == 0 => Err(e.into()),
        _ => Ok(sent),
    }
}
