//! Writes the timelines in the trace-event format, which ui.perfetto.dev, speedscope and others open. There is a track for
//! each waiting thread and each descriptor, with slices for durations, marks for events and counters for bytes.

use crate::drawing::words;
use crate::row::between;
use crate::story::{Event, Process, Story};
use crate::words::{Direction, Kind};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Tracks of descriptors have numbers above those of threads, of which Linux has at most 2^22.
const DESCRIPTORS: i64 = 1 << 30;

struct Output<'a> {
    to: &'a mut dyn Write,
    begin: i64,
    end: i64,
    process: u32,
    threads: usize,
    is_first: bool,
}

/// Writes the file. Times in it are microseconds from the beginning of the trace.
pub(crate) fn write(story: &Story, to: &mut dyn Write) -> io::Result<()> {
    let (begin, end) = story.span();
    let mut output = Output { to, begin, end, process: 0, threads: 0, is_first: true };
    writeln!(output.to, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    for (number, process) in &story.processes {
        (output.process, output.threads) = (*number, process.threads.len());
        output.process(process)?;
    }
    writeln!(output.to, "\n]}}")
}

impl Output<'_> {
    fn event(&mut self, kind: &str, track: i64, name: &str, fields: Value) -> io::Result<()> {
        let mut event = json!({"ph": kind, "pid": self.process, "tid": track, "name": name});
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields);
        }
        let between = if std::mem::take(&mut self.is_first) { "" } else { ",\n" };
        write!(self.to, "{between}{event}")
    }

    fn slice(&mut self, track: i64, name: &str, from: i64, to: i64, details: Value) -> io::Result<()> {
        let fields = json!({"ts": from - self.begin, "dur": to - from, "args": details});
        self.event("X", track, name, fields)
    }

    fn track(&mut self, track: i64, name: &str, place: i64) -> io::Result<()> {
        self.event("M", track, "thread_name", json!({"args": {"name": name}}))?;
        self.event("M", track, "thread_sort_index", json!({"args": {"sort_index": place}}))
    }

    fn process(&mut self, process: &Process) -> io::Result<()> {
        let name = format!("process {}", self.process);
        self.event("M", 0, "process_name", json!({"args": {"name": name}}))?;
        for thread in &process.threads {
            self.track(i64::from(*thread), &format!("thread {thread}"), -1)?;
        }
        for sleep in process.sleeps_until(self.end) {
            let details = json!({"events": sleep.events});
            self.slice(i64::from(sleep.thread), "asleep", sleep.from, sleep.to, details)?;
        }
        for h in &process.others {
            self.mark(i64::from(h.thread), h)?;
        }
        for (d, events) in &process.descriptors {
            self.track(DESCRIPTORS + d, &format!("descriptor {d}"), *d)?;
            self.descriptor(*d, events)?;
        }
        Ok(())
    }

    fn mark(&mut self, track: i64, h: &Event) -> io::Result<()> {
        let mut details = json!({"what": h.words});
        if self.threads > 1 {
            details["thread"] = h.thread.into();
        }
        let fields = json!({"s": "t", "ts": h.at - self.begin, "args": details});
        self.event("i", track, words(h.kind), fields)
    }

    fn descriptor(&mut self, d: i64, events: &[Event]) -> io::Result<()> {
        let track = DESCRIPTORS + d;
        let begins = |h: &Event| !matches!(h.kind, Kind::Failed | Kind::Closed);
        for span in between(events, self.end, begins, |h| h.kind == Kind::Closed) {
            self.slice(track, "known to the library", span.from, span.to, json!({}))?;
        }
        self.wants(track, events)?;
        let (mut read, mut written) = (0, 0);
        for h in events {
            if !matches!(h.kind, Kind::Wants(_) | Kind::WantsNoMore(_)) {
                self.mark(track, h)?;
            }
            match h.kind {
                Kind::Moved(Direction::Read) => read += h.bytes,
                Kind::Moved(Direction::Write) => written += h.bytes,
                // The number may be another file's next.
                Kind::Closed => (read, written) = (0, 0),
                _ => continue,
            }
            let fields = json!({"ts": h.at - self.begin, "args": {"read": read, "written": written}});
            self.event("C", track, &format!("bytes of descriptor {d}"), fields)?;
        }
        Ok(())
    }

    /// Writes the interest of a descriptor. Slices of one track must not overlap, so both directions share a slice.
    fn wants(&mut self, track: i64, events: &[Event]) -> io::Result<()> {
        let (mut wants, mut since) = ((false, false), self.begin);
        let end = Event { at: self.end, thread: 0, kind: Kind::Closed, bytes: 0, words: String::new() };
        for h in events.iter().chain([&end]) {
            let now = match h.kind {
                Kind::Wants(Direction::Read) => (true, wants.1),
                Kind::Wants(Direction::Write) => (wants.0, true),
                Kind::WantsNoMore(Direction::Read) => (false, wants.1),
                Kind::WantsNoMore(Direction::Write) => (wants.0, false),
                Kind::Closed => (false, false),
                _ => wants,
            };
            if now == wants {
                continue;
            }
            let name = match wants {
                (true, true) => "wants to read and write",
                (true, false) => "wants to read",
                (false, true) => "wants to write",
                (false, false) => "",
            };
            if !name.is_empty() {
                self.slice(track, name, since, h.at, json!({}))?;
            }
            (wants, since) = (now, h.at);
        }
        Ok(())
    }
}
