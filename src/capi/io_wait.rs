//! The four wait calls.

use super::entry::{cancellable, guard_state, or_minus_one, trace_without_fd};
use crate::ctypes::Taia;
use crate::event_loop::{self, Limit};
use crate::time::Deadline;
use std::ffi::{c_int, c_uint};

/// The result of `io_waituntil2`. The headers declare these functions void, but libowfat leaves the number in the return
/// register, and its manual promises it for `io_check`. Old callers may use it.
pub type Silent = i64;

/// Waits until a descriptor is ready in a direction that the program has stated interest in, until the
/// deadline of a registered descriptor passes, or until a signal handler has run (with SA_RESTART, too).
/// Afterwards `io_canread`, `io_canwrite` and `io_timeouted` report what happened, which may be nothing.
///
/// Returns at once if a report of the last wait call has not been taken yet, or if there is neither interest
/// nor a deadline. A report that is not taken is not lost: the next wait call finds it again if the
/// descriptor is still ready.
///
/// Any thread may call it, and several may wait at once.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_wait() -> Silent {
    wait("io_wait", Limit::Never)
}

/// Waits as `io_wait` does, but only until `t`, an absolute time of the wall clock as `taia_now` gives it.
/// Rounding never makes it return before `t`, and it returns at most a millisecond after `t`. If `t` has
/// passed, it looks without waiting. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_waituntil(t: Taia) {
    wait("io_waituntil", Limit::WallClock(Deadline::moment(t)));
}

/// Waits as `io_wait` does, for at most `milliseconds`. 0 looks without waiting; a negative number means no
/// limit.
///
/// Returns the number of events that the kernel reported, not all of which the program need have an interest
/// in. Returns 0 if the time is over, and if there is nothing to wait for. Returns -1 with errno: EINTR (a
/// signal handler ran), ENOMEM, EMFILE or ENFILE (no descriptor left for the event loop of a forked process).
/// Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_waituntil2(milliseconds: i64) -> i64 {
    wait("io_waituntil2", u64::try_from(milliseconds).map_or(Limit::Never, Limit::after_ms))
}

/// Looks for ready descriptors as `io_wait` does, without waiting. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn io_check() -> Silent {
    wait("io_check", Limit::Now)
}

/// Starts `threads` threads of the library, which wait for events from now on in place of the program's.
/// (libowfat declares this function and never defined it; its meaning is this library's.)
///
/// The program's threads, as many as it likes, call `io_canread` and `io_canwrite`, which then wait until
/// there is a report. Each report goes to one thread, which then holds a lease on the descriptor: no other
/// thread is told of that descriptor until the holder asks for its next report, with either function. If the
/// descriptor is still ready then and there is interest in it, it is reported again. So no two handlers work
/// on one descriptor, and unread data is not lost. A thread that ends, or goes on to other work, keeps its
/// lease; let it call `io_dontwantread` or `io_close` first.
///
/// The wait calls return 0 at once. `io_timeouted` works as before, and passes over descriptors with a lease.
/// `io_finishandshutdown` ends the threads; then `io_canread` and `io_canwrite` return -1 in every thread
/// that waits in them or calls them later. A child of fork(2) has none of the threads and waits with
/// `io_wait`.
///
/// All signals are blocked in these threads. Their name is `owfat-io`. Calling the function again adds
/// threads.
///
/// Returns 0, or -1 with errno EAGAIN (no more threads), ENOMEM, EMFILE or ENFILE; no thread was started
/// then. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C" fn io_starteventloopthread(threads: c_uint) -> c_int {
    let r = guard_state(-1, || or_minus_one(event_loop::start_event_loop_threads(threads).map(|()| 0)));
    trace_without_fd("io_starteventloopthread", r, &[("threads", threads.into())]) as c_int
}

fn wait(what: &'static str, limit: Limit) -> i64 {
    trace_without_fd(what, cancellable(|| or_minus_one(event_loop::wait(limit).map(|n| n as i64))), &[])
}
