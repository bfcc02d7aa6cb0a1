//! Prints the timelines as text.

use crate::story::{Event, Process, Story};
use crate::words::{Direction, Kind};
use std::fmt::Write;

pub(crate) fn of(story: &Story) -> String {
    let (begin, end) = story.span();
    let mut text = format!(
        "From {}.{:06} (seconds since 1970) on, {} s. Times below are seconds after that.\n",
        begin / 1_000_000,
        begin % 1_000_000,
        seconds(end - begin)
    );
    for (number, process) in &story.processes {
        // Writing to a string does not fail.
        let _ = write!(text, "\nprocess {number}\n{}", sleeping(process, begin, end));
        list(&mut text, &process.others, begin, process);
        for (d, events) in &process.descriptors {
            let _ = write!(text, "\ndescriptor {d} of process {number}: {}\n", summary(events));
            list(&mut text, events, begin, process);
        }
    }
    text
}

fn list(text: &mut String, events: &[Event], begin: i64, process: &Process) {
    for h in events {
        let _ = write!(text, "{:>14}  {}", seconds(h.at - begin), h.words);
        if process.threads.len() > 1 {
            let _ = write!(text, " [{}]", h.thread);
        }
        text.push('\n');
    }
}

fn sleeping(process: &Process, begin: i64, end: i64) -> String {
    let (mut times, mut sum, mut longest, mut when) = (0, 0, 0, begin);
    for sleep in process.sleeps_until(end) {
        times += 1;
        sum += sleep.to - sleep.from;
        if sleep.to - sleep.from > longest {
            (longest, when) = (sleep.to - sleep.from, sleep.from);
        }
    }
    if times == 0 {
        return String::new();
    }
    format!(
        "  its event loop slept {times} times, {} s in all, at most {} s at {}\n",
        seconds(sum),
        seconds(longest),
        seconds(when - begin)
    )
}

fn summary(events: &[Event]) -> String {
    let of = |direction| {
        let moved = || events.iter().filter(move |h| h.kind == Kind::Moved(direction));
        (moved().map(|h| h.bytes).sum::<i64>(), moved().count())
    };
    let ((read, reads), (written, writes)) = (of(Direction::Read), of(Direction::Write));
    let failures = events.iter().filter(|h| h.kind == Kind::Failed).count();
    let mut text = format!("read {read} bytes in {reads} calls, wrote {written} in {writes}");
    if failures > 0 {
        let _ = write!(text, ", {failures} failed");
    }
    text
}

pub(crate) fn seconds(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros.rem_euclid(1_000_000))
}
