//! Which defects of 0.32 explain a difference in who is named: as ready, or as expired.

use super::defects::{Blame, Case};
use super::play::Line;
use super::words::{end_of, tells_events};
use crate::compile::With;

const ENDS: usize = 24;

/// A fault of a report, which explains the report itself.
const FAULTS_OF_0_32: [&str; 3] = ["untrue-", "unwanted-", "lost-"];

impl Case<'_> {
    pub(super) fn sweep(&self) -> Vec<Blame> {
        let mut blames = Vec::new();
        for word in &self.theirs {
            match *word {
                "endless" => blames.push(Blame::new("endless-sweep")),
                // We hold an event back that makes the deadline wait.
                word if self.is_among("due", word) => blames.push(Blame::new("sweep-skips-ready")),
                word if self.is_reused(end_of(word)) => blames.push(Blame::new("reused-number")),
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

    fn is_among(&self, which: &str, end: &str) -> bool {
        self.line.aside.split(' ').any(|w| w.strip_prefix(which) == Some(end))
    }

    /// Whether an end that a sweep is about is ready, or was once hinted to be.
    fn may_be_ready(&self, word: &str) -> bool {
        let end = end_of(word);
        self.is_among("ready", word)
            || end.is_some() && self.before.iter().any(|l| l.a == end && l.is("hint"))
    }

    pub(super) fn events(&self) -> Vec<Blame> {
        let lost = |end| self.theirs.iter().any(|w| w.starts_with("lost-") && end_of(w) == end);
        let wrong = |end| {
            self.theirs.iter().any(|w| FAULTS_OF_0_32.iter().any(|f| w.starts_with(f)) && end_of(w) == end)
        };
        let served = |word: &str| {
            let same = |w: &&str| w.contains('=') && w.split('=').next() == word.split('=').next();
            word.contains('=') && self.theirs.iter().any(same)
        };
        let unexplained = |word: &&&str| {
            !lost(end_of(word))
                && !wrong(end_of(word))
                && !served(word)
                && !self.held_back(word)
                && !self.not_served_there(word)
        };
        let forgotten = |word: &&&str| {
            self.hint_forgotten(word)
                || self.error_heard_otherwise(end_of(word))
                || self.unnoticed(end_of(word))
        };
        if self.ours.iter().any(|word| unexplained(&word) && !forgotten(&word)) {
            return Vec::new();
        }
        let blame = |word: &&str| {
            let name = if self.is_reused(end_of(word)) { "reused-number" } else { "short-transfer" };
            Blame::new(name).with_end(end_of(word)).with_end(self.mate_of(end_of(word)))
        };
        let forgotten: Vec<Blame> = self.ours.iter().filter(forgotten).map(blame).collect();
        let held = self
            .ours
            .iter()
            .filter(|word| (self.held_back(word) || self.not_served_there(word)) && !lost(end_of(word)));
        let held: Vec<Blame> = held.map(|word| Blame::new("held-back").with_end(end_of(word))).collect();
        let theirs: Vec<Option<Blame>> = self.theirs.iter().map(|word| self.event(word)).collect();
        // What an end does that should not have been named, its mate feels.
        let blamed = theirs.iter().flatten().chain(&forgotten);
        let astray: Vec<usize> = blamed.flat_map(|b| b.ends.clone()).collect();
        let felt = |word: &str| end_of(word).is_some_and(|end| astray.contains(&end));
        if self.theirs.iter().zip(&theirs).any(|(word, blame)| blame.is_none() && !felt(word)) {
            return Vec::new();
        }
        theirs.into_iter().flatten().chain(held).chain(forgotten).filter(|b| !b.name.is_empty()).collect()
    }

    /// Whether an event that only we tell is a hint, which 0.32 drops when a write to another end comes up short (`short-transfer`) or
    /// the number was closed behind it (`reused-number`).
    fn hint_forgotten(&self, word: &str) -> bool {
        word.starts_with('w')
            && self.before.iter().any(|l| l.a == end_of(word) && l.is("hint"))
            && (self.uncollected()
                || self.refused_a_write(end_of(word))
                || self.any_writing_dropped()
                || self.wanted_twice()
                || self.is_reused(end_of(word)))
    }

    /// Whether 0.34 was asked to write to an end with a hint, and so has none any more.
    fn refused_a_write(&self, end: Option<usize>) -> bool {
        let wrote = |l: &Line| l.a == end && l.call.starts_with("trywrite") && l.is("hint");
        super::reference() == With::Later && self.before.iter().any(wrote)
    }

    /// Whether of an end that is ready in both directions 0.32 has lost the reading (`short-transfer`), so that its write heard of
    /// the error of which our read did.
    fn error_heard_otherwise(&self, end: Option<usize>) -> bool {
        let heard = |said: &[&str], direction: char| {
            said.iter().any(|w| w.starts_with(direction) && w.contains("=-3/") && end_of(w) == end)
        };
        let later = super::reference() == With::Later;
        (later || self.uncollected()) && heard(&self.ours, 'r') && heard(&self.theirs, 'w')
    }

    /// Whether we go on with what was wanted of a number that was closed behind us: where the kernel was not told of the
    /// old file, io_fd cannot tell it from the new one.
    fn unnoticed(&self, end: Option<usize>) -> bool {
        self.is_reused(end) && self.ours.iter().any(|w| w.starts_with("unwanted-") && end_of(w) == end)
    }

    /// Whether we write to an end to which nothing is written there, because part of what iob_send sent to it is still
    /// under way (`held-back`).
    fn not_served_there(&self, word: &str) -> bool {
        word.starts_with('w') && word.contains('=') && self.corked_before(end_of(word))
    }

    /// Whether an end was wanted for writing once more before its event was taken, be it that it was unwanted in between
    /// (`second-want`).
    fn wanted_twice(&self) -> bool {
        self.before.iter().enumerate().any(|(i, l)| {
            let mut untaken = self.before[..i].iter().rev().take_while(|b| !tells_events(&b.call));
            l.call == "wantwrite"
                && (l.is("w") || l.is("hint") && untaken.any(|b| b.a == l.a && b.call == "wantwrite"))
        })
    }

    fn wanted_since_the_last_wait(&self, end: Option<usize>) -> bool {
        let mut since = self.before.iter().rev().take_while(|l| !tells_events(&l.call));
        since.any(|l| l.call == "wantread" && l.a == end)
    }

    /// Whether an end was said not to be ready after it was wanted, before a wait.
    fn refused_when_it_was_wanted(&self, end: Option<usize>) -> bool {
        self.before.iter().enumerate().any(|(i, l)| {
            let mut since = self.before[..i].iter().rev().take_while(|l| !tells_events(&l.call));
            l.a == end && l.call.starts_with("eagain") && since.any(|b| b.a == end && b.call == "wantread")
        })
    }

    fn any_writing_dropped(&self) -> bool {
        (0..ENDS).any(|end| self.writing_dropped(Some(end)))
    }

    /// What explains a word that only 0.32 says of events; a blame without a name: another word explains it.
    fn event(&self, word: &str) -> Option<Blame> {
        let end = end_of(word);
        let mate = self.mate_of(end);
        let both = |name| Some(Blame::new(name).with_end(end).with_end(mate));
        let fault = |kind: &&str| self.theirs.iter().any(|w| w.starts_with(*kind) && end_of(w) == end);
        if word.ends_with("WRONG-BYTES") {
            return match self.sent_without_a_copy() {
                true => Some(Blame::new("buffer-still-read")),
                false => self.sent_twice().then(|| Blame::new("not-reset")),
            };
        }
        if word.ends_with("TOO-MUCH") {
            return self.sent_twice().then(|| Blame::new("not-reset"));
        }
        if word == "late" {
            let sends = |l: &Line| ["send_batch", "pump"].contains(&l.call.as_str());
            return self.before.iter().any(sends).then(|| Blame::new("held-back"));
        }
        if word.ends_with("-MISSING") && self.held_back(word) {
            return both("held-back");
        }
        // It gets less than we get.
        let less = |w: &&str| w.starts_with('r') && w.contains('=') && end_of(w) == end;
        if word.contains('=') && self.held_back(word) && self.ours.iter().any(less) {
            return both("held-back");
        }
        if word == "STOLEN" {
            let closed = |l: &Line| l.call == "close_all";
            return self.before.iter().any(closed).then(|| Blame::new("process-not-its-own"));
        }
        if word == "SPINS" {
            return Some(Blame::new("unwanted-hang-up"));
        }
        if word == "SLEPT" {
            return Some(Blame::new("sleeps-over-event"));
        }
        if word == "OTHERS" {
            return match self.closed_in_the_queue() {
                true => Some(Blame::new("close-while-pending")),
                false => self.heeds_unregistered().then(|| Blame::new("unregistered-number")),
            };
        }
        if word.starts_with("untrue-") {
            return both("stale-readiness");
        }
        if word.starts_with("unwanted-") {
            let closed = self.before.iter().any(|l| l.call == "close_end" && l.is("w"));
            return match () {
                () if self.unregistered(end) => both("unregistered-number"),
                () if super::reference() == With::Later && self.heeds_unregistered() => {
                    both("unregistered-number")
                }
                () if closed => both("close-while-pending"),
                () => self.is_reused(end).then(|| both("reused-number")).flatten(),
            };
        }
        if let Some(word) = word.strip_prefix("lost-") {
            return self.lost(word).and_then(both);
        }
        if word.starts_with("stale-w") && self.send_failed(end) {
            return both("stale-after-error");
        }
        if word.starts_with("stale-r") && super::reference() == With::Later && self.read_failed(end) {
            return both("stale-after-error");
        }
        if FAULTS_OF_0_32.iter().any(fault) {
            return Some(Blame::default());
        }
        if (word.starts_with('w') && word.ends_with("=-1/EAGAIN") || word.ends_with("=-3/EINVAL"))
            && self.before.iter().any(|l| l.a == end && l.is("blocking"))
        {
            return both("asked-first");
        }
        // What was seen of it when nobody wanted it, told as soon as somebody does, without a wait.
        if word.starts_with("twice-r")
            && self.line.call == "leftovers"
            && self.wanted_since_the_last_wait(end)
        {
            return both("early-report");
        }
        // Its hint was lost, but not for good.
        if word.starts_with('w')
            && self.before_there.iter().any(|l| l.a == end && l.is("hint"))
            && self.wanted_twice()
        {
            return both("second-want");
        }
        // A false report comes true when the mate is read from in the same turn.
        let drained = mate.is_some_and(|mate| self.line.said.contains(&format!("r{mate}=")));
        if word.starts_with('w') && drained && self.writing_dropped(end) {
            return both("stale-readiness");
        }
        if word.starts_with('w') && self.pipe_was_sent_a_file(end) {
            return both("pipe-refused");
        }
        let last = self.before.iter().rev().find(|l| l.a == end);
        if word.starts_with('w') && last.is_some_and(|l| l.is("tcp") && l.is("unpaired")) && self.corked(end)
        {
            // What is held back is not answered by a reset yet.
            let reset = |w: &&str| end_of(w) == end && (w.ends_with("/EPIPE") || w.ends_with("/ECONNRESET"));
            return self.ours.iter().any(reset).then(|| both("held-back")).flatten();
        }
        // Notices of completed sends look like readiness.
        let false_read = word.starts_with('r') && (!word.contains('=') || word.ends_with("/EAGAIN"));
        let tcp = self.before.iter().rev().find(|l| l.a == end).is_some_and(|l| l.is("tcp"));
        (false_read && tcp && self.corked(end)).then(|| both("false-readiness")).flatten()
    }

    /// Why 0.32 has lost an event.
    fn lost(&self, word: &str) -> Option<&'static str> {
        let end = end_of(word);
        if self.is_reused(end) {
            return Some("reused-number");
        }
        if self.before.iter().rev().find(|l| l.a == end).is_some_and(|l| l.is("file")) {
            return Some("regular-file");
        }
        if word.starts_with('w') && self.writing_dropped(end) {
            return Some("hint-without-room");
        }
        let hinted_again =
            |l: &Line| l.a == end && ["fd_canwrite", "fd_flags"].contains(&l.call.as_str()) && l.is("w");
        if word.starts_with('w') && self.before.iter().any(hinted_again) {
            return Some("hint-lost");
        }
        if self.wanted_twice() {
            return Some("second-want");
        }
        if self.closed_in_the_queue() {
            return Some("close-while-pending");
        }
        if self.uncollected() || self.any_writing_dropped() || self.read_before_taken() {
            return Some("short-transfer");
        }
        // 0.34 does so also before a wait.
        let takes_back = |l: &Line| l.call.starts_with("dontwant");
        let later = super::reference() == With::Later;
        if self.withdrawn_by_toggling() || later && self.before.iter().any(takes_back) {
            return Some("toggled-interest");
        }
        if word.starts_with('r') && self.refused_when_it_was_wanted(end) {
            return Some("early-report");
        }
        let failed = |l: &Line| ["send_batch", "pump"].contains(&l.call.as_str()) && l.said.starts_with("-3");
        if self.before.iter().any(failed) {
            return Some("stale-after-error");
        }
        if super::reference() == With::Later && self.tells_a_hinted_one() {
            return Some("hinted-first");
        }
        self.heeds_unregistered().then_some("unregistered-number")
    }

    /// Whether both tell of an end that was said to be writable when it was registered, or that was wanted since the last
    /// wait, when 0.34 may have seen that it is ready.
    fn tells_a_hinted_one(&self) -> bool {
        let hints = |l: &Line| l.call == "fd_canwrite" || l.is("hint");
        let waits = |l: &Line| tells_events(&l.call) && l.call != "idle";
        let since = || self.before.iter().rev().take_while(|l| !waits(l));
        let hinted = |end| {
            self.before_there.iter().any(|l| l.a == end && hints(l))
                || since().any(|l| l.a == end && l.call.starts_with("want"))
        };
        let mut both =
            self.line.said.split(' ').filter(|w| w.starts_with(['r', 'w']) && !self.ours.contains(w));
        both.any(|w| hinted(end_of(w)))
    }
}
