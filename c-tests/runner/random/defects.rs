//! The defects of 0.32 that random programs meet, and how each is recognised: narrowly, from the call, from what
//! both runs said and from the calls before it.

use super::play::{Line, Run};

const ENDS: usize = 24;

/// Which defect a difference comes from, and what it leaves in disorder.
#[derive(Default)]
pub(crate) struct Blame {
    pub(crate) name: &'static str,
    pub(crate) ends: Vec<usize>,
    pub(crate) batches: Vec<i64>,
    pub(crate) events: bool,
}

impl Blame {
    fn new(name: &'static str) -> Blame {
        Blame { name, ..Blame::default() }
    }

    fn with_batch(mut self, line: &Line) -> Blame {
        self.batches.extend(line.number("batch"));
        self
    }

    fn with_end(mut self, end: impl Into<Option<usize>>) -> Blame {
        self.ends.extend(end.into());
        self
    }
}

/// What is said, in words that stay together: a result with its errno is one.
pub(crate) fn words(said: &str) -> Vec<&str> {
    said.split(' ').filter(|word| !word.is_empty()).collect()
}

/// Calls that tell of several ends.
pub(crate) fn names_ends(call: &str) -> bool {
    tells_events(call) || ["sweep", "finish"].contains(&call)
}

pub(crate) fn tells_events(call: &str) -> bool {
    ["turn", "events", "leftovers", "pop_some", "wait_only", "idle"].contains(&call)
}

/// The end that a word is about: `r3`, `lost-w11`, `r3=100`, `4:end`, and in a sweep `4`.
pub(crate) fn end_of(word: &str) -> Option<usize> {
    let word = word.split(['=', ':']).next()?;
    let word = word.rsplit('-').next()?;
    word.strip_prefix(['r', 'w']).unwrap_or(word).parse().ok()
}

/// The defect with which 0.32 ended before its time, at the last line that it printed.
pub(crate) fn of_the_end(original: &Run, step: usize) -> Option<Blame> {
    let line = &original.lines[step];
    let before = &original.lines[..step];
    let warm = before.first().is_some_and(|begin| !begin.says("1") && !begin.says("3"));
    let waits = ["events", "turn", "wait_only", "idle"].contains(&line.call.as_str());
    match original.end.as_str() {
        "signal 13" if ["send_batch", "pump", "sendfile_to", "passfd"].contains(&line.call.as_str()) => {
            Some(Blame::new("D11"))
        }
        "hangs" if line.is("haunted") => Some(Blame::new("D12")),
        "signal 11" if tells_events(&line.call) && before.iter().any(|l| l.call == "finish_and_shutdown") => {
            Some(Blame::new("events-after-shutdown"))
        }
        "signal 11" if !warm && tells_events(&line.call) => Some(Blame::new("D20")),
        "hangs" if !warm && waits && before.iter().any(|l| l.number("n").is_some_and(|n| n % 16 == 0)) => {
            Some(Blame::new("D1"))
        }
        // The filter says end of file in the middle of a file.
        "hangs" if line.call == "write_batch" => Some(Blame::new("filter-end")),
        _ => None,
    }
}

/// A fault of a report, which explains the report itself.
const FAULTS_OF_0_32: [&str; 3] = ["untrue-", "unwanted-", "lost-"];

pub(super) fn count(said: &str) -> i64 {
    said.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

fn is_reset(said: &str) -> bool {
    ["-1 EPIPE", "-3 EPIPE", "-1 ECONNRESET", "-3 ECONNRESET"].contains(&said)
}

/// Whether a filter that failed after a part of a file made 0.32 forget that part, which is then sent twice.
fn is_part_forgotten(theirs: &str, ours: &str) -> bool {
    let left = |said: &str| said.split_once("left ").and_then(|(_, n)| n.parse::<i64>().ok());
    let part = count(ours) - count(theirs).max(0);
    part > 0 && left(theirs) == left(ours).map(|n| n + part)
}

/// A difference: what is said of it, and all that went before.
pub(super) struct Case<'a> {
    pub(super) line: &'a Line,
    pub(super) before: &'a [Line],
    /// The words that only one of the two says.
    theirs: Vec<&'a str>,
    ours: Vec<&'a str>,
}

