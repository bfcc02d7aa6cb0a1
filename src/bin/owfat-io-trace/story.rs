//! Sorts all lines of a trace by process and descriptor.

use crate::line::Entry;
use crate::words::{self, Kind};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Event {
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) thread: u32,
    pub(crate) kind: Kind,
    pub(crate) bytes: i64,
    pub(crate) words: String,
}

/// A sleep in one look.
#[derive(Clone, Copy)]
pub(crate) struct Sleep {
    pub(crate) thread: u32,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// How many events ended it.
    pub(crate) events: i64,
}

#[derive(Default)]
pub(crate) struct Process {
    pub(crate) descriptors: BTreeMap<i64, Vec<Event>>,
    pub(crate) sleeps: Vec<Sleep>,
    /// Calls without a descriptor.
    pub(crate) others: Vec<Event>,
    pub(crate) threads: BTreeSet<u32>,
    /// The threads that are asleep, and since when.
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
                let event = Event { at: entry.at, thread: entry.thread, kind, bytes, words };
                process.descriptors.entry(d).or_default().push(event);
            }
            (None, "sleep") => {
                process.asleep.insert(entry.thread, entry.at);
            }
            (None, "woke") => process.wakes(entry),
            // Successful wait calls only frame their looks.
            (None, "io_wait" | "io_waituntil" | "io_waituntil2" | "io_check") if entry.error.is_none() => {}
            (None, _) => process.others.push(Event {
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

    /// Removes all other descriptors.
    pub(crate) fn keep(&mut self, descriptors: &[i64]) {
        for process in self.processes.values_mut() {
            process.descriptors.retain(|d, _| descriptors.contains(d));
        }
        self.processes.retain(|_, p| !p.descriptors.is_empty());
    }

    /// Removes what was before or after. If a descriptor was opened, or had interest, before `from`, that moves to `from`.
    pub(crate) fn cut(&mut self, from: i64, to: i64) {
        let (begin, end) = self.span();
        let (from, to) = (from.clamp(begin, end), to.clamp(begin, end));
        for process in self.processes.values_mut() {
            process.sleeps = process.sleeps_until(end).filter(|s| s.from <= to && s.to >= from).collect();
            process.asleep.clear();
            for sleep in &mut process.sleeps {
                (sleep.from, sleep.to) = (sleep.from.max(from), sleep.to.min(to));
            }
            process.others.retain(|h| (from..=to).contains(&h.at));
            for events in process.descriptors.values_mut() {
                *events = cut(std::mem::take(events), from, to);
            }
            process.descriptors.retain(|_, events| !events.is_empty());
        }
        let is_empty = |p: &Process| p.descriptors.is_empty() && p.sleeps.is_empty() && p.others.is_empty();
        self.processes.retain(|_, p| !is_empty(p));
        self.span = Some((from, to));
    }

    /// The times of the first and the last line.
    pub(crate) fn span(&self) -> (i64, i64) {
        self.span.unwrap_or_default()
    }
}

impl Process {
    /// Ends a sleep. A look that did not sleep has no beginning and is ignored.
    fn wakes(&mut self, entry: &Entry) {
        if let Some(from) = self.asleep.remove(&entry.thread) {
            self.sleeps.push(Sleep {
                thread: entry.thread,
                from,
                to: entry.at,
                events: entry.number().unwrap_or(0),
            });
        }
    }

    /// The sleeps, also those that last beyond the end of the trace.
    pub(crate) fn sleeps_until(&self, end: i64) -> impl Iterator<Item = Sleep> {
        let going_on = move |(&thread, &from): (&u32, &i64)| Sleep { thread, from, to: end, events: 0 };
        self.sleeps.iter().copied().chain(self.asleep.iter().map(going_on))
    }
}

fn cut(events: Vec<Event>, from: i64, to: i64) -> Vec<Event> {
    // The last statement of each kind: that it is open, and its interest.
    let mut before: Vec<Event> = Vec::new();
    let mut kept = Vec::new();
    for h in events {
        if h.at >= from {
            kept.extend((h.at <= to).then_some(h));
            continue;
        }
        match h.kind {
            Kind::Closed => before.clear(),
            Kind::WantsNoMore(direction) => before.retain(|b| b.kind != Kind::Wants(direction)),
            Kind::Opened | Kind::Wants(_) => {
                before.retain(|b| b.kind != h.kind);
                before.push(h);
            }
            _ => {}
        }
    }
    for h in &mut before {
        h.at = from;
        h.words.push_str(" (before)");
    }
    before.extend(kept);
    before
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
