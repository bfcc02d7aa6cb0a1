//! Reading and writing.

use super::args::{is_usual, source, target};
use super::guard::guard;
use super::ret::{moved, moved_in_time};
use super::seen;
use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::interest::Direction;
use crate::outcome::Stop;
use crate::reactor::{self, quick};
use crate::trace;
use nix::errno::Errno;
use std::ffi::c_char;

/// Reads up to `len` bytes into `buf` without waiting, also if `d` is in blocking mode, and without touching
/// that mode, a signal or a timer.
///
/// Returns the number of bytes; 0 at end of file or if `len` is 0; -1 with errno EAGAIN if there is nothing
/// to read now; -3 with errno: EBADF, EINVAL (`len` is negative), EFAULT (`buf` cannot be written),
/// ECONNRESET and what else read(2) reports. A result shorter than `len` withdraws a read event that has not
/// been taken. Any thread may call it, also for a descriptor that another one waits for.
///
/// # Safety
/// `buf` is NULL or points to `len` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn io_tryread(d: i64, buf: *mut c_char, len: i64) -> i64 {
    // Nothing in here can panic, so that the usual call needs no guard.
    if is_usual(len) && reactor::can_read_hot(d) {
        // SAFETY: the caller's promise.
        let target = unsafe { Target::new(buf.cast(), len as usize) };
        return match reactor::read_hot(d, target) {
            Ok(n) => n as i64,
            Err(e) => read_failed(e),
        };
    }
    // SAFETY: the caller's promise.
    unsafe { try_read_turn(d, buf, len) }
}

/// The short way for a descriptor that takes turns.
///
/// # Safety
/// As for `io_tryread`.
#[inline(never)]
unsafe extern "C" fn try_read_turn(d: i64, buf: *mut c_char, len: i64) -> i64 {
    if is_usual(len) && reactor::takes_turns(d) {
        // SAFETY: the caller's promise.
        let target = unsafe { Target::new(buf.cast(), len as usize) };
        return match reactor::read_hot(d, target) {
            Ok(n) if n as i64 == len || quick::drained(d).is_some() => n as i64,
            Ok(n) => read_short(n as i64),
            Err(e) => read_failed(e),
        };
    }
    // SAFETY: the caller's promise.
    unsafe { try_read(d, buf, len) }
}

/// # Safety
/// As for `io_tryread`.
#[inline(never)]
unsafe extern "C" fn try_read(d: i64, buf: *mut c_char, len: i64) -> i64 {
    let r = guard(-3, || {
        moved(Fd::new(d).map_err(Stop::from).and_then(|fd| {
            // SAFETY: the caller's promise.
            reactor::read(fd, checked(fd, Direction::Read, unsafe { target(buf, len) })?)
        }))
    });
    seen::count("io_tryread", d, r, &[("len", len)])
}

/// The short way has ended with an error.
#[cold]
extern "C" fn read_failed(e: Errno) -> i64 {
    guard(-3, || moved(reactor::moved_hot(Direction::Read, Err(e))))
}

/// The short way has moved `n` bytes, and no more.
#[cold]
extern "C" fn read_short(n: i64) -> i64 {
    guard(-3, || moved(reactor::moved_hot(Direction::Read, Ok(n as usize))))
}

/// Writes up to `len` bytes from `buf` without waiting, also if `d` is in blocking mode. The first write
/// call of the process gives SIGPIPE an empty handler if it has none, so that a closed peer is an error and
/// not the end of the process.
///
/// Returns the number of bytes, which can be less than `len`; 0 if `len` is 0; -1 with errno EAGAIN if there
/// is no room now; -3 with errno: EBADF, EINVAL (`len` is negative), EFAULT, EPIPE, ECONNRESET and what else
/// write(2) reports. A result shorter than `len` withdraws a write event that has not been taken. Any thread
/// may call it, also for a descriptor that another one waits for.
///
/// # Safety
/// `buf` is NULL or points to `len` bytes that may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn io_trywrite(d: i64, buf: *const c_char, len: i64) -> i64 {
    if is_usual(len) && reactor::can_write_hot(d) {
        // SAFETY: the caller's promise.
        let source = unsafe { Source::new(buf.cast(), len as usize) };
        return match reactor::write_hot(d, source) {
            Ok(n) if n as i64 == len => len,
            Ok(n) => wrote_short(n as i64),
            Err(e) => write_failed(e),
        };
    }
    // SAFETY: the caller's promise.
    unsafe { try_write(d, buf, len) }
}

