//! The counters, and their file, which has a line `NAME VALUE` for each.
//!
//! Servers are more often killed by a signal than they exit. So the file is written not only at the end, but also while the
//! process runs: at most once a second, and only if something has happened.

use super::path::KeptPath;
use super::{COUNTED, complain, end, is_counted, process};
use crate::sys::count;
use crate::sys::logfile::{LogFile, size_limit};
use crate::text::{self, Text};
use crate::time::{Moment, Span};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// The time between two writes of the file.
const PACE: Span = Span::millis(1000);

const BACKENDS: [&str; 2] = ["epoll", "poll"];

struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    fn raise_to(&self, n: u64) {
        self.0.fetch_max(n, Relaxed);
    }
}

/// Looks, and the nanoseconds in them, by backend.
static LOOKS: [Counter; BACKENDS.len()] = [const { Counter::new() }; BACKENDS.len()];
static NANOSECONDS: [Counter; BACKENDS.len()] = [const { Counter::new() }; BACKENDS.len()];

/// Events that the kernel reported.
static EVENTS: Counter = Counter::new();
static READABLE: Counter = Counter::new();
static WRITABLE: Counter = Counter::new();
static EXPIRED: Counter = Counter::new();
static SPURIOUS: Counter = Counter::new();
static BATCHES: Counter = Counter::new();
static LARGEST_BYTES: Counter = Counter::new();
static LARGEST_ENTRIES: Counter = Counter::new();

static NAMED: [(&str, &Counter); 8] = [
    ("events", &EVENTS),
    ("reports.read", &READABLE),
    ("reports.write", &WRITABLE),
    ("deadlines.expired", &EXPIRED),
    ("wakeups.spurious", &SPURIOUS),
    ("batches.sent", &BATCHES),
    ("batches.largest_bytes", &LARGEST_BYTES),
    ("batches.largest_entries", &LARGEST_ENTRIES),
];

/// Something has changed since the file was written.
static NEWS: AtomicBool = AtomicBool::new(false);

pub(super) struct Stats {
    pub(super) path: KeptPath,
    file: Option<LogFile>,
    /// When the file may be written again.
    next: Option<Moment>,
}

impl Stats {
    pub(super) const fn new() -> Stats {
        Stats { path: KeptPath::new(), file: None, next: None }
    }

    pub(super) fn write_if_due(&mut self) {
        if NEWS.load(Relaxed) && self.next.is_none_or(|next| next.left() == Span::ZERO) {
            self.write_out();
            self.next = Some(Moment::now().after(PACE));
        }
    }

    /// Writes the file. If that fails, counting ends.
    pub(super) fn write_out(&mut self) {
        NEWS.store(false, Relaxed);
        if self.file.is_none() {
            self.open();
        }
        let Some(file) = &self.file else { return };
        let text = describe();
        let text = text.bytes().unwrap_or_default();
        if text.len() as u64 > size_limit() || file.replace(text).is_err() {
            end(COUNTED);
        }
    }

    /// Opens the file of this process. Each process writes its own.
    fn open(&mut self) {
        let len = self.path.len();
        let mut suffix = Text::new();
        suffix.add(".");
        suffix.add_decimal(process::own().into());
        self.path.add(suffix.bytes().unwrap_or_default());
        match LogFile::open(self.path.get(), 0) {
            Ok(file) => self.file = Some(file),
            Err(e) => {
                end(COUNTED);
                complain("OWFAT_IO_STATS", self.path.get(), e);
            }
        }
        self.path.truncate(len);
    }

    /// For a new child process, which counts its own.
    pub(super) fn inherited(&mut self) {
        self.file = None;
        self.next = None;
        NAMED
            .iter()
            .map(|(_, counter)| *counter)
            .chain(&LOOKS)
            .chain(&NANOSECONDS)
            .for_each(|c| c.0.store(0, Relaxed));
    }
}

/// How long a sleep may last before the file has to be written.
pub(super) fn due() -> Span {
    if NEWS.load(Relaxed) { PACE } else { Span::FOREVER }
}

pub(super) fn look(backend: &str, begun: Moment, found: usize) {
    let took = begun.since();
    for ((name, looks), nanoseconds) in BACKENDS.iter().zip(&LOOKS).zip(&NANOSECONDS) {
        if *name == backend {
            looks.add(1);
            nanoseconds.add(took);
        }
    }
    EVENTS.add(found as u64);
    if found > 0 {
        NEWS.store(true, Relaxed);
    }
}

/// Counts a look that found only unwanted events.
#[inline(always)]
pub(crate) fn spurious() {
    if is_counted() {
        SPURIOUS.add(1);
    }
}

/// Counts a descriptor that `io_canread` (`is_read`) or `io_canwrite` returns.
pub(crate) fn reported(is_read: bool) {
    if is_counted() {
        if is_read { &READABLE } else { &WRITABLE }.add(1);
    }
}

/// Counts a descriptor that `io_timeouted` returns.
pub(crate) fn expired() {
    if is_counted() {
        EXPIRED.add(1);
        NEWS.store(true, Relaxed);
    }
}

/// Counts a batch that is about to be sent.
pub(crate) fn batch(bytes: u64, entries: usize) {
    if is_counted() {
        BATCHES.add(1);
        LARGEST_BYTES.raise_to(bytes);
        LARGEST_ENTRIES.raise_to(entries as u64);
        NEWS.store(true, Relaxed);
    }
}

fn describe() -> Text<{ text::LONG }> {
    let mut text = Text::with_room();
    let mut add = |kind: &str, name: &str, value: u64| {
        text.add(kind);
        text.add(name);
        text.add(" ");
        text.add_decimal(value);
        text.add("\n");
    };
    add("", "process", process::own().into());
    for ((name, looks), nanoseconds) in BACKENDS.iter().zip(&LOOKS).zip(&NANOSECONDS) {
        let looks = looks.0.load(Relaxed);
        if looks > 0 {
            add("waits.", name, looks);
            add("wait_microseconds.", name, nanoseconds.0.load(Relaxed) / 1000);
        }
    }
    for (name, counter) in NAMED {
        add("", name, counter.0.load(Relaxed));
    }
    count::each(|name, n| add("call.", name, n));
    text
}
