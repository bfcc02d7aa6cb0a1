//! The short operations on the one loop of the process.

use super::loops::Crew;
use super::{Flags, Reactor, STATE, fork};
use crate::batch::block;
use crate::fd::Fd;
use crate::interest::Direction;
use crate::mode::Mode;
use crate::outcome::Readiness;
use crate::sys::lock::Guard;
use crate::text::Text;
use crate::time::Deadline;
use crate::xfer::{file, room};
use nix::errno::Errno;

/// See [`Reactor::register`].
pub(crate) fn register(fd: Fd, flags: Flags) -> Result<(), Errno> {
    fork::watch()?;
    STATE.lock().register(fd, flags)
}

/// The state, for what programs do before they register anything: a child forked meanwhile by another thread
/// must not inherit the lock.
fn state() -> Guard<'static, Reactor> {
    // For want of memory the fork is not watched yet; the first registration tries again and reports it.
    let _ = fork::watch();
    STATE.lock()
}

/// Ends a registration under a number that the kernel has just handed out: it is of a file that was closed
/// behind our back.
pub(crate) fn forget(fd: Fd) {
    let mut state = state();
    state.unregister(fd);
    state.just_set = None;
}

/// Registers a file that is queued in a batch. Its mode is not asked for: it is taken for blocking, which is right for
/// both. One that is registered is left alone, unless the number was closed behind our back; a failure shows when the
/// file is used.
pub(crate) fn register_file(fd: Fd) {
    if !STATE.lock().is_current(fd) {
        let _ = register(fd, Flags { can_write: false, mode: Some(Mode::Blocking) });
    }
}

/// Ends the registration, if there is one, and closes the descriptor.
pub(crate) fn close(fd: Fd) -> Result<(), Errno> {
    let mut state = state();
    state.unregister(fd);
    state.just_set = None;
    drop(state);
    file::forget(fd);
    crate::sys::mode::close(fd)
}

/// The open file now lives in another process or under another number too.
pub(crate) fn passed_on(fd: Fd) {
    if let Some(e) = STATE.lock().table.get(fd) {
        e.shared = true;
    }
}

/// Sets the mode of the open file, and remembers it for a registered descriptor.
pub(crate) fn set_blocking_mode(fd: Fd, mode: Mode) -> Result<(), Errno> {
    crate::sys::mode::set_nonblocking(fd, mode == Mode::Nonblocking)?;
    let mut state = state();
    match state.table.get(fd) {
        Some(e) => e.mode = mode,
        None => state.just_set = Some(fd),
    }
    Ok(())
}

pub(crate) fn set_cookie(fd: Fd, cookie: usize) {
    if let Some(e) = STATE.lock().table.get(fd) {
        e.cookie = cookie;
    }
}

/// The cookie, 0 for a descriptor that is not registered.
pub(crate) fn cookie(fd: Fd) -> usize {
    STATE.lock().table.get(fd).map_or(0, |e| e.cookie)
}

pub(crate) fn want(fd: Fd, dir: Direction) {
    STATE.lock().want(fd, dir);
}

pub(crate) fn dont_want(fd: Fd, dir: Direction) {
    STATE.lock().dont_want(fd, dir);
}

pub(crate) fn eagain(fd: Fd, dir: Direction) {
    STATE.lock().eagain(fd, dir);
}

/// `io_eagain`: for the directions that are wanted.
pub(crate) fn eagain_wanted(fd: Fd) {
    let mut state = STATE.lock();
    for dir in [Direction::Read, Direction::Write] {
        if state.table.get(fd).is_some_and(|e| e.want.has(dir)) {
            state.eagain(fd, dir);
        }
    }
}

/// A write through the library is over.
pub(crate) fn wrote(fd: Fd, readiness: Readiness) {
    STATE.lock().moved(fd, Direction::Write, readiness);
}

/// A read or write was refused before the kernel was asked.
#[cold]
pub(crate) fn refused(fd: Fd, dir: Direction) {
    STATE.lock().moved(fd, dir, Readiness::Unclear);
}

pub(crate) fn queue_for(fd: Fd, dir: Direction) -> bool {
    STATE.lock().queue_for(fd, dir)
}

pub(crate) fn set_deadline(fd: Fd, at: Deadline) -> Result<(), Errno> {
    STATE.lock().set_deadline(fd, at)
}

/// Whether the deadline of `fd` has passed.
pub(crate) fn is_expired(fd: Fd) -> bool {
    let at = STATE.lock().deadline(fd);
    at != Deadline::NEVER && at < Deadline::now()
}

/// The next expired descriptor of the sweep.
pub(crate) fn expired() -> Option<u32> {
    STATE.lock().next_expired(Deadline::now)
}

pub(crate) fn shutdown() {
    let mut state = STATE.lock();
    let crews = state.loops.dismiss();
    let old = state.shut_down();
    drop(state);
    drop(old);
    crews.into_iter().for_each(Crew::join);
    file::shut_down();
    room::shut_down();
    block::shut_down();
}

/// Writes what is known of `fd`; false if it is not registered or `out` is full.
pub(crate) fn describe(fd: Fd, out: &mut Text) -> bool {
    STATE.lock().describe(fd, out)
}