/// # Safety
/// As for `io_trywrite`.
#[inline(never)]
unsafe extern "C" fn try_write(d: i64, buf: *const c_char, len: i64) -> i64 {
    let r = guard(-3, || {
        moved(Fd::new(d).map_err(Stop::from).and_then(|fd| {
            // SAFETY: the caller's promise.
            reactor::write(fd, checked(fd, Direction::Write, unsafe { source(buf, len) })?)
        }))
    });
    seen::count("io_trywrite", d, r, &[("len", len)])
}

/// The short way has ended with an error.
#[cold]
extern "C" fn write_failed(e: Errno) -> i64 {
    guard(-3, || moved(reactor::moved_hot(Direction::Write, Err(e))))
}

/// The short way has moved `n` bytes, and no more.
#[cold]
extern "C" fn wrote_short(n: i64) -> i64 {
    guard(-3, || moved(reactor::moved_hot(Direction::Write, Ok(n as usize))))
}

/// Reads up to `len` bytes into `buf`, waiting for the first, also if `d` is in non-blocking mode.
///
/// Returns the number of bytes; 0 at end of file or if `len` is 0; -3 with errno: EINTR (a signal handler
/// ran) and those of `io_tryread`. Any thread may call it.
///
/// # Safety
/// `buf` is NULL or points to `len` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn io_waitread(d: i64, buf: *mut c_char, len: i64) -> i64 {
    trace::before_sleep();
    let r = guard(-3, || {
        let read = Fd::new(d).and_then(|fd| {
            // SAFETY: the caller's promise.
            reactor::wait_read(fd, unsafe { target(buf, len) }?)
        });
        moved(read.map_err(Stop::Failed))
    });
    seen::count("io_waitread", d, r, &[("len", len)])
}

/// Writes up to `len` bytes from `buf`, waiting until the descriptor takes some, also if `d` is in
/// non-blocking mode. It may take less than `len`. SIGPIPE as in `io_trywrite`.
///
/// Returns the number of bytes; 0 if `len` is 0; -3 with errno: EINTR (a signal handler ran) and those of
/// `io_trywrite`. Any thread may call it.
///
/// # Safety
/// `buf` is NULL or points to `len` bytes that may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn io_waitwrite(d: i64, buf: *const c_char, len: i64) -> i64 {
    trace::before_sleep();
    let r = guard(-3, || {
        let written = Fd::new(d).and_then(|fd| {
            // SAFETY: the caller's promise.
            reactor::wait_write(fd, unsafe { source(buf, len) }?)
        });
        moved(written.map_err(Stop::Failed))
    });
    seen::count("io_waitwrite", d, r, &[("len", len)])
}

/// Like `io_tryread`, but instead of -1 returns -2 with errno ETIMEDOUT if `d` has a deadline and it has
/// passed. Data that is there wins over the deadline.
///
/// # Safety
/// `buf` is NULL or points to `len` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn io_tryreadtimeout(d: i64, buf: *mut c_char, len: i64) -> i64 {
    let r = guard(-3, || {
        let read = Fd::new(d).and_then(|fd| {
            // SAFETY: the caller's promise.
            let target = checked(fd, Direction::Read, unsafe { target(buf, len) })?;
            Ok(reactor::read_in_time(fd, target))
        });
        moved_in_time(flatten(read))
    });
    seen::count("io_tryreadtimeout", d, r, &[("len", len)])
}

/// Like `io_trywrite`, but instead of -1 returns -2 with errno ETIMEDOUT if `d` has a deadline and it has
/// passed.
///
/// # Safety
/// `buf` is NULL or points to `len` bytes that may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn io_trywritetimeout(d: i64, buf: *const c_char, len: i64) -> i64 {
    let r = guard(-3, || {
        let written = Fd::new(d).and_then(|fd| {
            // SAFETY: the caller's promise.
            let source = checked(fd, Direction::Write, unsafe { source(buf, len) })?;
            Ok(reactor::write_in_time(fd, source))
        });
        moved_in_time(flatten(written))
    });
    seen::count("io_trywritetimeout", d, r, &[("len", len)])
}

/// A refused length withdraws the event, as every failed transfer does.
fn checked<T>(fd: Fd, dir: Direction, buffer: Result<T, Errno>) -> Result<T, Errno> {
    buffer.inspect_err(|_| reactor::refused(fd, dir))
}

/// An argument error is a failed transfer.
fn flatten(r: Result<reactor::InTime, Errno>) -> reactor::InTime {
    r.unwrap_or_else(|e| Ok(Err(Stop::Failed(e))))
}
