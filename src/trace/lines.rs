//! The lines of a trace: `SECONDS.MICROSECONDS PROCESS/THREAD DESCRIPTOR WHAT RESULT [ERROR] [NAME=VALUE]...`, with `-`
//! for a missing part. libowfat_io(3) explains them; `owfat-io-trace` reads them.

use super::errors;
use super::{SINK, is_traced, process, quietly};
use crate::sys::clock;
use crate::sys::thread::number;
use crate::text::Text;
use nix::errno::Errno;

/// The result in a line.
#[derive(Clone, Copy)]
pub(crate) enum Shown {
    Nothing,
    Number(i64),
    Word(&'static str),
    Failure(i64, Errno),
}

/// Writes a line about descriptor `d`, if there is one.
pub(crate) fn line(d: Option<i64>, what: &str, shown: Shown, details: &[(&str, i64)]) {
    if is_traced() {
        quietly(|| SINK.lock().add(|| put(d, what, shown, details)));
    }
}

/// Writes the line of a call that has ended. If it `failed`, errno is set.
pub(crate) fn call(d: Option<i64>, what: &str, r: i64, failed: bool, details: &[(&str, i64)]) {
    let shown = if failed { Shown::Failure(r, Errno::last()) } else { Shown::Number(r) };
    line(d, what, shown, details);
}

/// The text of a line without a descriptor, for callers that have locked the sink.
pub(super) fn plain(what: &str, shown: Shown) -> Text {
    put(None, what, shown, &[])
}

pub(super) fn with(what: &str, shown: Shown, details: &[(&str, i64)]) -> Text {
    put(None, what, shown, details)
}

pub(super) fn look(found: Result<usize, Errno>) -> Text {
    plain("woke", found.map_or_else(|e| Shown::Failure(-1, e), |n| Shown::Number(n as i64)))
}

fn put(d: Option<i64>, what: &str, shown: Shown, details: &[(&str, i64)]) -> Text {
    let mut text = Text::new();
    add_time(&mut text);
    text.add(" ");
    text.add_decimal(process::own().into());
    text.add("/");
    text.add_decimal(number().into());
    text.add(" ");
    match d {
        Some(d) => add_signed(&mut text, d),
        None => text.add("-"),
    }
    text.add(" ");
    text.add(what);
    text.add(" ");
    match shown {
        Shown::Nothing => text.add("-"),
        Shown::Number(n) => add_signed(&mut text, n),
        Shown::Word(word) => text.add(word),
        Shown::Failure(n, e) => {
            add_signed(&mut text, n);
            text.add(" ");
            text.add(errors::name(e));
        }
    }
    for (name, value) in details {
        text.add(" ");
        text.add(name);
        text.add("=");
        add_signed(&mut text, *value);
    }
    text.add("\n");
    text
}

fn add_time(text: &mut Text) {
    let (seconds, nanoseconds) = clock::real().unwrap_or((0, 0));
    add_signed(text, seconds);
    text.add(".");
    text.add_padded(nanoseconds as u64 / 1000, 6);
}

fn add_signed(text: &mut Text, n: i64) {
    if n < 0 {
        text.add("-");
    }
    text.add_decimal(n.unsigned_abs());
}
