//! All lines of a trace, by process and descriptor.

use crate::line::Entry;
use crate::words::{self, Kind};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Happening {
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) thread: u32,
    pub(crate) kind: Kind,
    pub(crate) bytes: i64,
    pub(crate) words: String,
}

/// One look at the kernel.
pub(crate) struct Sleep {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Events that ended it.
    pub(crate) events: i64,
}

#[derive(Default)]
pub(crate) struct Process {
    pub(crate) descriptors: BTreeMap<i64, Vec<Happening>>,
    pub(crate) sleeps: Vec<Sleep>,
    /// Calls that are about no descriptor.
    pub(crate) others: Vec<Happening>,
    pub(crate) threads: BTreeSet<u32>,
    /// Threads that are asleep, and since when.
    asleep: BTreeMap<u32, i64>,
}

#[derive(Default)]
pub(crate) struct Story {
    pub(crate) processes: BTreeMap<u32, Process>,
    span: Option<(i64, i64)>,
}

impl Story {
    pub(crate) fn add(&mut self, entry: &Entry) {
        let (begin, end) = self.span.unwrap_or((entry.at, entry.at));
        self.span = Some((begin.min(entry.at), end.max(entry.at)));
        let process = self.processes.entry(entry.process).or_default();
        process.threads.insert(entry.thread);
        match (entry.descriptor, entry.what) {
            (Some(d), _) => {
                let (kind, bytes, words) = words::of(entry);
                let happening = Happening { at: entry.at, thread: entry.thread, kind, bytes, words };
                process.descriptors.entry(d).or_default().push(happening);
            }
            (None, "sleep") => {
                process.asleep.insert(entry.thread, entry.at);
            }
            (None, "woke") => process.wakes(entry),
            // They only frame the looks.
            (None, "io_wait" | "io_waituntil" | "io_waituntil2" | "io_check") if entry.error.is_none() => {}
            (None, _) => process.others.push(Happening {
                at: entry.at,
                thread: entry.thread,
                kind: if entry.error.is_some() { Kind::Failed } else { Kind::Minor },
                bytes: 0,
                words: plain(entry),
            }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.span.is_none()
    }

    /// When it begins and ends.
    pub(crate) fn span(&self) -> (i64, i64) {
        self.span.unwrap_or_default()
    }
}

impl Process {
    /// A look that was none to sleep has no beginning, and is not of interest.
    fn wakes(&mut self, entry: &Entry) {
        if let Some(from) = self.asleep.remove(&entry.thread) {
            self.sleeps.push(Sleep { from, to: entry.at, events: entry.number().unwrap_or(0) });
        }
    }

    /// The sleeps, and those that go on at the end of the trace.
    pub(crate) fn sleeps_until(&self, end: i64) -> impl Iterator<Item = Sleep> {
        let done = self.sleeps.iter().map(|s| Sleep { ..*s });
        done.chain(self.asleep.values().map(move |&from| Sleep { from, to: end, events: 0 }))
    }
}

fn plain(entry: &Entry) -> String {
    match (entry.what, entry.error) {
        ("begin", _) => entry.detail("parent").map_or("begins".into(), |p| format!("begins, forked by {p}")),
        ("end", _) => "ends".into(),
        ("full", _) => "the trace has reached its limit".into(),
        (what, Some(error)) => format!("{what}: failed, {error}"),
        (what, None) => what.into(),
    }
}
