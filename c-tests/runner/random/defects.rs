//! The defects of 0.32 that random programs meet, and how each is recognised: narrowly, from the call, from what
//! both runs said and from the calls before it:
//!
//! | name | what 0.32 does |
//! |---|---|
//! | `bad-file-says-again` | says "again" in `io_mmapwritefile` of what is no file |
//! | `buffer-still-read` | lets the kernel read a buffer after `iob_send` has returned |
//! | `close-leaks` | leaves a descriptor open that was closed in the middle of an event |
//! | `close-while-pending` | names the next owner of a number whose event was pending when it was closed |
//! | `endless-sweep` | never ends a sweep if the highest number has expired |
//! | `events-before-registration` | crashes in `io_canread` before the first `io_fd` |
//! | `false-readiness` | takes notices of completed sends for readiness |
//! | `filter-error` | says "again" when the filter of `iob_write` fails |
//! | `held-back` | holds back what `iob_send` was given, as if more were to come |
//! | `hint-without-room` | loses the write event if a write finds no room before the hint is taken |
//! | `killed-by-sigalrm` | dies of the timer that it sets for a write in blocking mode |
//! | `killed-by-sigpipe` | dies when it writes to a closed peer |
//! | `low-number-hangs` | hangs in its first wait if a number divisible by 16 was registered before |
//! | `not-reset` | keeps the entries of a batch that `iob_write` has sent |
//! | `old-files-bytes` | offers bytes of a file that was closed |
//! | `padded-file` | sends zeros behind the end of a file that is too short |
//! | `pipe-refused` | refuses `iob_send` to pipes and files |
//! | `regular-file` | never reports a wanted regular file; 0.34 has the errno of epoll for a write to one |
//! | `rest-dropped` | throws the rest of a batch away when `iob_write` takes a part |
//! | `reused-number` | takes a file under a number that was closed by close(2) for the old one |
//! | `second-want` | loses events when an interest in writing is stated twice |
//! | `short-file-complete` | says that a batch is sent whose file was too short |
//! | `short-transfer` | loses the events of others when one transfer comes up short |
//! | `sleeps-over-event` | sleeps in a wait while an event is pending |
//! | `stale-readiness` | reports what was ready while unwanted and is not any more |
//! | `time-out-without-deadline` | says "timed out" without a deadline |
//! | `toggled-interest` | loses events of others when an interest is withdrawn and stated again |
//! | `unregistered-number` | refuses numbers that were not registered, or heeds them by chance |
//! | `unwanted-hang-up` | spins while a peer has hung up and nothing is wanted of it |
//! | `again-is-an-error` | of 0.34: says -3 with EAGAIN |
//! | `asked-first` | asks poll(2) before a transfer on an end in blocking mode, and so says "again" where the kernel says more, or fails where poll(2) may ask of no number |
//! | `events-after-shutdown` | crashes in `io_canread` after `io_finishandshutdown` |
//! | `early-report` | names an end without a wait, because it was seen ready before anybody wanted it; loses it if the program says that it is not |
//! | `hinted-first` | of 0.34: a wait that tells of an end with a hint asks the kernel of no other |
//! | `hint-lost` | loses or keeps a hint that we do not; the player asks nothing of one that outlives io_fd |
//! | `filter-end` | never returns from `iob_write` of a file when the filter says end of file |
//! | `short-answer-ignored` | asks a filter for more of a file than it just took, if the descriptor is not registered |
//! | `stale-after-error` | leaves the write event when `iob_send` fails; 0.34 also the read event when a read does |
//! | `process-not-its-own` | hangs or crashes after the program closed all numbers, put another file under one, left a filter by longjmp or has notices in its error queue |
//! | `sweep-omits` | ends a sweep with the number that was registered last |
//! | `sweep-skips-ready` | passes over expired ends that it takes for ready; so do we, of ends that are ready and wanted |
//! | `unregistered-refused` | sends no batch to a descriptor that was not registered |
//! | `target-refused` | has only sendfile(2) for `io_sendfile`, which refuses terminals and eventfds; 0.34 also sources like /dev/null |
//! | `timedout-after-close` | finds a closed number timed out |

