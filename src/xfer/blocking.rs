//! Not waiting on a descriptor that is in blocking mode, without changing the mode.
//!
//! `O_NONBLOCK` belongs to the open file and is shared with other processes, and a timer signal belongs to
//! the program: neither is ours to touch. Sockets can be asked per call (`MSG_DONTWAIT`), pipes too
//! (`RWF_NOWAIT`). What is left is asked with `poll(2)` first and then given no more than it must take.
//!
//! A kind that is told is what was there when somebody looked. The program may have put something else under the number
//! since (dup2(2)); so what would wait if the kind were wrong is looked at again.

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

/// What a pipe that is ready for writing takes without waiting (pipe(7), PIPE_BUF).
const PIPE_BUF: usize = 4096;
/// A terminal that is ready for writing takes one byte for sure.
const TERMINAL_STEP: usize = 1;

/// What is open under the number.
pub(crate) fn kind(fd: Fd) -> Result<FileKind, Errno> {
    who(fd).map(|(kind, _)| kind)
}

/// One of unknown kind is taken for a socket; if it is none, the answer is `ENOTSOCK`.
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
        // Its mode keeps it from waiting, or it is ready.
        Err(e) if refuses(e) && (is_nonblocking(fd) == Ok(true) || ready_now(fd).has(Direction::Read)) => {
            Ok(bytes::read(fd, t)?)
        }
        Err(e) if refuses(e) => not_ready(fd),
        r => Ok(r?),
    }
}

/// As [`read`].
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
        // It does not wait anyway.
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

/// The kernel, a sandbox or the file refuses to be asked per call. Other reasons for these errors show again
/// in the plain read or write.
pub(crate) fn refuses(e: Errno) -> bool {
    matches!(e, Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL | Errno::EPERM | Errno::ESPIPE)
}

/// Writes `step` bytes at a time for as long as the descriptor says that it is ready.
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

/// poll(2) names neither direction: not ready, or not even open.
fn not_ready(fd: Fd) -> Outcome {
    status(fd)?;
    Err(Stop::Again)
}
