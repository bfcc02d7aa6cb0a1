//! `iob.h`: sending batches.

use crate::batch::{Batch, filter};
use crate::capi::filter::CFilter;
use crate::capi::guard::guard_state;
use crate::capi::iob::close_file;
use crate::capi::{ret, trace_call};
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

/// Sends what is queued in `b` to `s`: a socket, pipe, terminal or file, registered with `io_fd` or not.
///
/// Goes on over all entries until everything is sent or `s` takes no more. On a descriptor in blocking mode
/// that means until everything is sent. When nothing is left the batch is reset: memory is freed, owned files
/// are closed, and the next call returns 0.
///
/// Returns the number of bytes sent; 0: nothing was queued; -1 with `EAGAIN`: `s` takes nothing now, call again
/// after `io_canwrite`; -3 with errno for errors, among them `EBADF` (`s` or a queued file is not open),
/// `EIO` (a file is shorter than was queued; everything before the gap is sent), `EMSGSIZE` (a datagram is too long;
/// no part of it is sent), `EFAULT` (`b` is NULL, or a queued buffer is bad). After an error the batch still has what was not sent, for `iob_reset`.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_send(s: i64, b: *mut IoBatch) -> i64 {
    // SAFETY: the C caller's promise.
    unsafe { watched("iob_send", s, b, || send(s, Batch::new(b))) }
}

/// Sends with `f`, and tells who watches.
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
    let r = ret::moved(f());
    if trace::is_on() {
        // SAFETY: the caller's promise; the structure outlives the call.
        let left = unsafe { Batch::new(b) }.map_or(0, Batch::bytesleft);
        guard_state(r, || trace_call::count(what, s, r, &[("left", left as i64)]));
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
unsafe fn write_filtered(
    s: i64,
    b: *mut IoBatch,
    cb: WriteCallback,
    sendfile: SendfileCallback,
) -> Outcome<u64> {
    // SAFETY: the caller's promise.
    let (batch, mut filter) = unsafe { (Batch::new(b)?, CFilter::new(s, cb, sendfile)?) };
    filter::write(batch, close_file, &mut filter)
}

/// Sends what is queued in `b` through `cb`, which is given `s`, an address and a number of bytes and answers
/// like `write`: bytes taken, 0 for end of file, -1 with errno. `s` is only passed on.
///
/// `cb` is called until everything is taken or it takes less than it is offered, never with 0 bytes. A buffer is
/// offered whole, a file in pieces of at most 16 KiB; what was not taken is offered again at the same address, as
/// TLS libraries require. When nothing is left the batch is reset.
///
/// `cb` may call any function of the library, on `b` too, except `iob_free` on it; the structure itself must
/// outlive the call. What `cb` adds to `b` is offered in the same call. If `cb` resets or sends `b`, the call ends
/// with its answer, and `b` stays as `cb` left it: what it queued after that is not counted as taken. What `cb` was
/// given is not to be looked at after such a reset. `cb` may leave by a C++ exception, `pthread_exit` or `longjmp`: that
/// passes through unchanged, and `b` is as if `cb` had not been called. `cb` may close `s`;
/// a queued file that is not open any more is `EBADF`. If `cb` writes by other means than this library's (as TLS
/// libraries do), a closed peer is a SIGPIPE that the program must ignore.
///
/// Returns the number of bytes taken; 0: nothing was queued, or `cb` said end of file; -1 with `EAGAIN`: `cb`
/// said so; -3 with errno for other errors, as in `iob_send`. `EFAULT` also if `cb` is NULL. An error after some
/// bytes shows in the next call.
///
/// # Safety
/// `b` is NULL or a valid batch; `cb` is NULL or can be called as said.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_write(s: i64, b: *mut IoBatch, cb: WriteCallback) -> i64 {
    // SAFETY: the C caller's promise.
    unsafe { watched("iob_write", s, b, || write_filtered(s, b, cb, None)) }
}

/// As `iob_write`, but a queued file piece is handed to `sfcb` whole, with `s`, its descriptor, its position,
/// the number of bytes and `cb`. The answer counts as one of `cb`. With a NULL `sfcb` it is `iob_write`.
/// (libowfat 0.33)
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
    unsafe { watched("iob_write2", s, b, || write_filtered(s, b, cb, sfcb)) }
}
