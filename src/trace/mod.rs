//! What the library tells of itself while it works: a line for each event (`OWFAT_IO_TRACE`), counters
//! (`OWFAT_IO_STATS`).
//!
//! # What it costs
//!
//! One test of a byte in each call while both are off; none in `io_tryread` and `io_trywrite`, for the slot of a descriptor
//! says that it is traced ([`Access`](crate::slot::Access)). What the loop decides is the same as without.
//!
//! # When
//!
//! The environment is read when the library is loaded ([`begin`]), because many programs overwrite theirs later. A file
//! is opened when there is the first thing to write, so that a program which was preloaded and does no I/O through us
//! leaves nothing behind.
//!
//! # What must not happen
//!
//! * errno, the standard streams and other files of the program are left alone: see [`quietly`] and [`LogFile`].
//! * A trouble with a file ends the watching, never the program: one line on standard error if it could not be opened,
//!   and silence later.
//! * No line is made under the lock of the event loop: other threads would wait for the disk.
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

/// The sum of what is on.
static WATCHED: AtomicU8 = AtomicU8::new(0);
static SINK: ForkLock<Sink, true> = ForkLock::new(Sink::new());
static STATS: ForkLock<Stats, true> = ForkLock::new(Stats::new());

/// Whether there is anybody to tell.
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

/// The library has been loaded.
pub(crate) fn begin() {
    let traced = env::with_secure(c"OWFAT_IO_TRACE", |path| SINK.lock().path.set(path));
    let counted = env::with_secure(c"OWFAT_IO_STATS", |path| STATS.lock().path.set(path));
    if !traced && !counted {
        return;
    }
    // Without it the file of a child would begin with what its parent was about to write.
    if fork::at_fork(in_parent, in_child).is_err() {
        return;
    }
    if counted {
        count::begin();
    }
    attention::raise(attention::TRACED);
    WATCHED.store(if traced { TRACED } else { 0 } | if counted { COUNTED } else { 0 }, Relaxed);
}

/// The process ends. Perhaps in a signal handler, which has found a thread with a lock in its hand: then what it was
/// doing is lost.
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

/// A look at the kernel begins that may take so long. Says what [`look_ends`] gets, and how long
/// it may take so that the counters are written in time. Whoever reads the files during a sleep finds all that was
/// before.
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

/// The look is over, with so many events.
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

/// Before a sleep that is no look at the kernel: what is known so far can be read meanwhile.
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

/// Keeps errno, and the thread from being cancelled.
fn quietly(f: impl FnOnce()) {
    let errno = Errno::last_raw();
    let uncancelled = Uncancelled::begin();
    f();
    drop(uncancelled);
    Errno::set_raw(errno);
}

/// That a file cannot be opened is worth a line: somebody wanted it.
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
    // Whatever another thread of the parent was writing is the parent's.
    STATS.in_child(|stats, _| stats.inherited());
    SINK.in_child(|sink, _| sink.inherited());
}
