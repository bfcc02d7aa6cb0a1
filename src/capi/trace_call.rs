//! What a trace and the counters are told of each call, when it is over. Each hook returns the call's result, and costs one
//! test when nobody traces.

use crate::trace::{self, Shown};
use std::ffi::c_int;

/// A value of the line, with its name.
pub(super) type Detail<'a> = (&'a str, i64);

/// 0 is failure: `io_fd`, `io_pipe`, `iom_init`.
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

/// Negative is failure: all that transfers, and most else.
#[inline(always)]
pub(super) fn count(what: &'static str, d: i64, r: i64, details: &[Detail]) -> i64 {
    if trace::is_on() {
        line(Some(d), what, r, r < 0, details);
    }
    r
}

/// Negative is failure, and there is no descriptor.
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

/// A function without a result.
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

/// Of what `io_canread` and its like return only descriptors are told.
#[cold]
pub(super) fn reported(what: &'static str, d: i64, counted: impl FnOnce()) {
    if d >= 0 {
        counted();
        trace::line(Some(d), what, Shown::Number(d), &[]);
    }
}
