//! Reads and writes of the program through the library, and what they say about readiness.

use super::STATE;
use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::interest::Direction;
use crate::mode::{FileKind, Mode};
use crate::outcome::{Outcome, Stop};
use crate::time::Deadline;
use crate::xfer::{blocking, rw, sigpipe};
use nix::errno::Errno;

/// The deadline passed before the descriptor was ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimedOut;

/// An outcome, unless the deadline passed first.
pub(crate) type InTime = Result<Outcome, TimedOut>;

/// One read that does not wait, whatever the descriptor's mode.
pub(crate) fn read(fd: Fd, target: Target) -> Outcome {
    let len = target.len();
    transfer(fd, Direction::Read, len, |how| match how {
        How::Plain => rw::read(fd, target),
        How::Guarded(kind) => guarded(fd, kind, |kind| blocking::read(fd, target, kind)),
    })
}

/// One write that does not wait, whatever the descriptor's mode.
pub(crate) fn write(fd: Fd, source: Source) -> Outcome {
    sigpipe::arrange();
    let len = source.len();
    transfer(fd, Direction::Write, len, |how| match how {
        How::Plain => rw::write(fd, source),
        How::Guarded(kind) => guarded(fd, kind, |kind| blocking::write(fd, source, kind)),
    })
}

/// One read that waits for the first byte.
pub(crate) fn wait_read(fd: Fd, target: Target) -> Result<usize, Errno> {
    if target.len() == 0 {
        return Ok(0);
    }
    let n = rw::wait_read(fd, target)?;
    note(fd, Direction::Read, target.len(), Ok(n))
}

/// One write that waits until some of it can be taken.
pub(crate) fn wait_write(fd: Fd, source: Source) -> Result<usize, Errno> {
    if source.len() == 0 {
        return Ok(0);
    }
    sigpipe::arrange();
    let n = rw::wait_write(fd, source)?;
    note(fd, Direction::Write, source.len(), Ok(n))
}

/// [`read`], with a passed deadline told apart from "not ready".
pub(crate) fn read_in_time(fd: Fd, target: Target) -> InTime {
    in_time(fd, read(fd, target))
}

/// [`write`], with a passed deadline told apart from "not ready".
pub(crate) fn write_in_time(fd: Fd, source: Source) -> InTime {
    in_time(fd, write(fd, source))
}

fn in_time(fd: Fd, outcome: Outcome) -> InTime {
    if outcome == Err(Stop::Again) {
        let at = STATE.lock().deadline(fd);
        if at != Deadline::NEVER && at <= Deadline::now() {
            return Err(TimedOut);
        }
    }
    Ok(outcome)
}

/// How a descriptor is kept from waiting.
enum How {
    /// It is in non-blocking mode.
    Plain,
    Guarded(FileKind),
}

#[inline]
fn transfer(fd: Fd, dir: Direction, len: usize, once: impl FnOnce(How) -> Outcome) -> Outcome {
    if len == 0 {
        return Ok(0);
    }
    let outcome = once(how(fd));
    note(fd, dir, len, outcome)
}

/// What came up short has used the readiness up: the pending event is no promise any more.
#[inline]
fn note<E>(fd: Fd, dir: Direction, len: usize, outcome: Result<usize, E>) -> Result<usize, E> {
    if !outcome.as_ref().is_ok_and(|&n| n == len) {
        STATE.lock().stopped(fd, dir);
    }
    outcome
}

/// A descriptor that is not registered is taken for a blocking one: that is safe for both.
#[inline]
fn how(fd: Fd) -> How {
    match STATE.lock().table.get(fd) {
        Some(e) if e.mode == Mode::Nonblocking => How::Plain,
        Some(e) => How::Guarded(e.kind),
        None => How::Guarded(FileKind::Unknown),
    }
}

/// [`blocking`] on a descriptor of that kind. One of unknown kind is tried as a socket first, because nearly
/// all are; only the rest is looked at.
fn guarded(fd: Fd, kind: FileKind, once: impl Fn(FileKind) -> Outcome) -> Outcome {
    if kind != FileKind::Unknown {
        return once(kind);
    }
    let (kind, outcome) = match once(kind) {
        Err(Stop::Failed(Errno::ENOTSOCK | Errno::ENOSYS | Errno::EPERM)) => {
            let kind = blocking::kind(fd)?;
            (kind, once(kind))
        }
        // Other errors, a closed number among them, tell nothing about the kind.
        outcome @ Err(Stop::Failed(_)) => return outcome,
        outcome => (FileKind::Socket, outcome),
    };
    if let Some(e) = STATE.lock().table.get(fd) {
        e.kind = kind;
    }
    outcome
}
