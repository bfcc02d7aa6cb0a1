//! Reading and writing.

use super::args::{is_usual, source, target};
use super::guard::cancellable;
use super::ret::{moved, moved_in_time};
use super::trace_call;
use crate::buf::{Source, Target};
use crate::event_loop;
use crate::fd::Fd;
use crate::interest::Direction;
use crate::outcome::Stop;
use crate::slot::Slot;
use crate::trace;
use nix::errno::Errno;
use std::ffi::c_char;

/// The slot of a socket, where a transfer of that length may take the fast path.
#[inline(always)]
fn fast_path(d: i64, len: i64) -> Option<&'static Slot> {
    match event_loop::socket(d) {
        Some(slot) if is_usual(len) => Some(slot),
        _ => None,
    }
}

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
pub unsafe extern "C-unwind" fn io_tryread(d: i64, buf: *mut c_char, len: i64) -> i64 {
    let Some(slot) = fast_path(d, len) else {
        // SAFETY: the caller's promise.
        return unsafe { try_read(d, buf, len) };
    };
    // SAFETY: the caller's promise.
    let target = unsafe { Target::new(buf.cast(), len as usize) };
    let call = (d, buf, len);
    let n = event_loop::receive(d, slot, target);
    // SAFETY: the caller's promise.
    if n >= 0 { n } else { unsafe { read_failed(&call) } }
}

/// The usual way has failed. The arguments come by reference: they wait on the stack for a call that is rare, and need no
/// registers to be saved in every other.
///
/// # Safety
/// As for `io_tryread`.
#[cold]
unsafe fn read_failed(&(d, buf, len): &(i64, *mut c_char, i64)) -> i64 {
    match event_loop::settle(d, Direction::Read, Err(Errno::last())) {
        Some(outcome) => moved(outcome),
        // SAFETY: the caller's promise.
        None => unsafe { try_read(d, buf, len) },
    }
}

/// # Safety
/// As for `io_tryread`.
#[cold]
unsafe fn try_read(d: i64, buf: *mut c_char, len: i64) -> i64 {
    let r = cancellable(|| {
        moved(Fd::new(d).map_err(Stop::from).and_then(|fd| {
            // SAFETY: the caller's promise.
            event_loop::read(fd, checked(fd, Direction::Read, unsafe { target(buf, len) })?)
        }))
    });
    trace_call::count("io_tryread", d, r, &[("len", len)])
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
pub unsafe extern "C-unwind" fn io_trywrite(d: i64, buf: *const c_char, len: i64) -> i64 {
    let Some(slot) = fast_path(d, len) else {
        // SAFETY: the caller's promise.
        return unsafe { try_write(d, buf, len) };
    };
    // SAFETY: the caller's promise.
    let source = unsafe { Source::new(buf.cast(), len as usize) };
    let call = (d, buf, len);
    let n = event_loop::send_bytes(d, slot, source);
    // SAFETY: the caller's promise.
    if n == call.2 { n } else { unsafe { write_short(&call, n) } }
}

/// The usual way has failed, or moved `n` bytes and no more. Arguments as for [`read_failed`].
///
/// # Safety
/// As for `io_trywrite`.
#[cold]
unsafe fn write_short(&(d, buf, len): &(i64, *const c_char, i64), n: i64) -> i64 {
    let sent = if n < 0 { Err(Errno::last()) } else { Ok(n as usize) };
    match event_loop::settle(d, Direction::Write, sent) {
        Some(outcome) => moved(outcome),
        // SAFETY: the caller's promise.
        None => unsafe { try_write(d, buf, len) },
    }
}

/// # Safety
/// As for `io_trywrite`.
#[cold]
unsafe fn try_write(d: i64, buf: *const c_char, len: i64) -> i64 {
    let r = cancellable(|| {
        moved(Fd::new(d).map_err(Stop::from).and_then(|fd| {
            // SAFETY: the caller's promise.
            event_loop::write(fd, checked(fd, Direction::Write, unsafe { source(buf, len) })?)
        }))
    });
    trace_call::count("io_trywrite", d, r, &[("len", len)])
}

/// Reads up to `len` bytes into `buf`, waiting for the first, also if `d` is in non-blocking mode.
///
/// Returns the number of bytes; 0 at end of file or if `len` is 0; -3 with errno: EINTR (a signal handler
/// ran) and those of `io_tryread`. Any thread may call it.
///
/// # Safety
/// `buf` is NULL or points to `len` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_waitread(d: i64, buf: *mut c_char, len: i64) -> i64 {
    trace::before_sleep();
    let r = cancellable(|| {
        let read = Fd::new(d).and_then(|fd| {
            // SAFETY: the caller's promise.
            event_loop::wait_read(fd, unsafe { target(buf, len) }?)
        });
        moved(read.map_err(Stop::Failed))
    });
    trace_call::count("io_waitread", d, r, &[("len", len)])
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
pub unsafe extern "C-unwind" fn io_waitwrite(d: i64, buf: *const c_char, len: i64) -> i64 {
    trace::before_sleep();
    let r = cancellable(|| {
        let written = Fd::new(d).and_then(|fd| {
            // SAFETY: the caller's promise.
            event_loop::wait_write(fd, unsafe { source(buf, len) }?)
        });
        moved(written.map_err(Stop::Failed))
    });
    trace_call::count("io_waitwrite", d, r, &[("len", len)])
}

/// Like `io_tryread`, but instead of -1 returns -2 with errno ETIMEDOUT if `d` has a deadline and it has
/// passed. Data that is there wins over the deadline.
///
/// # Safety
/// `buf` is NULL or points to `len` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_tryreadtimeout(d: i64, buf: *mut c_char, len: i64) -> i64 {
    let r = cancellable(|| {
        let read = Fd::new(d).and_then(|fd| {
            // SAFETY: the caller's promise.
            let target = checked(fd, Direction::Read, unsafe { target(buf, len) })?;
            Ok(event_loop::read_in_time(fd, target))
        });
        moved_in_time(flatten(read))
    });
    trace_call::count("io_tryreadtimeout", d, r, &[("len", len)])
}

/// Like `io_trywrite`, but instead of -1 returns -2 with errno ETIMEDOUT if `d` has a deadline and it has
/// passed.
///
/// # Safety
/// `buf` is NULL or points to `len` bytes that may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_trywritetimeout(d: i64, buf: *const c_char, len: i64) -> i64 {
    let r = cancellable(|| {
        let written = Fd::new(d).and_then(|fd| {
            // SAFETY: the caller's promise.
            let source = checked(fd, Direction::Write, unsafe { source(buf, len) })?;
            Ok(event_loop::write_in_time(fd, source))
        });
        moved_in_time(flatten(written))
    });
    trace_call::count("io_trywritetimeout", d, r, &[("len", len)])
}

/// A refused length withdraws the event, as every failed transfer does.
fn checked<T>(fd: Fd, dir: Direction, buffer: Result<T, Errno>) -> Result<T, Errno> {
    buffer.inspect_err(|_| event_loop::used(fd, dir, false))
}

/// An argument error is a failed transfer.
fn flatten(r: Result<event_loop::InTime, Errno>) -> event_loop::InTime {
    r.unwrap_or_else(|e| Ok(Err(Stop::Failed(e))))
}
