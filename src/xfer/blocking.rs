//! Not waiting on a descriptor that is in blocking mode, without changing the mode.
//!
//! `O_NONBLOCK` belongs to the open file and is shared with other processes, and a timer signal belongs to
//! the program: neither is ours to touch. Sockets can be asked per call (`MSG_DONTWAIT`), pipes too
//! (`RWF_NOWAIT`). What is left is asked with `poll(2)` first and then given no more than it must take.

use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::interest::Direction;
use crate::mode::FileKind;
use crate::outcome::{Outcome, Stop};
use crate::sys::mode::status;
use crate::sys::{bytes, poll::ready_now};
use nix::errno::Errno;

/// What a pipe that is ready for writing takes without waiting (pipe(7), PIPE_BUF).
const PIPE_BUF: usize = 4096;
/// A terminal that is ready for writing takes one byte for sure.
const TERMINAL_STEP: usize = 1;

/// What is open under the number.
pub(crate) fn kind(fd: Fd) -> Result<FileKind, Errno> {
    Ok(match status(fd)?.st_mode & libc::S_IFMT {
        libc::S_IFSOCK => FileKind::Socket,
        libc::S_IFIFO => FileKind::Pipe,
        libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK => FileKind::Regular,
        libc::S_IFCHR => FileKind::Device,
        _ => FileKind::Other,
    })
}

pub(crate) fn read(fd: Fd, t: Target, kind: FileKind) -> Outcome {
    match kind {
        FileKind::Socket => Ok(bytes::receive_nowait(fd, t)?),
        FileKind::Regular => Ok(bytes::read(fd, t)?),
        _ => match bytes::read_nowait(fd, t) {
            Err(e) if cannot(e) => {
                if !ready_now(fd).has(Direction::Read) {
                    return not_ready(fd);
                }
                Ok(bytes::read(fd, t)?)
            }
            r => Ok(r?),
        },
    }
}

pub(crate) fn write(fd: Fd, s: Source, kind: FileKind) -> Outcome {
    match kind {
        FileKind::Socket => Ok(bytes::send_nowait(fd, s)?),
        FileKind::Regular => Ok(bytes::write(fd, s)?),
        _ => match bytes::write_nowait(fd, s) {
            Err(e) if cannot(e) => match kind {
                FileKind::Pipe => write_in_steps(fd, s, PIPE_BUF),
                FileKind::Device => write_in_steps(fd, s, TERMINAL_STEP),
                _ => write_in_steps(fd, s, s.len()),
            },
            r => Ok(r?),
        },
    }
}

/// The kernel or the file does not know `RWF_NOWAIT`.
fn cannot(e: Errno) -> bool {
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
        match bytes::write(fd, piece) {
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
