//! Interest and delivery: what the program waits for and what came of it.

use super::guard::{cancellable, guard_state};
use super::trace_call;
use crate::event_loop;
use crate::interest::Direction;
use crate::time::Deadline;
use crate::trace;
use std::ffi::c_int;

/// States that the program wants to know when `d` can be read: data, end of file, a new connection to
/// accept, an error or a hang-up. It stays so until `io_dontwantread` or `io_close`: as long as there is
/// something, each wait call finds it again. Stating it twice changes nothing.
///
/// Without effect on a descriptor that is not registered. Keeps errno. Any thread may call it; a thread that
/// sleeps in a wait call takes the change into account at once.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_wantread(d: i64) {
    want(d, Direction::Read, "io_wantread");
}

/// States that the program wants to know when `d` can be written to, or when a connect has finished; else
/// as `io_wantread`. After `io_fd_canwrite` the first call makes it reported without a wait.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_wantwrite(d: i64) {
    want(d, Direction::Write, "io_wantwrite");
}

/// Ends `io_wantread`, at once: an event that the last wait call found is withdrawn. Keeps errno. Any thread
/// may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_dontwantread(d: i64) {
    dont_want(d, Direction::Read, "io_dontwantread");
}

/// Ends `io_wantwrite`, at once; see `io_dontwantread`.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_dontwantwrite(d: i64) {
    dont_want(d, Direction::Write, "io_dontwantwrite");
}

/// Tells that a read, write or accept outside the library answered EAGAIN: withdraws the event in each wanted
/// direction. `io_eagain_read` and `io_eagain_write` say which one. Keeps errno. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_eagain(d: i64) {
    guard_state((), || event_loop::eagain_wanted(d));
    trace_call::silent("io_eagain", d, &[]);
}

/// Tells that a read or accept outside the library answered EAGAIN: withdraws a read event that has not been
/// taken. The next wait call reports the descriptor again if the kernel says so. It is never necessary:
/// events are verified by each wait call. Keeps errno. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_eagain_read(d: i64) {
    guard_state((), || event_loop::eagain(d, Direction::Read));
    trace_call::silent("io_eagain_read", d, &[]);
}

/// The same for a write, or a connect that is under way. It voids the hint of `io_fd_canwrite`.
#[unsafe(no_mangle)]
pub extern "C" fn io_eagain_write(d: i64) {
    guard_state((), || event_loop::eagain(d, Direction::Write));
    trace_call::silent("io_eagain_write", d, &[]);
}

/// Returns the next descriptor that the last wait call found readable and that is still wanted, in the order
/// of arrival, or -1 when there is none left. Each is returned once for a wait call; the number is at most
/// INT_MAX. Makes no system call. Any thread may call it; each event goes to one caller.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_canread() -> i64 {
    next::<false>("io_canread")
}

/// Returns the next writable descriptor; else as `io_canread`.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_canwrite() -> i64 {
    next::<true>("io_canwrite")
}

/// Makes `io_canread` return `d` once, as if a wait call had found it readable, wanted or not; for data that
/// the program holds in a buffer of its own. `io_close` and `io_eagain_read` take it back.
///
/// Returns 1, or 0 if `d` is not registered, or for want of memory (errno ENOMEM). Any thread may call it; a sleeping
/// wait call returns.
#[unsafe(no_mangle)]
pub extern "C" fn io_queueforread(d: i64) -> c_int {
    trace_call::flag("io_queueforread", d, queue_for(d, Direction::Read))
}

/// Makes `io_canwrite` return `d` once; else as `io_queueforread`, with `io_eagain_write`.
#[unsafe(no_mangle)]
pub extern "C" fn io_queueforwrite(d: i64) -> c_int {
    trace_call::flag("io_queueforwrite", d, queue_for(d, Direction::Write))
}

fn queue_for(d: i64, dir: Direction) -> c_int {
    guard_state(0, || c_int::from(event_loop::queue_for(d, dir)))
}

/// Returns the next registered descriptor whose deadline has passed, or -1 at the end of the sweep. A sweep
/// names each descriptor that had expired at its first call once, wanted or not, but for those with an event
/// that has not been taken. The call after -1 begins the next sweep, which names again what was neither
/// closed nor given another deadline. Costs as much as there are expired descriptors. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_timeouted() -> i64 {
    let d = guard_state(-1, || event_loop::expired().map_or(-1, i64::from));
    if trace::is_on() {
        trace_call::reported("io_timeouted", d, trace::expired);
    }
    d
}

/// Returns 1 if `d` has a deadline and it has passed, 0 otherwise. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_timedout(d: i64) -> c_int {
    guard_state(0, || c_int::from(event_loop::is_expired(d)))
}

/// Sets the deadline of a registered descriptor to the moment `t` of the wall clock; seconds of 0 take it
/// away. A wait call returns when it passes, once for each time it is set. Pushing a deadline back is O(1).
///
/// Without effect on a descriptor that is not registered. errno changes only for want of memory (ENOMEM,
/// the deadline is not set). Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_timeout(d: i64, t: crate::ctypes::Taia) {
    let at = Deadline::from_label(t);
    if !event_loop::push_deadline_at_once(d, at) {
        set_deadline(d, at);
    }
}

// Nothing is traced on a fast path.

#[inline(always)]
fn want(d: i64, dir: Direction, what: &'static str) {
    if !cancellable(|| event_loop::want_at_once(d, dir)) {
        want_otherwise(d, dir, what);
    }
}

#[cold]
fn want_otherwise(d: i64, dir: Direction, what: &'static str) {
    cancellable(|| event_loop::want(d, dir));
    trace_call::silent(what, d, &[]);
}

#[inline(always)]
fn dont_want(d: i64, dir: Direction, what: &'static str) {
    if !cancellable(|| event_loop::dont_want_at_once(d, dir)) {
        dont_want_otherwise(d, dir, what);
    }
}

#[cold]
fn dont_want_otherwise(d: i64, dir: Direction, what: &'static str) {
    cancellable(|| event_loop::dont_want(d, dir));
    trace_call::silent(what, d, &[]);
}

#[cold]
fn set_deadline(d: i64, at: Deadline) {
    let set = cancellable(|| event_loop::set_deadline(d, at));
    if trace::is_on() {
        trace_deadline(d, at);
    }
    if let Err(e) = set {
        e.set();
    }
}

#[inline(always)]
fn next<const WRITE: bool>(what: &'static str) -> i64 {
    cancellable(event_loop::next_at_once::<WRITE>).unwrap_or_else(|| next_of_any(WRITE, what))
}

#[cold]
fn next_of_any(write: bool, what: &'static str) -> i64 {
    let d = cancellable(|| event_loop::next(if write { Direction::Write } else { Direction::Read }));
    if trace::is_on() {
        trace_call::reported(what, d, || trace::reported(!write));
    }
    d
}

/// How far away it is; nothing if it is taken away.
#[cold]
fn trace_deadline(d: i64, at: Deadline) {
    match at {
        Deadline::NEVER => trace_call::silent("io_timeout", d, &[]),
        at => trace_call::silent("io_timeout", d, &[("ms", at.ms_from(Deadline::now()))]),
    }
}
