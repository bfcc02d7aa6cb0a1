//! `io.h`: file content to a descriptor or a filter.

use crate::batch::filter::Filter;
use crate::capi::filter::CFilter;
use crate::capi::guard::{cancellable, guard_state};
use crate::capi::{ret, trace_call};
use crate::ctypes::WriteCallback;
use crate::event_loop;
use crate::fd::Fd;
use crate::interest::Direction;
use crate::outcome::{Outcome, Stop};
use crate::xfer::{file, sendfile, sigpipe};

fn send(s: i64, fd: i64, off: u64, n: u64) -> Outcome {
    // As 0.32 has it, whatever the descriptors are.
    if n == 0 {
        return Ok(0);
    }
    let s = Fd::new(s)?;
    // A number that is none fails like one that is not open.
    let r = Fd::new(fd).map_err(Stop::from).and_then(|fd| sendfile::send(s, fd, off, n));
    event_loop::used(s, Direction::Write, r == Ok(sendfile::part(n)));
    r
}

fn piece(fd: i64, off: u64, n: u64) -> [trace_call::Detail<'static>; 3] {
    [("file", fd), ("off", off as i64), ("len", n as i64)]
}

/// Sends up to `n` bytes of the file `fd` from position `off` to `s` (a socket, pipe or file, registered or
/// not). The file's own position does not move. Blocks if `s` is in blocking mode.
///
/// Returns the number of bytes sent, which may be less than `n`; 0: `n` is 0 or the file ends at or before
/// `off`; -1 with `EAGAIN`: `s` takes nothing now; -3 with errno for errors: `EBADF`, `EINVAL` (a directory, an
/// impossible position), `ESPIPE` (a pipe has no positions), `EPIPE` and others. Never raises SIGPIPE. May be
/// called in any thread.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_sendfile(s: i64, fd: i64, off: u64, n: u64) -> i64 {
    let r = cancellable(|| ret::moved(send(s, fd, off, n)));
    trace_call::count("io_sendfile", s, r, &piece(fd, off, n))
}

/// Offers `bytes` bytes of the file `fd` from position `off` to `cb`, together with `s`, which is only
/// passed on. Each piece offered ends at a multiple of 16 KiB or earlier, and can be read until `cb` returns or closes `s`
/// or `fd`. Stops when `cb` takes less than it is offered; the next call for the same `s`, `fd` and position offers the
/// untaken bytes at the same address. `cb` may leave by a C++ exception, `pthread_exit` or `longjmp`, which passes through
/// unchanged; the next call then begins as this one did.
///
/// Returns the number of bytes taken; 0: `bytes` is 0 or `cb` said end of file; -1 with `EAGAIN`: `cb` said so;
/// -3 with errno for errors: those of `cb`, `EIO` (the file ends at or before `off`), `EBADF`, `ESPIPE` (a pipe
/// has no positions), `EFAULT` (`cb` is NULL), `ENOMEM`. May be called in any thread.
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
    let r = ret::moved(unsafe { CFilter::new(s, cb, None) }.map_err(Into::into).and_then(|mut filter| {
        let fd = Fd::new(fd)?;
        file::feed(s, fd, off, bytes, |bytes, n| filter.take(bytes, n))
    }));
    guard_state(r, || trace_call::count("io_mmapwritefile", s, r, &piece(fd, off, bytes)))
}

/// Keeps SIGPIPE from killing the process: if its disposition is the default one, gives it a handler that does
/// nothing. Only the first call does anything; the library's own functions call it before they need it.
#[unsafe(no_mangle)]
pub extern "C" fn io_sigpipe() {
    guard_state((), sigpipe::arrange);
}
