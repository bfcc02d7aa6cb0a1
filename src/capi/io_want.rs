//! Interest, reports and deadlines.

use super::entry::{cancellable, guard_state, trace_flag, trace_reported, trace_silent};
use crate::event_loop;
use crate::interest::Direction;
use crate::time::Deadline;
use crate::trace;
use std::ffi::c_int;

/// States interest in reading `d`. As long as `d` is readable (data, end of file, a connection to accept, an
/// error or a hang-up), each wait call finds it and `io_canread` reports it. The interest stands until
/// `io_dontwantread` or `io_close`. Stating it twice changes nothing.
///
/// Does nothing if `d` is not registered. Keeps errno. Any thread may call it, and a thread that sleeps in a
/// wait call takes the change into account at once.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_wantread(d: i64) {
    want(d, Direction::Read, "io_wantread");
}

/// States interest in writing to `d`. As long as `d` is writable (room for data, a connect that has finished
/// or failed, an error or a hang-up), each wait call finds it and `io_canwrite` reports it. After
/// `io_fd_canwrite` the first call makes `io_canwrite` return `d` without a wait call. The rest is as with
/// `io_wantread`. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_wantwrite(d: i64) {
    want(d, Direction::Write, "io_wantwrite");
}

/// Withdraws the interest that `io_wantread` stated, and a read report that has not been taken. Keeps errno.
/// Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_dontwantread(d: i64) {
    dont_want(d, Direction::Read, "io_dontwantread");
}

/// Withdraws the interest that `io_wantwrite` stated, and a write report that has not been taken. Keeps
/// errno. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_dontwantwrite(d: i64) {
    dont_want(d, Direction::Write, "io_dontwantwrite");
}

/// Tells the loop that a system call on `d`, made outside the library, returned EAGAIN. Withdraws pending
/// reports in each direction that there is interest in; `io_eagain_read` and `io_eagain_write` are exact.
/// Keeps errno. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_eagain(d: i64) {
    guard_state((), || event_loop::eagain_wanted(d));
    trace_silent("io_eagain", d, &[]);
}

/// Tells the loop that a read or accept on `d`, made outside the library, returned EAGAIN. Withdraws a read
/// report that has not been taken; the next wait call asks the kernel again. The call is optional, because
/// each wait call does that anyway. Keeps errno. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_eagain_read(d: i64) {
    guard_state((), || event_loop::eagain(d, Direction::Read));
    trace_silent("io_eagain_read", d, &[]);
}

/// Tells the loop that a write or connect on `d`, made outside the library, returned EAGAIN. Withdraws a
/// write report that has not been taken, and the hint of `io_fd_canwrite`. The rest is as with
/// `io_eagain_read`. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_eagain_write(d: i64) {
    guard_state((), || event_loop::eagain(d, Direction::Write));
    trace_silent("io_eagain_write", d, &[]);
}

/// Returns the next descriptor that the last wait call found readable, if there is still interest in reading
/// it, or -1 if there is none left. Descriptors come in the order in which the kernel found them ready. Each
/// comes once for a wait call. The number is at most INT_MAX.
///
/// It makes no system call and does not wait; after `io_starteventloopthread` it waits for a report. Any
/// thread may call it, and each report goes to one caller.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_canread() -> i64 {
    next::<false>("io_canread")
}

/// Returns the next descriptor that the last wait call found writable, if there is still interest in writing
/// to it, or -1 if there is none left. The rest is as with `io_canread`. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_canwrite() -> i64 {
    next::<true>("io_canwrite")
}

/// Makes `io_canread` return `d` once, ready or not, with interest or without. It is for data that the
/// program has read already and holds in a buffer of its own. `io_close` and `io_eagain_read` take it back.
///
/// Returns 1, or 0 if `d` is not registered, or with errno ENOMEM. Any thread may call it, and a thread that
/// sleeps in a wait call returns from it.
#[unsafe(no_mangle)]
pub extern "C" fn io_queueforread(d: i64) -> c_int {
    trace_flag("io_queueforread", d, queue_for(d, Direction::Read))
}

/// Makes `io_canwrite` return `d` once, ready or not, with interest or without. `io_close` and
/// `io_eagain_write` take it back.
///
/// Returns 1, or 0 if `d` is not registered, or with errno ENOMEM. Any thread may call it, and a thread that
/// sleeps in a wait call returns from it.
#[unsafe(no_mangle)]
pub extern "C" fn io_queueforwrite(d: i64) -> c_int {
    trace_flag("io_queueforwrite", d, queue_for(d, Direction::Write))
}

fn queue_for(d: i64, dir: Direction) -> c_int {
    guard_state(0, || c_int::from(event_loop::queue_for(d, dir)))
}

/// Returns the next registered descriptor whose deadline has passed, with interest or without, or -1 at the
/// end of the sweep. A sweep returns each descriptor that had expired when it began once. It passes over
/// descriptors with a report that has not been taken. The call after -1 begins the next sweep, which returns
/// again each expired descriptor that was neither closed nor given another deadline.
///
/// The cost is proportional to the number of expired descriptors. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_timeouted() -> i64 {
    let d = guard_state(-1, || event_loop::expired().map_or(-1, i64::from));
    if trace::is_on() {
        trace_reported("io_timeouted", d, trace::expired);
    }
    d
}

/// Returns 1 if `d` has a deadline and it has passed, 0 otherwise. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_timedout(d: i64) -> c_int {
    guard_state(0, || c_int::from(event_loop::is_expired(d)))
}

/// Sets the deadline of registered descriptor `d` to `t`, an absolute time of the wall clock; `taia_now` and
/// `taia_addsec` make one. A `t` with 0 seconds removes the deadline. When it passes, a wait call returns,
/// once for each time it is set. Moving a deadline back takes constant time.
///
/// Does nothing if `d` is not registered. If it fails, errno is ENOMEM and the deadline is not set. Any
/// thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_timeout(d: i64, t: crate::ctypes::Taia) {
    let at = Deadline::from_label(t);
    if !event_loop::push_deadline_at_once(d, at) {
        set_deadline(d, at);
    }
}

// A fast path is taken only while nothing is traced.

#[inline(always)]
fn want(d: i64, dir: Direction, what: &'static str) {
    if !cancellable(|| event_loop::want_at_once(d, dir)) {
        want_otherwise(d, dir, what);
    }
}

#[cold]
fn want_otherwise(d: i64, dir: Direction, what: &'static str) {
    cancellable(|| event_loop::want(d, dir));
    trace_silent(what, d, &[]);
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
    trace_silent(what, d, &[]);
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
        trace_reported(what, d, || trace::reported(!write));
    }
    d
}

/// Traces how many milliseconds are left, or no number if the deadline is removed.
#[cold]
fn trace_deadline(d: i64, at: Deadline) {
    match at {
        Deadline::NEVER => trace_silent("io_timeout", d, &[]),
        at => trace_silent("io_timeout", d, &[("ms", at.ms_from(Deadline::now()))]),
    }
}
