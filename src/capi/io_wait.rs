//! The four wait calls.

use super::guard::{cancellable, guard_state};
use super::ret::or_minus_one;
use super::trace_call;
use crate::ctypes::Taia;
use crate::event_loop::{self, Limit};
use crate::time::Deadline;
use std::ffi::{c_int, c_uint};

/// The result of `io_waituntil2`, left in the return register by functions that the headers declare void, as
/// libowfat leaves it: its manual promises it for `io_check`, and old callers may look.
pub type Silent = i64;

/// Waits until a registered descriptor can be read or written as the program wants, a deadline passes, or a
/// signal handler has run, whatever SA_RESTART says. Returns at once if an event has not been taken yet, or
/// if nothing is wanted and no deadline is set. `io_canread`, `io_canwrite` and `io_timeouted` then tell what
/// there is; it may be nothing. No event is lost by not taking it: what is still so is found again.
///
/// Any thread may call it, also several at once.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_wait() -> Silent {
    wait("io_wait", Limit::Never)
}

/// Like `io_wait`, until the moment `t` of the wall clock at the latest; never earlier for rounding, and up
/// to a millisecond later. A moment that has passed makes it look without waiting.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_waituntil(t: Taia) {
    wait("io_waituntil", Limit::WallClock(Deadline::moment(t)));
}

/// Like `io_wait`, for up to `milliseconds`. 0 looks without waiting; a negative number is no limit.
///
/// Returns the number of events that the kernel reported (0: the time has passed, or there is nothing to
/// wait for; more than 0 does not mean that one of them is wanted), or -1 with errno: EINTR (a signal handler
/// ran), ENOMEM, EMFILE or ENFILE (no descriptor left for the event loop of a forked process).
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_waituntil2(milliseconds: i64) -> i64 {
    wait("io_waituntil2", u64::try_from(milliseconds).map_or(Limit::Never, Limit::after_ms))
}

/// Looks for events without waiting; else as `io_wait`.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_check() -> Silent {
    wait("io_check", Limit::Now)
}

/// Has `threads` threads of the library wait for events from now on, one of them at a time, in place of the
/// program. libowfat has declared this function for years and defined it nowhere; the definition is this library's.
///
/// The program's threads, as many as it likes, take the events with `io_canread` and `io_canwrite`, which then
/// wait until there is one. Each event goes to one thread. The descriptor stays with that thread until it asks
/// for its next event, whichever of the two functions it calls: meanwhile no other thread is told of it, whatever
/// is ready or wanted. Afterwards it is reported again if it is still ready and wanted. So a handler works
/// undisturbed, and nothing is lost if it leaves data unread. A thread that ends, or works on elsewhere, leaves it
/// to nobody: let it call `io_dontwantread` or `io_close` first.
///
/// The wait calls return at once, with 0. Deadlines are asked for with `io_timeouted`, which passes over what a
/// thread has in hand. `io_finishandshutdown` ends the threads; the program's own that wait then get -1, as does
/// every later call. A forked child has none of the threads, and waits with `io_wait`.
///
/// Signals are blocked in the library's threads, which `top -H` shows as `owfat-io`. A second call adds threads.
/// Returns 0, or -1 with errno EAGAIN (no more threads), ENOMEM, EMFILE or ENFILE; then none was added.
#[unsafe(no_mangle)]
pub extern "C" fn io_starteventloopthread(threads: c_uint) -> c_int {
    let r = guard_state(-1, || or_minus_one(event_loop::start_event_loop_threads(threads).map(|()| 0)));
    trace_call::without_fd("io_starteventloopthread", r, &[("threads", threads.into())]) as c_int
}

fn wait(what: &'static str, limit: Limit) -> i64 {
    trace_call::without_fd(what, cancellable(|| or_minus_one(event_loop::wait(limit).map(|n| n as i64))), &[])
}