fn only<'a>(these: &[&'a str], those: &[&str]) -> Vec<&'a str> {
    these.iter().filter(|word| !those.contains(word)).copied().collect()
}

/// What explains all of a difference; nothing if any word of it is unexplained.
pub(crate) fn of(ours: &Run, step: usize, left: &[&str], right: &[&str]) -> Vec<Blame> {
    let (line, before) = (&ours.lines[step], &ours.lines[..step]);
    if !names_ends(&line.call) {
        let case = Case { line, before, theirs: left.to_vec(), ours: right.to_vec() };
        return case.call().into_iter().collect();
    }
    let case = Case { line, before, theirs: only(left, right), ours: only(right, left) };
    if line.call == "sweep" { case.sweep() } else { case.events() }
}

impl Case<'_> {
    /// A call on one end, or on a batch.
    fn call(&self) -> Option<Blame> {
        let (line, theirs, ours) = (self.line, self.theirs.join(" "), self.ours.join(" "));
        let call = line.call.as_str();
        let both = |name| Some(Blame::new(name).with_end(line.a).with_end(line.mate()));
        let sends = ["send_batch", "pump", "write_batch"].contains(&call);
        match call {
            _ if theirs.contains("WRONG-BYTES") && self.sent_without_a_copy() => both("K3"),
            _ if (theirs.contains("WRONG-BYTES") || theirs.contains("TOO-MUCH")) && self.sent_twice() => {
                both("Q7")
            }
            "addfile_close" if theirs.replace(" FILE-OPEN", "") == ours => Some(Blame::new("D2")),
            // More is under way there than with us.
            "send_batch" if ours.starts_with(&format!("{theirs} left ")) && self.corked(line.a) => {
                both("K2").map(|b| b.with_batch(line))
            }
            "close_end" if theirs.starts_with("STILL-OPEN") => Some(self.still_open()),
            "close_end" if theirs == "timedout" && ours.is_empty() => {
                Some(Blame::new("timedout-after-close"))
            }
            "tryreadtimeout" | "trywritetimeout"
                if theirs == "-2 ETIMEDOUT" && ["-1 EAGAIN", "some"].contains(&ours.as_str()) =>
            {
                let limit = self.of_end(line.a, "timeout").next();
                limit.is_none_or(|l| l.number("ms") == Some(0)).then(|| Blame::new("D14"))
            }
            // 0.32 refuses; the kernel is asked by us.
            _ if line.is("unregistered") && !sends && theirs == "-3 EBADF" => both("Q3"),
            _ if sends && ours.starts_with("-3 EBADF") && line.is("unregistered") => {
                both("Q3").map(|b| b.with_batch(line))
            }
            _ if theirs == "-1 EAGAIN"
                && ["-3 EBADF", "0"].contains(&ours.as_str())
                && line.is("blocking") =>
            {
                Some(Blame::new("asked-first"))
            }
            _ if ["-1 EAGAIN", "-2 ETIMEDOUT"].contains(&theirs.as_str())
                && ours.starts_with("-3 ")
                && line.is("blocking") =>
            {
                Some(Blame::new("asked-first"))
            }
            "mmapwrite" if theirs.starts_with("-1 ") && ours.starts_with("-3 ") => Some(Blame::new("3.10")),
            "mmapwrite" if ours == "-3 EIO" => both("D16"),
            "mmapwrite" if ours == "-3 ESPIPE" => both("3.10"),
            _ if theirs.replace(" late", "") == ours && self.corked(line.a) => Some(Blame::new("K2")),
            // What is held back is not answered by a reset yet.
            _ if line.is("tcp")
                && line.is("alone")
                && count(&theirs) > 0
                && is_reset(&ours)
                && self.corked(line.a) =>
            {
                both("K2")
            }
            _ if line.is("udp") && theirs.contains("late") && self.corked(line.a) => both("K2"),
            _ if sends && theirs.starts_with('0') && ours.starts_with("-3 EIO") => Some(Blame::new("Q6")),
            "write_batch" if theirs.replace("-1 ", "-3 ") == ours => Some(Blame::new("D29")),
            "write_batch" if self.holds_a_file() && is_part_forgotten(&theirs, &ours) => {
                both("part-forgotten").map(|b| b.with_batch(line))
            }
            "write_batch"
                if self.holds_a_file()
                    && (theirs.contains("EFAULT")
                        || ours.contains("EIO")
                        || count(&theirs) > count(&ours)) =>
            {
                both("D16").map(|b| b.with_batch(line))
            }
            "write_batch" if theirs.replace(" FILES-OPEN", "") == ours => Some(Blame::new("Q7")),
            _ if sends && theirs.starts_with("-3 ENOTSOCK") => both("Q11").map(|b| b.with_batch(line)),
            _ if line.number("batch").is_some() && self.touched_by_a_filter() => {
                both("Q7").map(|b| b.with_batch(line))
            }
            _ => None,
        }
    }

    /// A descriptor that 0.32 leaves open: what is connected to it does not hear of the end.
    fn still_open(&self) -> Blame {
        let line = self.line;
        let connected = self.before.iter().filter(|l| l.call == "connect_to" && l.b == line.a);
        connected.fold(Blame::new("D2").with_end(line.mate()), |blame, l| blame.with_end(l.a))
    }

    fn sweep(&self) -> Vec<Blame> {
        let mut blames = Vec::new();
        for word in &self.theirs {
            match *word {
                "endless" => blames.push(Blame::new("D8")),
                // Either may hold an event back that makes the deadline wait.
                word if self.may_be_ready(word) => blames.push(Blame::new("sweep-skips-ready")),
                _ => return Vec::new(),
            }
        }
        for word in &self.ours {
            blames.push(match () {
                () if self.may_be_ready(word) => Blame::new("sweep-skips-ready"),
                () if self.is_overdue(word) => Blame::new("sweep-omits"),
                () => return Vec::new(),
            });
        }
        blames
    }

    /// Whether an end that a sweep is about is ready, or was once hinted to be.
    fn may_be_ready(&self, word: &str) -> bool {
        let end = end_of(word);
        self.line.aside.split(' ').any(|w| w.strip_prefix("ready") == Some(word))
            || end.is_some() && self.before.iter().any(|l| l.a == end && l.is("hint"))
    }

    fn events(&self) -> Vec<Blame> {
        let lost = |end| self.theirs.iter().any(|w| w.starts_with("lost-") && end_of(w) == end);
        let wrong = |end| {
            self.theirs.iter().any(|w| FAULTS_OF_0_32.iter().any(|f| w.starts_with(f)) && end_of(w) == end)
        };
        let served = |word: &str| {
            let same = |w: &&str| w.contains('=') && w.split('=').next() == word.split('=').next();
            word.contains('=') && self.theirs.iter().any(same)
        };
        let unexplained = |word: &&str| {
            !lost(end_of(word)) && !wrong(end_of(word)) && !served(word) && !self.held_back(word)
        };
        if self.ours.iter().any(unexplained) {
            return self.hint_forgotten();
        }
        let held = self.ours.iter().filter(|word| self.held_back(word) && !lost(end_of(word)));
        let held: Vec<Blame> = held.map(|word| Blame::new("K2").with_end(end_of(word))).collect();
        let theirs: Option<Vec<Blame>> = self.theirs.iter().map(|word| self.event(word)).collect();
        theirs.map_or(Vec::new(), |theirs| {
            theirs.into_iter().chain(held).filter(|b| !b.name.is_empty()).collect()
        })
    }

    /// The events that only we tell are hints, which 0.32 drops when a write to another end comes up short (D21).
    fn hint_forgotten(&self) -> Vec<Blame> {
        let hinted = |end| self.before.iter().any(|l| l.a == end && l.is("hint"));
        let dropped = (0..ENDS).any(|end| self.writing_dropped(Some(end)));
        let all = self.ours.iter().all(|word| word.starts_with('w') && hinted(end_of(word)));
        let blame = |word: &&str| Blame::new("D21").with_end(end_of(word));
        if (dropped || self.uncollected()) && all && self.theirs.is_empty() {
            self.ours.iter().map(blame).collect()
        } else {
            Vec::new()
        }
    }

    /// What explains a word that only 0.32 says of events; a blame without a name: another word explains it.
    fn event(&self, word: &str) -> Option<Blame> {
        let end = end_of(word);
        let mate = self.before.iter().rev().find(|l| l.a == end).and_then(Line::mate);
        let both = |name| Some(Blame::new(name).with_end(end).with_end(mate));
        let fault = |kind: &&str| self.theirs.iter().any(|w| w.starts_with(*kind) && end_of(w) == end);
        if word == "WRONG-BYTES" {
            return match self.sent_without_a_copy() {
                true => Some(Blame::new("K3")),
                false => self.sent_twice().then(|| Blame::new("Q7")),
            };
        }
        if word == "TOO-MUCH" {
            return self.sent_twice().then(|| Blame::new("Q7"));
        }
        if word == "late" {
            return self.before.iter().any(|l| l.call == "send_batch").then(|| Blame::new("K2"));
        }
        if word == "SPINS" {
            return Some(Blame::new("D7"));
        }
        if word == "SLEPT" {
            return Some(Blame::new("D3"));
        }
        if word == "OTHERS" {
            let closed = |l: &Line| l.call == "close_end" && l.is("w");
            return self.before.iter().any(closed).then(|| Blame::new("D26"));
        }
        if word.starts_with("untrue-") {
            return both("D23");
        }
        if word.starts_with("unwanted-") {
            let closed = self.before.iter().any(|l| l.call == "close_end" && l.is("w"));
            return match self.unregistered(end) {
                true => both("Q3"),
                false if closed => both("D26"),
                false => None,
            };
        }
        if let Some(word) = word.strip_prefix("lost-") {
            return self.lost(word).and_then(both);
        }
        if word.starts_with("twice-w") && self.hinted_anew(end) {
            return both("hint-anew");
        }
        if word.starts_with("stale-w") && self.writing_dropped(end) {
            return both("stale-hint");
        }
        if FAULTS_OF_0_32.iter().any(fault) {
            return Some(Blame::default());
        }
        if word.starts_with('w')
            && word.ends_with("=-1/EAGAIN")
            && self.before.iter().any(|l| l.a == end && l.is("blocking"))
        {
            return both("asked-first");
        }
        // Notices of completed sends look like readiness.
        let false_read = word.starts_with('r') && (!word.contains('=') || word.ends_with("/EAGAIN"));
        let tcp = self.before.iter().rev().find(|l| l.a == end).is_some_and(|l| l.is("tcp"));
        (false_read && tcp && self.corked(end)).then(|| both("D6")).flatten()
    }

    /// Why 0.32 has lost an event.
    fn lost(&self, word: &str) -> Option<&'static str> {
        let end = end_of(word);
        if self.before.iter().any(|l| l.a == end && l.is("haunted")) {
            return Some("D12");
        }
        if word.starts_with('w') && self.writing_dropped(end) {
            return Some("D22");
        }
        if self.before.iter().any(|l| l.call == "wantwrite" && l.is("hint") && l.is("w")) {
            return Some("D4");
        }
        if self.before.iter().any(|l| l.call == "close_end" && l.is("hint") && l.is("w")) {
            return Some("D26");
        }
        let dropped = (0..ENDS).any(|end| self.writing_dropped(Some(end)));
        if self.uncollected() || dropped {
            return Some("D21");
        }
        // The kernel calls it ready and we tell it: what else than toggling makes 0.32 forget is not known.
        let toggled = self.before.iter().any(|l| l.call.starts_with("dontwant"));
        Some(if toggled { "D5" } else { "lost-otherwise" })
    }
}
