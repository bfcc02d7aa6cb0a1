//! Reading and writing.

use super::entry::{cancellable, is_usual, moved, moved_in_time, source, target, trace_count};
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

/// Reads up to `len` bytes into `buf`. It never waits, even if `d` is in blocking mode, and it changes
/// neither the mode nor any signal or timer. `d` may be registered or not.
///
/// Returns the number of bytes, or 0 at end of file and if `len` is 0. Returns -1 with errno EAGAIN if there
/// is nothing to read now. Returns -3 for all other errors, with errno: EBADF, EINVAL (`len` is negative),
/// EFAULT (`buf` cannot be written), ECONNRESET, or another one of read(2).
///
/// The call uses up a pending read report of `d`: if there is more to read, the next wait call says so. Any
/// thread may call it, even while another one waits for `d`.
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

/// The fast path has failed. The arguments come by reference, so that the calls that do not fail need not save registers
/// for them.
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
    trace_count("io_tryread", d, r, &[("len", len)])
}

/// Writes up to `len` bytes from `buf`. It never waits, even if `d` is in blocking mode. `d` may be
/// registered or not.
///
/// Returns the number of bytes, which may be less than `len`, or 0 if `len` is 0. Returns -1 with errno
/// EAGAIN if there is no room now. Returns -3 for all other errors, with errno: EBADF, EINVAL (`len` is
/// negative), EFAULT, EPIPE (the peer has closed), ECONNRESET, or another one of write(2).
///
/// A closed peer does not kill the process: if SIGPIPE has its default action, the first write call of the
/// process replaces it with an empty handler.
///
/// The call uses up a pending write report of `d`: if there is still room, the next wait call says so. Any
/// thread may call it, even while another one waits for `d`.
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

/// The fast path has failed, or moved only `n` bytes. Arguments as for [`read_failed`].
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
    trace_count("io_trywrite", d, r, &[("len", len)])
}

/// Reads up to `len` bytes into `buf` and waits for the first one, even if `d` is in non-blocking mode. There
/// is no time limit.
///
/// Returns the number of bytes, or 0 at end of file and if `len` is 0. Returns -3 with errno EINTR (a signal
/// handler ran) or one of `io_tryread`. Any thread may call it.
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
    trace_count("io_waitread", d, r, &[("len", len)])
}

/// Writes up to `len` bytes from `buf` and waits until `d` takes some, even if `d` is in non-blocking mode.
/// There is no time limit. A closed peer is an error, as with `io_trywrite`.
///
/// Returns the number of bytes, which may be less than `len`, or 0 if `len` is 0. Returns -3 with errno EINTR
/// (a signal handler ran) or one of `io_trywrite`. Any thread may call it.
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
    trace_count("io_waitwrite", d, r, &[("len", len)])
}

/// Reads as `io_tryread` does, and checks the deadline that `io_timeout` set for `d`.
///
/// Returns what `io_tryread` returns. If that is -1 and the deadline has passed, returns -2 with errno
/// ETIMEDOUT. If there is data, it is returned even after the deadline. Any thread may call it.
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
    trace_count("io_tryreadtimeout", d, r, &[("len", len)])
}

/// Writes as `io_trywrite` does, and checks the deadline that `io_timeout` set for `d`.
///
/// Returns what `io_trywrite` returns. If that is -1 and the deadline has passed, returns -2 with errno
/// ETIMEDOUT. Any thread may call it.
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
    trace_count("io_trywritetimeout", d, r, &[("len", len)])
}

/// A refused length withdraws the report, as every failed transfer does.
fn checked<T>(fd: Fd, dir: Direction, buffer: Result<T, Errno>) -> Result<T, Errno> {
    buffer.inspect_err(|_| event_loop::used(fd, dir, false))
}

/// An argument error is a failed transfer.
fn flatten(r: Result<event_loop::InTime, Errno>) -> event_loop::InTime {
    r.unwrap_or_else(|e| Ok(Err(Stop::Failed(e))))
}