use super::play::{Line, Run};
use super::words::{count, is_cut, is_dropped, is_overrun, is_reset, names_ends, tells_events};
use crate::compile::With;

/// Which defect a difference comes from, and what it leaves in disorder.
#[derive(Default)]
pub(crate) struct Blame {
    pub(crate) name: &'static str,
    pub(crate) ends: Vec<usize>,
    pub(crate) batches: Vec<i64>,
    pub(crate) events: bool,
}

impl Blame {
    pub(super) fn new(name: &'static str) -> Blame {
        Blame { name, ..Blame::default() }
    }

    fn with_batch(mut self, line: &Line) -> Blame {
        self.batches.extend(line.number("batch"));
        self
    }

    pub(super) fn with_end(mut self, end: impl Into<Option<usize>>) -> Blame {
        self.ends.extend(end.into());
        self
    }
}

/// The defect with which 0.32 ended so before its time. It has not told all of the call that it was at; we have.
pub(crate) fn of_the_end(original: &Run, ours: &Run, step: usize) -> Option<Blame> {
    let (line, before) = (&ours.lines[step], &ours.lines[..step]);
    let before_there = &original.lines[..step.min(original.lines.len())];
    let warm = before.first().is_some_and(|begin| !begin.says("1") && !begin.says("3"));
    let waits = ["events", "turn", "wait_only", "idle"].contains(&line.call.as_str());
    match original.end.as_str() {
        "signal 13" if ["send_batch", "pump", "sendfile_to", "passfd"].contains(&line.call.as_str()) => {
            Some(Blame::new("killed-by-sigpipe"))
        }
        "signal 14" => Some(Blame::new("killed-by-sigalrm")),
        "hangs" if line.is("closed_behind") || has_a_number_closed_behind(line.a, before_there) => {
            Some(Blame::new("reused-number"))
        }
        // It tells of a number that nobody has registered and that is in blocking mode.
        "hangs"
            if line.call == "turn"
                && before.iter().any(|l| l.call.starts_with("want") && l.is("unregistered")) =>
        {
            Some(Blame::new("unregistered-number"))
        }
        "signal 11" if tells_events(&line.call) && before.iter().any(|l| l.call == "finish_and_shutdown") => {
            Some(Blame::new("events-after-shutdown"))
        }
        "signal 11" if !warm && tells_events(&line.call) => Some(Blame::new("events-before-registration")),
        "hangs" if !warm && waits && before.iter().flat_map(Line::descriptors).any(|n| n % 16 == 0) => {
            Some(Blame::new("low-number-hangs"))
        }
        // poll(2) names what has a notice of a completed send, and so it asks for bytes that never come.
        "hangs"
            if line.call == "waitread"
                && line.is("tcp")
                && before
                    .iter()
                    .any(|l| l.a == line.a && ["send_batch", "pump"].contains(&l.call.as_str())) =>
        {
            Some(Blame::new("false-readiness"))
        }
        // The filter says end of file in the middle of a file.
        "hangs" if line.call == "write_batch" && line.number("kind") == Some(4) => {
            Some(Blame::new("filter-end"))
        }
        _ if before.iter().chain([line]).any(is_too_much_for_0_32) => Some(Blame::new("process-not-its-own")),
        _ => None,
    }
}

/// What 0.32 has no answer to: its own numbers closed, a number that is another file, a filter that leaves, notices in an
/// error queue.
fn is_too_much_for_0_32(line: &Line) -> bool {
    ["close_all", "dup2_over", "notices"].contains(&line.call.as_str()) || line.number("kind") == Some(6)
}

