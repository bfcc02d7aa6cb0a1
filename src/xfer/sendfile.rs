//! `io_sendfile`: tries once to send a piece of a file.

use crate::fd::Fd;
use crate::outcome::{Outcome, Stop};
use crate::sys::message::{self, Gather, TRANSFER_MAX};
use crate::xfer::gather;
use crate::xfer::sigpipe::quietly;
use crate::xfer::window::Window;
use nix::errno::Errno;

/// The part of `n` that one call can move.
pub(crate) fn part(n: u64) -> usize {
    usize::try_from(n).map_or(TRANSFER_MAX, |n| n.min(TRANSFER_MAX))
}

/// Sends up to `n` bytes from `off`, at most [`part`] of them. 0 if the file ends at or before `off`. It waits if `out` is
/// in blocking mode.
pub(crate) fn send(out: Fd, file: Fd, off: u64, n: u64) -> Outcome {
    if n == 0 {
        return Ok(0);
    }
    match quietly(|| message::sendfile(out, file, off, part(n))) {
        // Some files cannot be spliced (on older kernels those of /proc), and some targets cannot (append mode, some ttys).
        Err(refusal @ (Errno::EINVAL | Errno::ENOSYS)) => copy(out, file, off, part(n), refusal),
        r => Ok(r?),
    }
}

/// Reads and sends in place of sendfile(2). What was read and not sent is read again next time.
fn copy(out: Fd, file: Fd, off: u64, n: usize, refusal: Errno) -> Outcome {
    let mut window = Window::default();
    let mut sent = 0;
    let end = loop {
        if sent == n {
            break Ok(0);
        }
        let (at, left) = (off.saturating_add(sent as u64), (n - sent) as u64);
        let mut list = Gather::new();
        match window.gather(file, at, left, &mut list) {
            Ok(()) if list.is_empty() => break Ok(0),
            Ok(()) => {}
            // For a directory the documented error is that of sendfile(2).
            Err(Stop::Failed(Errno::EISDIR)) => break Err(refusal.into()),
            Err(e) => break Err(e),
        }
        match gather::send(out, &list, false) {
            Ok(k) => {
                sent += k;
                if k < list.bytes() {
                    break Ok(0);
                }
            }
            Err(e) => break Err(e.into()),
        }
    };
    match end {
        Err(e) if sent == 0 => Err(e),
        _ => Ok(sent),
    }
}
