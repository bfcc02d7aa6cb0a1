//! kqueue as the queue.
//!
//! A descriptor that is armed for both directions has two filters, each of which would give an event of its own. So a
//! thread that takes an event ends the other filter before anybody else takes or arms: these steps are done under a
//! lock, which is never held in a call that sleeps. Threads sleep in poll(2) over the set; all of them look when there is an event, and one
//! gets it. A child does not inherit the set, and has to initialise its multiplexer anew.

use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::sys::fork::at_fork;
use crate::sys::kevent::{ADD, Answer, DELETE, Kevent};
use crate::sys::kqueue::{self, DISABLE, ENABLE, Entries, ONESHOT, change, look};
use crate::sys::lock::ForkLock;
use crate::sys::mode::never_waits;
use crate::sys::poll::{flags, poll, ready_flags};
use crate::time::{Moment, timeout_ms};
use libc::pollfd;
use nix::errno::Errno;
use std::ffi::c_int;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What [`take`] has found.
pub(super) enum Taken {
    Bell,
    /// Of a descriptor, in the flags of poll(2).
    Event(i64, u32),
}

/// The mark of the bell. Those of descriptors are the directions for which they are armed.
const BELL: u32 = u32::MAX;

/// Of the steps that belong together, of all sets.
static STEPS: ForkLock<()> = ForkLock::new(());
static FORKS_WATCHED: AtomicBool = AtomicBool::new(false);

extern "C" fn before_fork() {
    STEPS.hold();
}

extern "C" fn after_fork() {
    STEPS.release(|_| ());
}

pub(super) fn create() -> Result<Fd, Errno> {
    at_fork(&FORKS_WATCHED, before_fork, after_fork, after_fork)?;
    kqueue::create()
}

/// Has `set` watch the bell, which does not ring yet. To ring it then needs no memory.
pub(super) fn add_bell(set: Fd, bell: Fd) -> Result<(), Errno> {
    tell(set, &[Kevent::change(bell, Direction::Write, ADD | DISABLE, BELL)])
}

/// From now on the bell rings. Takes no lock: a signal handler may do it.
pub(super) fn ring(set: Fd, bell: Fd) -> Result<(), Errno> {
    tell(set, &[Kevent::change(bell, Direction::Write, ENABLE, BELL)])
}

/// Arms `fd` for one event. `EPERM`: it is a file that is always ready. `EPIPE`, where epoll would report an error at
/// once: the other end of a pipe is gone.
pub(super) fn arm(set: Fd, fd: Fd, interest: Interest) -> Result<(), Errno> {
    if never_waits(fd)? {
        return Err(Errno::EPERM);
    }
    let how = |dir| if interest.has(dir) { ADD | ONESHOT } else { DELETE };
    let filter = |dir| Kevent::change(fd, dir, how(dir), interest.bits().into());
    let end = |dir| Kevent::change(fd, dir, DELETE, 0);
    let _steps = STEPS.lock();
    tell(set, &[filter(Direction::Read), filter(Direction::Write)]).inspect_err(|_| {
        // Half of it must not go on. The caller is to hear of the first error.
        let _ = tell(set, &[end(Direction::Read), end(Direction::Write)]);
    })
}

/// Waits for one event: what this thread does not take is another's.
pub(super) fn take(set: Fd, slice: c_int) -> Result<Option<Taken>, Errno> {
    let limit = u64::try_from(slice).ok().map(Duration::from_millis);
    let end = limit.map(|limit| Moment::now().after(limit));
    loop {
        if let Some(taken) = take_now(set)? {
            return Ok(Some(taken));
        }
        let left = end.map(Moment::left);
        if left == Some(Duration::ZERO) {
            return Ok(None);
        }
        poll(&mut [pollfd { fd: set.raw(), events: libc::POLLIN, revents: 0 }], timeout_ms(left))?;
    }
}

fn take_now(set: Fd) -> Result<Option<Taken>, Errno> {
    let mut entries = Entries::<1>::new();
    let _steps = STEPS.lock();
    look(set, &[], &mut entries, 1, Some(Duration::ZERO))?;
    let Some(entry) = entries.iter().next() else { return Ok(None) };
    let Answer::Event(happened) = entry.answer() else { return Ok(None) };
    if entry.mark == BELL {
        return Ok(Some(Taken::Bell));
    }
    let mut happened = happened;
    if entry.mark == u32::from(Interest::BOTH.bits()) {
        let other = match entry.dir {
            Direction::Read => Direction::Write,
            Direction::Write => Direction::Read,
        };
        tell(set, &[Kevent::change(entry.fd, other, DELETE, 0)])?;
        // The thread that takes one direction is told of both.
        happened |= ready_flags(entry.fd, flags(other.into()));
    }
    Ok(Some(Taken::Event(entry.fd.raw().into(), happened)))
}

/// That a filter which is to end is not there is no error.
fn tell(set: Fd, changes: &[Kevent]) -> Result<(), Errno> {
    let mut verdict = Ok(());
    change::<2>(set, changes, &mut |entry| match entry.answer() {
        Answer::Change(Err(Errno::ENOENT)) | Answer::Event(_) => {}
        Answer::Change(r) => verdict = verdict.and(r),
    })?;
    verdict
}
