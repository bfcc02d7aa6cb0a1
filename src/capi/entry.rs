//! What every exported function does around its one call: it checks lengths and buffers, guards against panics, tells the
//! trace when the call is over, and turns the result into libowfat's integer and errno. errno is written last, so that
//! nothing in between can overwrite it.
//!
//! A function that calls one of the program's has no guard itself and is `extern "C-unwind"`, so that an exception can
//! pass. The code between those calls is guarded instead ([`crate::sys::guard`]).

use crate::buf::{Source, Target};
use crate::event_loop::{InTime, TimedOut};
use crate::outcome::{Outcome, Stop};
pub(crate) use crate::sys::guard::{cancellable, guard_state};
use crate::trace::{self, Shown};
use nix::errno::Errno;
use std::ffi::{c_char, c_int};

/// The most that one read or write moves (read(2), NOTES). Longer buffers are cut to it, because the kernel
/// refuses some of them (`EFAULT`) before it cuts them itself.
const MAX_RW_COUNT: usize = 0x7fff_f000;

/// Whether a length needs neither a check nor a cut.
#[inline(always)]
pub(crate) fn is_usual(len: i64) -> bool {
    (len as u64).wrapping_sub(1) < MAX_RW_COUNT as u64
}

/// A signed length: negative is `EINVAL`, huge is cut.
fn length(len: i64) -> Result<usize, Errno> {
    if len < 0 {
        return Err(Errno::EINVAL);
    }
    Ok(usize::try_from(len).map_or(MAX_RW_COUNT, |n| n.min(MAX_RW_COUNT)))
}

/// # Safety
/// The caller of the C function keeps what is mapped at `buf` valid for writing until the function returns.
pub(crate) unsafe fn target(buf: *mut c_char, len: i64) -> Result<Target, Errno> {
    let len = length(len)?;
    // SAFETY: the caller's promise is the one that `Target::new` asks for.
    Ok(unsafe { Target::new(buf.cast(), len) })
}

/// # Safety
/// The caller of the C function leaves what is mapped at `buf` unchanged until the function returns.
pub(crate) unsafe fn source(buf: *const c_char, len: i64) -> Result<Source, Errno> {
    let len = length(len)?;
    // SAFETY: the caller's promise is the one that `Source::new` asks for.
    Ok(unsafe { Source::new(buf.cast(), len) })
}

/// 1 for success, 0 with errno for failure: `io_fd`, `io_pipe`, `iob_add*`, `iom_init`.
pub(crate) fn one_or_zero(r: Result<(), Errno>) -> c_int {
    match r {
        Ok(()) => 1,
        Err(e) => {
            e.set();
            0
        }
    }
}

/// The value, or -1 with errno: `io_waituntil2`, `io_receivefd`, `iom_add`.
pub(crate) fn or_minus_one(r: Result<i64, Errno>) -> i64 {
    r.unwrap_or_else(|e| {
        e.set();
        -1
    })
}

/// Bytes moved, -1 with `EAGAIN` for "not ready", -3 with errno for errors: all transfers.
pub(crate) fn moved<N: TryInto<i64>>(r: Outcome<N>) -> i64 {
    match r {
        Ok(n) => n.try_into().unwrap_or(i64::MAX),
        Err(Stop::Again) => {
            Errno::EAGAIN.set();
            -1
        }
        Err(Stop::Failed(e)) => {
            e.set();
            -3
        }
    }
}

/// [`moved`], with -2 and `ETIMEDOUT` for a deadline that passed first.
pub(crate) fn moved_in_time(r: InTime) -> i64 {
    match r {
        Ok(outcome) => moved(outcome),
        Err(TimedOut) => {
            Errno::ETIMEDOUT.set();
            -2
        }
    }
}

/// A named value in a line of the trace.
pub(super) type Detail<'a> = (&'a str, i64);

/// For functions that return 0 on failure: `io_fd`, `io_pipe`, `iom_init`.
#[inline(always)]
pub(super) fn trace_flag(what: &'static str, d: i64, r: c_int) -> c_int {
    trace_flag_of(what, d, r, &[])
}

#[inline(always)]
pub(super) fn trace_flag_of(what: &'static str, d: i64, r: c_int, details: &[Detail]) -> c_int {
    if trace::is_on() {
        line(Some(d), what, r.into(), r == 0, details);
    }
    r
}

/// For functions that return a negative number on failure: transfers and most others.
#[inline(always)]
pub(super) fn trace_count(what: &'static str, d: i64, r: i64, details: &[Detail]) -> i64 {
    if trace::is_on() {
        line(Some(d), what, r, r < 0, details);
    }
    r
}

/// As [`count`], for functions without a descriptor.
#[inline(always)]
pub(super) fn trace_without_fd(what: &'static str, r: i64, details: &[Detail]) -> i64 {
    if trace::is_on() {
        line(None, what, r, r < 0, details);
    }
    r
}

#[cold]
fn line(d: Option<i64>, what: &str, r: i64, failed: bool, details: &[Detail]) {
    trace::call(d, what, r, failed, details);
}

/// For functions without a result.
#[inline(always)]
pub(super) fn trace_silent(what: &'static str, d: i64, details: &[Detail]) {
    if trace::is_on() {
        silent_line(d, what, details);
    }
}

#[cold]
fn silent_line(d: i64, what: &str, details: &[Detail]) {
    trace::line(Some(d), what, Shown::Nothing, details);
}

/// For `io_canread`, `io_canwrite` and `io_timeouted`. -1 is not traced.
#[cold]
pub(super) fn trace_reported(what: &'static str, d: i64, counted: impl FnOnce()) {
    if d >= 0 {
        counted();
        trace::line(Some(d), what, Shown::Number(d), &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_refused_if_negative_and_cut_if_huge() {
        assert_eq!(length(-1), Err(Errno::EINVAL));
        assert_eq!((length(0), length(9)), (Ok(0), Ok(9)));
        assert_eq!(length(i64::MAX), Ok(MAX_RW_COUNT));
        assert!(is_usual(1) && is_usual(MAX_RW_COUNT as i64));
        assert!(![0, -1, i64::MIN, MAX_RW_COUNT as i64 + 1].into_iter().any(is_usual));
    }

    #[test]
    fn each_kind_of_result_has_its_number_and_errno() {
        assert_eq!(one_or_zero(Ok(())), 1);
        assert_eq!((one_or_zero(Err(Errno::EMFILE)), Errno::last()), (0, Errno::EMFILE));
        assert_eq!(or_minus_one(Ok(5)), 5);
        assert_eq!((or_minus_one(Err(Errno::EPROTO)), Errno::last()), (-1, Errno::EPROTO));
        assert_eq!(moved(Ok(0u64)), 0);
        assert_eq!((moved::<u64>(Err(Stop::Again)), Errno::last()), (-1, Errno::EAGAIN));
        assert_eq!((moved_in_time(Err(TimedOut)), Errno::last()), (-2, Errno::ETIMEDOUT));
        assert_eq!((moved::<u64>(Err(Stop::Failed(Errno::EPIPE))), Errno::last()), (-3, Errno::EPIPE));
    }
}
