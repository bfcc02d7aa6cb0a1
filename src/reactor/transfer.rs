//! Reads and writes of the program through the library, and what they say about readiness.

use super::{STATE, hot};
use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::interest::Direction;
use crate::mode::{FileKind, Mode};
use crate::outcome::{Outcome, Readiness, Stop};
use crate::sys::bytes;
use crate::sys::thread::single_threaded;
use crate::time::Deadline;
use crate::xfer::{blocking, rw, sigpipe};
use nix::errno::Errno;

/// The deadline passed before the descriptor was ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimedOut;

/// An outcome, unless the deadline passed first.
pub(crate) type InTime = Result<Outcome, TimedOut>;

/// Whether [`read_hot`] and [`moved_hot`] serve descriptor `d`: it was just named to the program.
#[inline(always)]
pub(crate) fn can_read_hot(d: i64) -> bool {
    hot::is(d)
}

/// [`can_read_hot`], but what comes up short has to be noted ([`super::quick::drained`]).
#[inline(always)]
pub(crate) fn takes_turns(d: i64) -> bool {
    hot::takes_turns(d)
}

/// [`read`] in the short way. On an error, [`moved_hot`] must follow.
#[inline(always)]
pub(crate) fn read_hot(d: i64, target: Target) -> Result<usize, Errno> {
    bytes::receive_hot(Fd::unchecked(d), target)
}

/// Whether [`write_hot`] and [`moved_hot`] serve descriptor `d`. No other way to send may be needed then.
#[inline(always)]
pub(crate) fn can_write_hot(d: i64) -> bool {
    hot::is(d) && blocking::can_send()
}

/// [`write()`] in the short way. If it does not take all, [`moved_hot`] must follow.
#[inline(always)]
pub(crate) fn write_hot(d: i64, source: Source) -> Result<usize, Errno> {
    bytes::send_hot(Fd::unchecked(d), source)
}

/// What came of the short way, when it was not all that was asked for. Takes no descriptor, so that the short way
/// need not keep it: it is still the hot one.
pub(crate) fn moved_hot(dir: Direction, r: Result<usize, Errno>) -> Outcome {
    let outcome = r.map_err(Stop::from);
    if r != Err(Errno::EBADF) {
        // It was asked for more than was moved.
        STATE.lock().moved(hot::fd()?, dir, Readiness::after(outcome, usize::MAX));
    }
    outcome
}

/// One read that does not wait, whatever the descriptor's mode.
pub(crate) fn read(fd: Fd, target: Target) -> Outcome {
    transfer(fd, Direction::Read, target.len(), &|how| match how {
        How::Plain => rw::read(fd, target),
        How::Guarded(kind) => blocking::read(fd, target, kind),
    })
}

/// One write that does not wait, whatever the descriptor's mode.
pub(crate) fn write(fd: Fd, source: Source) -> Outcome {
    sigpipe::arrange();
    transfer(fd, Direction::Write, source.len(), &|how| match how {
        How::Plain => rw::write(fd, source),
        How::Guarded(kind) => blocking::write(fd, source, kind),
    })
}

/// One read that waits for the first byte.
pub(crate) fn wait_read(fd: Fd, target: Target) -> Result<usize, Errno> {
    if target.len() == 0 {
        return bytes::read(fd, target);
    }
    let n = rw::wait_read(fd, target)?;
    STATE.lock().moved(fd, Direction::Read, Readiness::after(Ok(n), target.len()));
    Ok(n)
}

/// One write that waits until some of it can be taken.
pub(crate) fn wait_write(fd: Fd, source: Source) -> Result<usize, Errno> {
    sigpipe::arrange();
    let n = rw::wait_write(fd, source)?;
    STATE.lock().moved(fd, Direction::Write, Readiness::after(Ok(n), source.len()));
    Ok(n)
}

/// [`read`], with a passed deadline told apart from "not ready".
pub(crate) fn read_in_time(fd: Fd, target: Target) -> InTime {
    in_time(fd, read(fd, target))
}

/// [`write()`], with a passed deadline told apart from "not ready".
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
#[derive(Clone, Copy)]
enum How {
    /// It is in non-blocking mode.
    Plain,
    Guarded(FileKind),
}

fn transfer(fd: Fd, dir: Direction, len: usize, once: &dyn Fn(How) -> Outcome) -> Outcome {
    // A read of nothing never waits, and takes no datagram only as a plain one. A write of nothing is a datagram too.
    if len == 0 && dir == Direction::Read {
        return once(How::Plain);
    }
    let (how, followed) = how(fd, dir);
    let outcome = attempt(fd, dir, how, once);
    // Another thread may have made an event pending meanwhile.
    if followed || !(outcome == Ok(len) || single_threaded()) {
        return note(fd, dir, len, outcome);
    }
    outcome
}

/// Has the reactor know what came of a transfer.
#[cold]
fn note(fd: Fd, dir: Direction, len: usize, outcome: Outcome) -> Outcome {
    STATE.lock().moved(fd, dir, Readiness::after(outcome, len));
    outcome
}

/// How to move bytes, and whether the reactor has to know what came of it.
///
/// A descriptor that is not registered is taken for a blocking one: that is safe for both.
#[inline]
fn how(fd: Fd, dir: Direction) -> (How, bool) {
    let mut state = STATE.lock();
    // An event that was put off would otherwise report later what this transfer uses up.
    state.touch(fd);
    match state.table.get(fd) {
        // A socket is asked per call all the same, which raises no SIGPIPE and needs no mode.
        Some(e) if e.mode == Mode::Nonblocking && e.is_no_socket() => (How::Plain, e.follows(dir)),
        Some(e) => (How::Guarded(e.kind), e.follows(dir)),
        None => (How::Guarded(FileKind::Unknown), false),
    }
}

/// One of unknown kind is tried as a socket first, because nearly all are; only the rest is looked at.
fn attempt(fd: Fd, dir: Direction, how: How, once: &dyn Fn(How) -> Outcome) -> Outcome {
    let How::Guarded(FileKind::Unknown) = how else { return once(how) };
    let (kind, outcome) = match once(how) {
        Err(Stop::Failed(Errno::ENOTSOCK | Errno::ENOSYS | Errno::EPERM)) => {
            let kind = blocking::kind(fd)?;
            (kind, once(How::Guarded(kind)))
        }
        // Other errors, a closed number among them, tell nothing about the kind.
        outcome @ Err(Stop::Failed(_)) => return outcome,
        // A sandbox may let sends pass and no reads: only a read shows that reads can be made so.
        outcome if dir == Direction::Write => return outcome,
        outcome => (FileKind::Socket, outcome),
    };
    if let Some(e) = STATE.lock().table.get(fd) {
        e.kind = kind;
    }
    outcome
}