/// Whether an end was made with a number that had been closed behind the library.
pub(super) fn has_a_number_closed_behind(end: Option<usize>, before: &[Line]) -> bool {
    let number = before.iter().rev().filter(|l| l.says("made")).find_map(|l| {
        let place = [l.a, l.b].iter().position(|&made| made == end)?;
        l.aside.split(' ').filter_map(|word| word.strip_prefix('n')?.parse::<i64>().ok()).nth(place)
    });
    number.is_some() && before.iter().any(|l| l.call == "plain_close" && l.number("n") == number)
}

/// A descriptor that 0.32 leaves open: what is connected to it does not hear of the end, and what was passed over it
/// stays open too.
pub(super) fn still_open(line: &Line, before: &[Line]) -> Blame {
    let mate_of = |end| before.iter().rev().find(|l| l.a == end).and_then(Line::mate);
    let connected = before.iter().filter(|l| l.call == "connect_to" && l.b == line.a).map(|l| l.a);
    let passed = before.iter().filter(|l| l.call == "passfd" && l.says("0") && l.mate() == line.a);
    let passed = passed.map(|l| mate_of(l.b));
    connected.chain(passed).fold(Blame::new("close-leaks").with_end(line.mate()), Blame::with_end)
}

/// A difference: what is said of it, and all that went before.
pub(super) struct Case<'a> {
    pub(super) line: &'a Line,
    pub(super) before: &'a [Line],
    /// The same calls on 0.32: once it has leaked a descriptor, numbers differ.
    pub(super) before_there: &'a [Line],
    /// The words that only one of the two says.
    pub(super) theirs: Vec<&'a str>,
    pub(super) ours: Vec<&'a str>,
}

fn only<'a>(these: &[&'a str], those: &[&str]) -> Vec<&'a str> {
    these.iter().filter(|word| !those.contains(word)).copied().collect()
}

/// What explains all of a difference; nothing if any word of it is unexplained.
pub(crate) fn of(original: &Run, ours: &Run, step: usize, left: &[&str], right: &[&str]) -> Vec<Blame> {
    let (line, before, before_there) = (&ours.lines[step], &ours.lines[..step], &original.lines[..step]);
    if !names_ends(&line.call) {
        let case = Case { line, before, before_there, theirs: left.to_vec(), ours: right.to_vec() };
        return case.call().into_iter().collect();
    }
    let case = Case { line, before, before_there, theirs: only(left, right), ours: only(right, left) };
    if line.call == "sweep" { case.sweep() } else { case.events() }
}

