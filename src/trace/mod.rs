//! The trace (`OWFAT_IO_TRACE`: a line for each event) and the counters (`OWFAT_IO_STATS`).
//!
//! # What it costs
//!
//! While both are off, each call tests one byte. `io_tryread` and `io_trywrite` test nothing more, because the slot of a
//! descriptor says whether it is traced ([`Access`](crate::slot::Access)). The loop decides the same with and without.
//!
//! # When it starts
//!
//! The environment is read when the library is loaded ([`begin`]), because many programs overwrite it later. A file is
//! opened at the first line. So a preloaded program that does no I/O through the library leaves no file behind.
//!
//! # What must not happen
//!
//! * errno, the standard streams and other files of the program must not change: see [`quietly`] and [`LogFile`].
//! * A failure to write a file ends the trace and not the program. There is one line on standard error if the file could
//!   not be opened, and none for later failures.
//! * No line is written under the lock of the event loop, because other threads would wait for the disk.
//!
//! [`LogFile`]: crate::sys::logfile::LogFile

mod errors;
mod lines;
mod path;
mod process;
mod sink;
mod stats;

pub(crate) use lines::{Shown, call, line};
pub(crate) use stats::{batch, expired, reported, spurious};

use crate::event_loop::attention;
use crate::sys::lock::ForkLock;
use crate::sys::thread::{Uncancelled, forget_number};
use crate::sys::{count, env, fork};
use crate::text::Text;
use crate::time::{Moment, Span};
use nix::errno::Errno;
use sink::Sink;
use stats::Stats;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

const TRACED: u8 = 1;
const COUNTED: u8 = 2;

/// Which of the two are on, as bits.
static WATCHED: AtomicU8 = AtomicU8::new(0);
static SINK: ForkLock<Sink, true> = ForkLock::new(Sink::new());
static STATS: ForkLock<Stats, true> = ForkLock::new(Stats::new());

/// Whether the trace or the counters are on.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    WATCHED.load(Relaxed) != 0
}

fn is_traced() -> bool {
    WATCHED.load(Relaxed) & TRACED != 0
}

#[inline(always)]
fn is_counted() -> bool {
    WATCHED.load(Relaxed) & COUNTED != 0
}

fn end(what: u8) {
    if WATCHED.fetch_and(!what, Relaxed) & !what == 0 {
        attention::end(attention::TRACED);
    }
}

/// Reads the environment. Called when the library is loaded.
pub(crate) fn begin() {
    let traced = env::with_secure(c"OWFAT_IO_TRACE", |path| SINK.lock().path.set(path));
    let counted = env::with_secure(c"OWFAT_IO_STATS", |path| STATS.lock().path.set(path));
    if !traced && !counted {
        return;
    }
    // Without fork handlers the file of a child would begin with what its parent was about to write.
    if fork::at_fork(in_parent, in_child).is_err() {
        return;
    }
    if counted {
        count::begin();
    }
    attention::raise(attention::TRACED);
    WATCHED.store(if traced { TRACED } else { 0 } | if counted { COUNTED } else { 0 }, Relaxed);
}

/// Called when the process ends. That may be in a signal handler, which has interrupted a thread that holds a lock. Then the
/// last lines are lost.
pub(crate) fn at_exit() {
    if !is_on() {
        return;
    }
    quietly(|| {
        if let Some(mut sink) = is_traced().then(|| SINK.try_lock()).flatten() {
            sink.add(|| lines::plain("end", Shown::Nothing));
            sink.write_out();
        }
        if let Some(mut stats) = is_counted().then(|| STATS.try_lock()).flatten() {
            stats.write_out();
        }
    });
}

/// Called before a look, which may take `timeout`. Writes out everything, so that the files are complete during a sleep.
/// Returns what [`look_ends`] needs, and a timeout after which the counters have to be written again.
#[cold]
pub(crate) fn look_begins(timeout: Span) -> (Moment, Span) {
    let sleeps = timeout != Span::ZERO;
    quietly(|| {
        if is_traced() {
            let mut sink = SINK.lock();
            if sleeps {
                sink.add(|| lines::with("sleep", Shown::Nothing, &[("ms", timeout.to_ms().into())]));
                sink.write_out();
            }
        }
        if is_counted() {
            STATS.lock().write_if_due();
        }
    });
    let due = if is_counted() { stats::due() } else { Span::FOREVER };
    (Moment::now(), timeout.min(due))
}

/// Called after a look, with the number of events.
#[cold]
pub(crate) fn look_ends(begun: Moment, backend: &'static str, found: Result<usize, Errno>) {
    quietly(|| {
        if is_traced() {
            SINK.lock().add(|| lines::look(found));
        }
        if is_counted() {
            stats::look(backend, begun, found.unwrap_or(0));
        }
    });
}

/// Called before a sleep that is no look. Writes out everything, so that the files are complete meanwhile.
#[inline(always)]
pub(crate) fn before_sleep() {
    if is_on() {
        write_out();
    }
}

#[cold]
fn write_out() {
    quietly(|| {
        if is_traced() {
            SINK.lock().write_out();
        }
        if is_counted() {
            STATS.lock().write_if_due();
        }
    });
}

/// Runs `f`, keeps errno, and keeps the thread from being cancelled.
fn quietly(f: impl FnOnce()) {
    let errno = Errno::last_raw();
    let uncancelled = Uncancelled::begin();
    f();
    drop(uncancelled);
    Errno::set_raw(errno);
}

/// Says on standard error that a file cannot be opened.
fn complain(variable: &str, path: &CStr, e: Errno) {
    let mut text = Text::new();
    for part in ["libowfat_io: ", variable, ": "] {
        text.add(part);
    }
    text.add_path(path.to_bytes());
    for part in [" cannot be written (", errors::name(e), "); going on without\n"] {
        text.add(part);
    }
    text.say();
}

extern "C" fn in_parent() {}

extern "C" fn in_child() {
    forget_number();
    count::reset();
    // What another thread of the parent was writing is the parent's.
    STATS.in_child(|stats, _| stats.inherited());
    SINK.in_child(|sink, _| sink.inherited());
}
