//! Records each call, after it is done, in the trace and the counters. Each function here returns the call's result, and
//! costs one test when tracing is off.

use crate::trace::{self, Shown};
use std::ffi::c_int;

/// A named value in a line of the trace.
pub(super) type Detail<'a> = (&'a str, i64);

/// For functions that return 0 on failure: `io_fd`, `io_pipe`, `iom_init`.
#[inline(always)]
pub(super) fn flag(what: &'static str, d: i64, r: c_int) -> c_int {
    flag_of(what, d, r, &[])
}

#[inline(always)]
pub(super) fn flag_of(what: &'static str, d: i64, r: c_int, details: &[Detail]) -> c_int {
    if trace::is_on() {
        line(Some(d), what, r.into(), r == 0, details);
    }
    r
}

/// For functions that return a negative number on failure: transfers and most others.
#[inline(always)]
pub(super) fn count(what: &'static str, d: i64, r: i64, details: &[Detail]) -> i64 {
    if trace::is_on() {
        line(Some(d), what, r, r < 0, details);
    }
    r
}

/// As [`count`], for functions without a descriptor.
#[inline(always)]
pub(super) fn without_fd(what: &'static str, r: i64, details: &[Detail]) -> i64 {
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
pub(super) fn silent(what: &'static str, d: i64, details: &[Detail]) {
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
pub(super) fn reported(what: &'static str, d: i64, counted: impl FnOnce()) {
    if d >= 0 {
        counted();
        trace::line(Some(d), what, Shown::Number(d), &[]);
    }
}
