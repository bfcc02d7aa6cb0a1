//! `iob.h`: sending batches.

use super::entry::{guard_state, moved, trace_count};
use crate::batch::{Batch, filter};
use crate::capi::filter::CFilter;
use crate::capi::iob::close_file;
use crate::ctypes::{IoBatch, SendfileCallback, WriteCallback};
use crate::event_loop;
use crate::fd::Fd;
use crate::outcome::Outcome;
use crate::trace;
use nix::errno::Errno;

fn send(s: i64, batch: Result<Batch, Errno>) -> Outcome<u64> {
    let batch = batch?;
    if batch.bytesleft() == 0 {
        return Ok(0);
    }
    event_loop::send(Fd::new(s)?, batch)
}

/// Sends what is queued in `b` to `s`: a socket, pipe, terminal or file, registered or not. It goes on until
/// everything is sent or `s` has no more room. If `s` is in blocking mode, it waits until everything is sent.
/// When nothing is left, the batch is reset: its entries are released, and the next call returns 0.
///
/// Returns the number of bytes sent, or 0 if nothing was queued. Returns -1 with errno EAGAIN if `s` has no
/// room now; call again after `io_canwrite` returned `s`. Returns -3 for all other errors, with errno: EBADF
/// (`s` or a queued file is not open), EIO (a file is shorter than what was queued of it; everything before
/// the gap is sent), EPIPE (the peer has closed; no signal is raised), EMSGSIZE (the batch is too long for a
/// datagram; nothing is sent), EFAULT (`b` is NULL, or a queued buffer is bad), or another one of write(2).
///
/// After an error the batch still holds what was not sent; `iob_reset` releases it. An error after some bytes
/// is returned by the next call. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_send(s: i64, b: *mut IoBatch) -> i64 {
    // SAFETY: the C caller's promise.
    unsafe { watched("iob_send", s, b, || send(s, Batch::new(b))) }
}

/// Sends with `f`, and traces it.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[inline(always)]
unsafe fn watched(what: &'static str, s: i64, b: *mut IoBatch, f: impl FnOnce() -> Outcome<u64>) -> i64 {
    if trace::is_on() {
        // SAFETY: the caller's promise.
        guard_state((), || unsafe { told_size(b) });
    }
    // Not under a guard: functions of the program run inside.
    let r = moved(f());
    if trace::is_on() {
        // SAFETY: the caller's promise; the structure outlives the call.
        let left = unsafe { Batch::new(b) }.map_or(0, Batch::bytesleft);
        guard_state(r, || trace_count(what, s, r, &[("left", left as i64)]));
    }
    r
}

/// # Safety
/// `b` is NULL or a valid batch.
#[cold]
unsafe fn told_size(b: *mut IoBatch) {
    // SAFETY: the caller's promise.
    if let Ok(batch) = unsafe { Batch::new(b) } {
        trace::batch(batch.bytesleft(), batch.entries_left());
    }
}

/// # Safety
/// `b` is NULL or a valid batch, and the functions may be called.
#[inline(never)]
unsafe fn write(
    what: &'static str,
    s: i64,
    b: *mut IoBatch,
    cb: WriteCallback,
    sendfile: SendfileCallback,
) -> i64 {
    // SAFETY: the caller's promise.
    let filter = || unsafe { Ok((Batch::new(b)?, CFilter::new(s, cb, sendfile)?)) };
    let write = || filter().and_then(|(batch, mut filter)| filter::write(batch, close_file, &mut filter));
    // SAFETY: the caller's promise.
    unsafe { watched(what, s, b, write) }
}

/// Passes what is queued in `b` to the function `cb`, the filter, which sends it: over TLS, for example. `cb`
/// gets `s`, an address and a number of bytes, and returns how many bytes it took, 0 for end of file, or -1
/// with errno. `s` is only handed to `cb`.
///
/// `cb` is called until everything is taken or it takes less than it was offered. It is never called with 0
/// bytes. A buffer is offered whole, a file in pieces of at most 16 KiB. What `cb` did not take is offered
/// again at the same address, as TLS libraries require. When nothing is left, the batch is reset.
///
/// `cb` may call every function of the library, for `b` too, except `iob_free` of `b`. It may close `s`. What
/// it adds to `b` is offered in the same call. If it resets or sends `b`, the call ends with its answer, and
/// `b` stays as `cb` left it; what it queued after that is not counted as taken. It must not read what it was
/// offered after such a reset. It may leave by a C++ exception, `pthread_exit` or `longjmp`; `b` is then as
/// if it had not been called. If it writes by other means than this library, as TLS libraries do, the program
/// must ignore SIGPIPE.
///
/// Returns the number of bytes taken, or 0 if nothing was queued or `cb` returned 0. Returns -1 with errno
/// EAGAIN if `cb` returned that. Returns -3 for all other errors, with errno: that of `cb`, EFAULT (`b` or
/// `cb` is NULL), or for files as with `iob_send`. An error after some bytes is returned by the next call.
/// One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch; `cb` is NULL or can be called as said.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_write(s: i64, b: *mut IoBatch, cb: WriteCallback) -> i64 {
    // SAFETY: the C caller's promise.
    unsafe { write("iob_write", s, b, cb, None) }
}

/// Filters the batch as `iob_write` does, but passes pieces of files to the function `sfcb`, whole: `s`, the
/// file's descriptor, the position, the number of bytes and `cb`. `sfcb` returns what `cb` would. If `sfcb`
/// is NULL, this is `iob_write`. (libowfat 0.33)
///
/// Returns and errno as with `iob_write`. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch; the functions are NULL or can be called as said.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_write2(
    s: i64,
    b: *mut IoBatch,
    cb: WriteCallback,
    sfcb: SendfileCallback,
) -> i64 {
    // SAFETY: the C caller's promise.
    unsafe { write("iob_write2", s, b, cb, sfcb) }
}