impl Case<'_> {
    /// A call on one end, or on a batch.
    fn call(&self) -> Option<Blame> {
        let (line, theirs, ours) = (self.line, self.theirs.join(" "), self.ours.join(" "));
        let call = line.call.as_str();
        let both = |name| Some(Blame::new(name).with_end(line.a).with_end(line.mate()));
        let sends = ["send_batch", "pump", "write_batch"].contains(&call);
        let later = super::reference() == With::Later;
        match call {
            _ if theirs.contains("WRONG-BYTES") && self.sent_without_a_copy() => both("buffer-still-read"),
            _ if (theirs.contains("WRONG-BYTES") || theirs.contains("TOO-MUCH")) && self.sent_twice() => {
                both("not-reset").map(|b| b.with_batch(line))
            }
            "fd" | "fd_flags" if theirs == "hinted" || ours == "hinted" => both("hint-lost"),
            "addfile_close" if self.differs_in(&["FILE-OPEN"]) => Some(Blame::new("close-leaks")),
            // More is under way there than with us.
            "send_batch" if ours.starts_with(&format!("{theirs} left ")) && self.corked(line.a) => {
                both("held-back").map(|b| b.with_batch(line))
            }
            "close_end" if theirs.starts_with("STILL-OPEN") => Some(still_open(line, self.before)),
            "close_end" if theirs == "timedout" && ours.is_empty() => {
                Some(Blame::new("timedout-after-close"))
            }
            "tryreadtimeout" | "trywritetimeout"
                if theirs == "-2 ETIMEDOUT" && ["-1 EAGAIN", "some"].contains(&ours.as_str()) =>
            {
                let limit = self.of_end(line.a, "timeout").next();
                match limit {
                    Some(l) if l.is("unregistered") => Some(Blame::new("unregistered-number")),
                    _ => limit
                        .is_none_or(|l| l.number("ms") == Some(0))
                        .then(|| Blame::new("time-out-without-deadline")),
                }
            }
            "timedout" if line.is("unregistered") && theirs == "1" && ours == "0" => {
                Some(Blame::new("unregistered-number"))
            }
            // The deadline of what had the number before, and was closed behind the library's back.
            "timedout" if self.is_reused(line.a) && theirs == "1" && ours == "0" => both("reused-number"),
            "getcookie" if line.is("unregistered") && ours == "0" => Some(Blame::new("unregistered-number")),
            "getcookie" if self.is_reused(line.a) && ours == "0" => both("reused-number"),
            // With us, too, the cookie stays until io_fd; with 0.32 the end has another number.
            "getcookie" if line.is("closed_behind") && line.is("unregistered") && theirs == "0" => {
                both("reused-number")
            }
            // 0.32 refuses, and keeps the batch; 0.34 sends, as we do.
            "send_batch" | "pump" if line.is("unregistered") && theirs.starts_with("-3 EBADF") => {
                both("unregistered-refused").map(|b| b.with_batch(line))
            }
            // 0.32 refuses; the kernel is asked by us.
            _ if line.is("unregistered") && !sends && theirs == "-3 EBADF" => both("unregistered-number"),
            _ if sends && ours.starts_with("-3 EBADF") && line.is("unregistered") => {
                both("unregistered-number").map(|b| b.with_batch(line))
            }
            // 0.32 asks poll(2) first, which says that nothing can be read; we make the call.
            _ if ["-1 EAGAIN", "-2 ETIMEDOUT"].contains(&theirs.as_str())
                && (line.is("blocking") || line.is("unregistered"))
                && (ours == "-3 EBADF"
                    || line.number("size") == Some(0) && ours == "0"
                    || line.is("listener") && ["-3 ENOTCONN", "-3 EPIPE"].contains(&ours.as_str())) =>
            {
                Some(Blame::new("asked-first"))
            }
            "mmapwrite" if theirs.starts_with("-1 ") && ours.starts_with("-3 ") => {
                Some(Blame::new("bad-file-says-again"))
            }
            "mmapwrite" if ours == "-3 EIO" && line.number("there") == Some(0) => both("padded-file"),
            "mmapwrite" if ours == "-3 ESPIPE" => both("bad-file-says-again"),
            _ if self.differs_in(&["late"]) && self.corked(line.a) => Some(Blame::new("held-back")),
            "pump" if self.differs_in(&["MISSING"]) => both("held-back"),
            // What would reset it is held back at its mate.
            _ if line.is("tcp")
                && is_reset(&theirs)
                && is_reset(&ours)
                && self.corked_before(line.mate()) =>
            {
                both("held-back")
            }
            "take" | "tryread" | "tryreadtimeout" | "waitread"
                if line.is("tcp")
                    && self.corked_before(line.mate())
                    && (count(&theirs) < count(&ours)
                        || theirs == "none" && ours == "some"
                        || theirs == "would sleep" && ours == "some") =>
            {
                both("held-back")
            }
            // It held all back, and so the reset came only afterwards; or in between, for it makes more calls.
            "send_batch" | "write_batch"
                if line.is("tcp")
                    && line.is("unpaired")
                    && self.corked(line.a)
                    && (is_cut(&theirs, &ours) || is_cut(&ours, &theirs)) =>
            {
                both("held-back").map(|b| b.with_batch(line))
            }
            // What is held back is not answered by a reset yet.
            "shut"
                if line.is("tcp")
                    && line.is("unpaired")
                    && (theirs.as_str(), ours.as_str()) == ("0", "-1 ENOTCONN")
                    && self.corked(line.a) =>
            {
                both("held-back")
            }
            _ if line.is("tcp")
                && line.is("unpaired")
                && !theirs.starts_with('-')
                && is_reset(&ours)
                && self.corked(line.a) =>
            {
                both("held-back").map(|b| b.with_batch(line))
            }
            _ if line.is("udp") && theirs.contains("late") && self.corked(line.a) => both("held-back"),
            _ if sends
                && theirs.starts_with('0')
                && ours.starts_with("-3 EIO")
                && self.holds_a_short_file() =>
            {
                both("short-file-complete").map(|b| b.with_batch(line))
            }
            "write_batch" if theirs.replace("-1 ", "-3 ") == ours => Some(Blame::new("filter-error")),
            "write_batch"
                if self.holds_a_file()
                    && (line.is("unregistered") || !line.aside.contains("a:"))
                    && (is_overrun(&theirs, &ours) || theirs.starts_with("left-by-longjmp ")) =>
            {
                both("short-answer-ignored").map(|b| b.with_batch(line))
            }
            // Where it maps no file, it takes an error of the filter for an end of the file.
            "write_batch"
                if self.holds_a_file()
                    && (line.is("unregistered") || !line.aside.contains("a:"))
                    && theirs.starts_with("0 left ")
                    && ours.strip_prefix("-3 EIO") == theirs.strip_prefix('0') =>
            {
                both("short-answer-ignored").map(|b| b.with_batch(line))
            }
            "write_batch"
                if self.holds_a_short_file()
                    && (theirs.contains("EFAULT")
                        || theirs.starts_with("-3 ") && ours.starts_with("-3 ESPIPE")
                        || ours.contains("EIO")
                        || count(&theirs) > count(&ours)
                        || is_cut(&ours, &theirs)) =>
            {
                both("padded-file").map(|b| b.with_batch(line))
            }
            "write_batch" if is_dropped(&theirs, &ours) => both("rest-dropped").map(|b| b.with_batch(line)),
            "write_batch" if ours.starts_with("-3 EBADF ") && self.left_of_a_file() => {
                both("old-files-bytes").map(|b| b.with_batch(line))
            }
            "write_batch" if self.differs_in(&["FILES-OPEN"]) => Some(Blame::new("not-reset")),
            "write_batch" if self.differs_in(&["FILES-OPEN", "late"]) && self.corked(line.a) => {
                Some(Blame::new("not-reset"))
            }
            "reset_batch" if self.differs_in(&["FILES-OPEN"]) && self.closed_in_the_queue() => {
                Some(Blame::new("close-while-pending"))
            }
            "send_batch" | "reset_batch" | "free_batch"
                if self.differs_in(&["FILES-OPEN"]) && self.holds_a_copy_closed_behind() =>
            {
                Some(Blame::new("reused-number"))
            }
            // It sends a file to a pipe, but no buffer.
            "send_batch"
                if (line.is("pipe-out") || line.is("terminal"))
                    && self.holds_a_file()
                    && is_cut(&ours, &theirs) =>
            {
                both("pipe-refused").map(|b| b.with_batch(line))
            }
            "sendfile_to" if later && theirs == "-3 EINVAL" && ours == "0" => both("target-refused"),
            _ if later && theirs == "-3 EAGAIN" && ours == "-1 EAGAIN" => both("again-is-an-error"),
            _ if later && theirs == "-3 EPERM" && ours == "-3 EBADF" && line.is("file") => {
                both("regular-file")
            }
            "sendfile_to" if theirs == "-3 EINVAL" && (line.is("terminal") || line.is("odd")) => {
                both("target-refused")
            }
            _ if sends && theirs.starts_with("-3 ENOTSOCK") => {
                both("pipe-refused").map(|b| b.with_batch(line))
            }
            _ if line.number("batch").is_some() && self.touched_by_a_filter() => {
                both("not-reset").map(|b| b.with_batch(line))
            }
            _ => None,
        }
    }

    /// Whether 0.32 says what we say, but for these faults.
    fn differs_in(&self, faults: &[&str]) -> bool {
        let rest = self.theirs.iter().filter(|word| !faults.iter().any(|fault| word.starts_with(fault)));
        rest.eq(&self.ours)
    }
}
