//! The rows of a picture, one for each descriptor. If there are many, descriptors with the same kinds of events share a row.

use crate::story::{Event, Process};
use crate::words::{Direction, Kind};
use std::collections::BTreeMap;

/// Up to so many descriptors have a row each.
const MOST_SINGLE_ROWS: usize = 24;
/// How many numbers the text of a row lists.
const MOST_NAMES: usize = 40;

/// A time span, and how many of its kind it stands for.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) times: i64,
    /// How many events ended it, if it is a sleep.
    pub(crate) events: Option<i64>,
}

impl Span {
    pub(crate) fn merge(&mut self, next: &Span) {
        self.to = self.to.max(next.to);
        self.times += next.times;
        self.events = self.events.zip(next.events).map(|(a, b)| a + b);
    }

    pub(crate) fn numbers(&self) -> String {
        let times = if self.times > 1 { format!(", {} times", self.times) } else { String::new() };
        self.events.map_or(times.clone(), |events| format!("{times}, {events} events"))
    }
}

/// The descriptors of a row, with their events.
pub(crate) struct Row<'a>(Vec<(i64, &'a [Event])>);

pub(crate) fn rows(process: &Process) -> Vec<Row<'_>> {
    let all = process.descriptors.iter().map(|(d, events)| (*d, events.as_slice()));
    if process.descriptors.len() <= MOST_SINGLE_ROWS {
        return all.map(|one| Row(vec![one])).collect();
    }
    let mut alike: BTreeMap<Vec<Kind>, Vec<(i64, &[Event])>> = BTreeMap::new();
    for (d, events) in all {
        let mut kinds: Vec<Kind> = events.iter().map(|h| h.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        alike.entry(kinds).or_default().push((d, events));
    }
    let mut rows: Vec<_> = alike.into_values().map(Row).collect();
    rows.sort_by_key(|row| row.0.first().map(|(d, _)| *d));
    rows
}

impl Row<'_> {
    pub(crate) fn label(&self) -> String {
        match self.0.as_slice() {
            [(d, _)] => format!("descriptor {d}"),
            several => format!("{} descriptors", several.len()),
        }
    }

    /// The numbers of the descriptors, if there are several.
    pub(crate) fn members(&self) -> String {
        if self.0.len() < 2 {
            return String::new();
        }
        let mut names: Vec<_> = self.0.iter().take(MOST_NAMES).map(|(d, _)| d.to_string()).collect();
        names.extend((self.0.len() > MOST_NAMES).then(|| format!("and {} more", self.0.len() - MOST_NAMES)));
        names.join(", ")
    }

    pub(crate) fn events(&self) -> Vec<&Event> {
        let mut all: Vec<_> = self.0.iter().flat_map(|(_, events)| events.iter()).collect();
        all.sort_by_key(|h| h.at);
        all
    }

    /// The spans from opening to closing. If the trace does not show the opening, the span starts with the trace.
    pub(crate) fn open(&self, end: i64) -> Vec<Span> {
        let begins = |h: &Event| !matches!(h.kind, Kind::Failed | Kind::Closed);
        self.between(end, begins, |h| h.kind == Kind::Closed)
    }

    pub(crate) fn wanted(&self, direction: Direction, end: i64) -> Vec<Span> {
        let ends = |h: &Event| h.kind == Kind::Closed || h.kind == Kind::WantsNoMore(direction);
        self.between(end, |h| h.kind == Kind::Wants(direction), ends)
    }

    fn between(&self, end: i64, begins: impl Fn(&Event) -> bool, ends: impl Fn(&Event) -> bool) -> Vec<Span> {
        let mut spans = Vec::new();
        for (_, events) in &self.0 {
            spans.extend(between(events, end, &begins, &ends));
        }
        spans
    }
}

/// The spans between starts and stops. One that has no stop lasts until `end`.
pub(crate) fn between(
    events: &[Event],
    end: i64,
    begins: impl Fn(&Event) -> bool,
    ends: impl Fn(&Event) -> bool,
) -> Vec<Span> {
    let (mut spans, mut since) = (Vec::new(), None);
    for h in events {
        if begins(h) {
            since = since.or(Some(h.at));
        } else if ends(h) {
            spans.extend(since.take().map(|from| Span { from, to: h.at, times: 1, events: None }));
        }
    }
    spans.extend(since.map(|from| Span { from, to: end, times: 1, events: None }));
    spans
}
