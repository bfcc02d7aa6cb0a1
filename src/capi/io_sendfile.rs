//! `io.h`: file content to a descriptor or a filter.

use super::entry::{Detail, cancellable, guard_state, moved, trace_count};
use crate::batch::filter::Filter;
use crate::capi::filter::CFilter;
use crate::ctypes::WriteCallback;
use crate::event_loop;
use crate::fd::Fd;
use crate::interest::Direction;
use crate::outcome::{Outcome, Stop};
use crate::xfer::{file, sendfile, sigpipe};

fn send(s: i64, fd: i64, off: u64, n: u64) -> Outcome {
    // 0.32 answers 0 before it looks at the descriptors.
    if n == 0 {
        return Ok(0);
    }
    let s = Fd::new(s)?;
    // An impossible number fails like one that is not open: `s` loses its report.
    let r = Fd::new(fd).map_err(Stop::from).and_then(|fd| sendfile::send(s, fd, off, n));
    event_loop::used(s, Direction::Write, r == Ok(sendfile::part(n)));
    r
}

fn piece(fd: i64, off: u64, n: u64) -> [Detail<'static>; 3] {
    [("file", fd), ("off", off as i64), ("len", n as i64)]
}

/// Sends up to `n` bytes of the file `fd`, from position `off`, to `s`: a socket, pipe or file, registered or
/// not. The position of `fd` does not move. Waits for room if `s` is in blocking mode.
///
/// Returns the number of bytes, which may be less than `n`, or 0 if `n` is 0 and if the file ends at or
/// before `off`. Returns -1 with errno EAGAIN if `s` has no room now. Returns -3 for all other errors, with
/// errno: EBADF, EINVAL (`fd` is a directory, or the position is impossible), ESPIPE (`fd` is a pipe), EPIPE
/// (the peer has closed; no signal is raised), or another one of sendfile(2). Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_sendfile(s: i64, fd: i64, off: u64, n: u64) -> i64 {
    let r = cancellable(|| moved(send(s, fd, off, n)));
    trace_count("io_sendfile", s, r, &piece(fd, off, n))
}

/// Passes up to `bytes` bytes of the file `fd`, from position `off`, to the function `cb`, piece by piece.
/// `s` is only handed to `cb`. A piece ends at a multiple of 16 KiB in the file, or earlier. `cb` may read it
/// until `cb` returns, or closes `s` or `fd`.
///
/// The function stops when `cb` takes less than it was offered. The next call with the same `s`, `fd` and
/// position offers the rest at the same address, as TLS libraries require. `cb` may leave by a C++ exception,
/// `pthread_exit` or `longjmp`. The next call then starts where this one did.
///
/// Returns the number of bytes taken, or 0 if `bytes` is 0 and if `cb` returned 0. Returns -1 with errno
/// EAGAIN if `cb` returned that. Returns -3 for all other errors, with errno: that of `cb`, EIO (the file
/// ends at or before `off`), EBADF, ESPIPE (`fd` is a pipe), EFAULT (`cb` is NULL), ENOMEM. Any thread may
/// call it.
///
/// # Safety
/// `cb` is NULL or can be called with memory that it may read.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn io_mmapwritefile(
    s: i64,
    fd: i64,
    off: u64,
    bytes: u64,
    cb: WriteCallback,
) -> i64 {
    // Not under a guard: a function of the program runs inside.
    // SAFETY: the C caller's promise.
    let r = moved(unsafe { CFilter::new(s, cb, None) }.map_err(Into::into).and_then(|mut filter| {
        let fd = Fd::new(fd)?;
        file::feed(s, fd, off, bytes, |bytes, n| filter.take(bytes, n))
    }));
    guard_state(r, || trace_count("io_mmapwritefile", s, r, &piece(fd, off, bytes)))
}

/// Keeps SIGPIPE from killing the process: replaces the default action by an empty handler. Only the first call does
/// anything. The library's functions call it before they write.
#[unsafe(no_mangle)]
pub extern "C" fn io_sigpipe() {
    guard_state((), sigpipe::arrange);
}
