//! The program's reads and writes through the library. They take no lock: they read the slot's access, which says how to
//! move bytes without waiting, and mark the direction as used in the current look.

use super::interest::deadline;
use super::state;
use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::interest::Direction;
use crate::mode::{FileKind, Mode};
use crate::outcome::{Outcome, Stop};
use crate::slot::{Access, Hint, Slot};
use crate::sys::bytes;
use crate::table::{mark_used, near_slot, slot_of};
use crate::time::Deadline;
use crate::xfer::{blocking, rw, sigpipe};
use nix::errno::Errno;

/// The deadline passed before the descriptor was ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimedOut;

/// An outcome, unless the deadline passed first.
pub(crate) type InTime = Result<Outcome, TimedOut>;

/// The slot of a registered socket that is not traced, for [`receive`] and [`send_bytes`].
#[inline(always)]
pub(crate) fn socket(d: i64) -> Option<&'static Slot> {
    near_slot(d).filter(|slot| slot.access.get().is_plain_socket())
}

/// The fast path of a read, for a registered socket. If it returns -1, with errno, call [`settle`].
#[inline(always)]
pub(crate) fn receive(d: i64, slot: &Slot, target: Target) -> i64 {
    let received = bytes::receive_nowait(Fd::unchecked(d), target);
    mark_used(slot, Direction::Read);
    received
}

/// The fast path of a write, for a registered socket. If it returns -1, or less than was asked, call [`settle`].
#[inline(always)]
pub(crate) fn send_bytes(d: i64, slot: &Slot, source: Source) -> i64 {
    let sent = bytes::send_nowait(Fd::unchecked(d), source);
    mark_used(slot, Direction::Write);
    sent
}

/// The outcome of a fast path that failed or came up short. `None` if the descriptor needs the slow path.
#[cold]
pub(crate) fn settle(d: i64, dir: Direction, moved: Result<usize, Errno>) -> Option<Outcome> {
    if let Some(slot) = slot_of(d) {
        note(slot, dir, false);
        // dup2(2) has put another file under the number.
        if moved == Err(Errno::ENOTSOCK) {
            learn_kind(Fd::unchecked(d), slot);
        }
    }
    match moved {
        Err(Errno::ENOTSOCK) => None,
        Err(e) if blocking::refuses(e) => None,
        moved => Some(moved.map_err(Stop::from)),
    }
}

/// One read that does not wait, whatever the descriptor's mode.
pub(crate) fn read(fd: Fd, target: Target) -> Outcome {
    // A read of 0 bytes never waits. recv(2) would take a datagram; read(2) does not.
    if target.len() == 0 {
        return rw::read(fd, target);
    }
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
    used(fd, Direction::Read, n == target.len());
    Ok(n)
}

/// One write that waits until some of it can be taken.
pub(crate) fn wait_write(fd: Fd, source: Source) -> Result<usize, Errno> {
    sigpipe::arrange();
    let n = rw::wait_write(fd, source)?;
    if source.len() > 0 {
        used(fd, Direction::Write, n == source.len());
    }
    Ok(n)
}

/// [`read`], for `io_tryreadtimeout`.
pub(crate) fn read_in_time(fd: Fd, target: Target) -> InTime {
    in_time(fd, read(fd, target))
}

/// [`write()`], for `io_trywritetimeout`.
pub(crate) fn write_in_time(fd: Fd, source: Source) -> InTime {
    in_time(fd, write(fd, source))
}

fn in_time(fd: Fd, outcome: Outcome) -> InTime {
    if outcome == Err(Stop::Again) {
        let at = deadline(fd.raw().into());
        if at != Deadline::NEVER && at <= Deadline::now() {
            return Err(TimedOut);
        }
    }
    Ok(outcome)
}

/// Notes that a transfer through the library is done; `whole` if it moved all that was asked.
#[inline]
pub(crate) fn used(fd: Fd, dir: Direction, whole: bool) {
    if let Some(slot) = slot_of(fd.raw().into()) {
        note(slot, dir, whole);
    }
}

#[inline]
fn note(slot: &Slot, dir: Direction, whole: bool) {
    mark_used(slot, dir);
    // There was no room, so the program's hint is wrong.
    if !whole && dir == Direction::Write && slot.hint.get() != Hint::None {
        void_hint(slot);
    }
}

#[cold]
fn void_hint(slot: &Slot) {
    let _state = state();
    slot.hint.set(Hint::None);
}

/// How a transfer is kept from waiting.
#[derive(Clone, Copy)]
enum How {
    /// It is in non-blocking mode.
    Plain,
    Guarded(FileKind),
}

/// A descriptor of unknown kind is tried as a socket first, because nearly all are. If it is none, the kernel is asked.
fn transfer(fd: Fd, dir: Direction, len: usize, once: &dyn Fn(How) -> Outcome) -> Outcome {
    let slot = slot_of(fd.raw().into());
    // A descriptor that is not registered is treated as blocking, which is safe for both modes.
    let access = slot.map_or(Access::UNKNOWN, |slot| slot.access.get());
    let outcome = match (access.kind(), access.mode()) {
        (kind @ (FileKind::Unknown | FileKind::Socket), _) => match once(How::Guarded(kind)) {
            // It is no socket, dup2(2) has replaced it, or a sandbox refuses calls with MSG_DONTWAIT.
            Err(Stop::Failed(Errno::ENOTSOCK | Errno::ENOSYS | Errno::EPERM)) => {
                let kind = blocking::kind(fd)?;
                if let Some(slot) = slot {
                    learn_kind(fd, slot);
                }
                once(How::Guarded(kind))
            }
            outcome => outcome,
        },
        (_, Mode::Nonblocking) => once(How::Plain),
        (kind, _) => once(How::Guarded(kind)),
    };
    // A transfer of 0 bytes says nothing about readiness.
    if let Some(slot) = slot.filter(|_| len > 0) {
        note(slot, dir, outcome == Ok(len));
    }
    outcome
}

/// Updates the slot of a descriptor that is another kind of file now.
#[cold]
fn learn_kind(fd: Fd, slot: &Slot) {
    let mode = crate::sys::mode::mode(fd).unwrap_or_default();
    let Ok(kind) = blocking::kind(fd) else { return };
    if slot.is_registered() {
        slot.access.set(Access::new(kind, mode));
    }
}
