//! Reads and writes that do not wait although the descriptor is in blocking mode, and do not change the mode.
//!
//! The mode belongs to the open file and is shared with other processes, and timer signals belong to the program. So the
//! library uses neither. Sockets (`MSG_DONTWAIT`) and pipes (`RWF_NOWAIT`) can be told not to wait in each call. For the
//! rest poll(2) is asked first, and then they get no more than they surely take.
//!
//! The kind that a caller passes may be out of date, because the program may have put another file under the number
//! (dup2(2)). Where a wrong kind would make the call wait, the kernel is asked again.

use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::interest::Direction;
use crate::mode::FileKind;
use crate::outcome::{Outcome, Stop};
use crate::sys::count::{Call, count};
use crate::sys::mode::{is_nonblocking, status, who};
use crate::sys::{bytes, poll::ready_now};
use crate::xfer::sigpipe::quietly;
use nix::errno::Errno;

/// A pipe that is ready for writing takes this much without waiting (pipe(7), PIPE_BUF).
const PIPE_BUF: usize = 4096;
/// A terminal that is ready for writing surely takes one byte.
const TERMINAL_STEP: usize = 1;

/// Asks the kernel what kind of file is open under the number.
pub(crate) fn kind(fd: Fd) -> Result<FileKind, Errno> {
    who(fd).map(|(kind, _)| kind)
}

/// Reads without waiting. A descriptor of unknown kind is tried as a socket; if it is none, the result is `ENOTSOCK`.
pub(crate) fn read(fd: Fd, t: Target, told: FileKind) -> Outcome {
    let once = match told {
        FileKind::Unknown => return Ok(receive(fd, t)?),
        FileKind::Socket => receive(fd, t),
        FileKind::Pipe | FileKind::Device | FileKind::Other => bytes::read_nowait(fd, t),
        FileKind::Regular => match kind(fd)? {
            FileKind::Regular => return Ok(bytes::read(fd, t)?),
            now => return read(fd, t, now),
        },
    };
    match once {
        Err(Errno::ENOTSOCK) => match kind(fd)? {
            FileKind::Socket => Err(Errno::ENOTSOCK.into()),
            now => read(fd, t, now),
        },
        // A plain read does not wait: the descriptor is in non-blocking mode, or it is ready.
        Err(e) if refuses(e) && (is_nonblocking(fd) == Ok(true) || ready_now(fd).has(Direction::Read)) => {
            Ok(bytes::read(fd, t)?)
        }
        Err(e) if refuses(e) => not_ready(fd),
        r => Ok(r?),
    }
}

/// Writes without waiting, as [`read`] reads.
pub(crate) fn write(fd: Fd, s: Source, told: FileKind) -> Outcome {
    let nowait = || quietly(|| bytes::write_nowait(fd, s));
    let (once, step) = match told {
        FileKind::Unknown => return Ok(send(fd, s)?),
        FileKind::Socket => (send(fd, s), s.len()),
        FileKind::Pipe => (nowait(), PIPE_BUF),
        FileKind::Device => (nowait(), TERMINAL_STEP),
        FileKind::Other => (nowait(), s.len()),
        FileKind::Regular => match kind(fd)? {
            FileKind::Regular => return Ok(quietly(|| bytes::write(fd, s))?),
            now => return write(fd, s, now),
        },
    };
    match once {
        Err(Errno::ENOTSOCK) => match kind(fd)? {
            FileKind::Socket => Err(Errno::ENOTSOCK.into()),
            now => write(fd, s, now),
        },
        // It is in non-blocking mode.
        Err(e) if refuses(e) && is_nonblocking(fd) == Ok(true) => Ok(quietly(|| bytes::write(fd, s))?),
        Err(e) if refuses(e) => write_in_steps(fd, s, step),
        r => Ok(r?),
    }
}

fn receive(fd: Fd, t: Target) -> Result<usize, Errno> {
    count(Call::Recv);
    Errno::result(bytes::receive_nowait(fd, t)).map(|n| n as usize)
}

fn send(fd: Fd, s: Source) -> Result<usize, Errno> {
    count(Call::Send);
    Errno::result(bytes::send_nowait(fd, s)).map(|n| n as usize)
}

/// Whether the kernel, a sandbox or the file refuses a call that says "do not wait". If the error has another reason, the
/// plain read or write returns it again.
pub(crate) fn refuses(e: Errno) -> bool {
    matches!(e, Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL | Errno::EPERM | Errno::ESPIPE)
}

/// Writes `step` bytes at a time, as long as poll(2) says that the descriptor is ready.
fn write_in_steps(fd: Fd, s: Source, step: usize) -> Outcome {
    let mut done = 0;
    while done < s.len() {
        if !ready_now(fd).has(Direction::Write) {
            return if done > 0 { Ok(done) } else { not_ready(fd) };
        }
        let piece = s.part(done, step);
        match quietly(|| bytes::write(fd, piece)) {
            Ok(n) => {
                done += n;
                if n < piece.len() {
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(done)
}

/// The result if poll(2) says that no direction is ready: again, or `EBADF` if it is not open.
fn not_ready(fd: Fd) -> Outcome {
    status(fd)?;
    Err(Stop::Again)
}
