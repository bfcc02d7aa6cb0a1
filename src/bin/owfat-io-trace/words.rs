//! Gives the meaning of a line: in words, and as one of the kinds of events that a picture shows.

use crate::line::{Entry, Outcome};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Direction {
    Read,
    Write,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// It was opened or registered.
    Opened,
    Wants(Direction),
    WantsNoMore(Direction),
    /// It was reported to the program.
    Reported(Direction),
    /// Bytes were read or written.
    Moved(Direction),
    /// A transfer found that it was not ready.
    NotReady(Direction),
    EndOfFile,
    Expired,
    Failed,
    Closed,
    /// Not shown in the picture.
    Minor,
}

/// The kind of an event, the bytes that it moved, and its words.
pub(crate) fn of(entry: &Entry) -> (Kind, i64, String) {
    let n = entry.number().unwrap_or(0);
    match entry.what {
        "io_fd" | "io_fd_canwrite" | "io_fd_flags" if n == 1 => (Kind::Opened, 0, registered(entry)),
        "io_pipe" | "io_socketpair" if n == 1 => {
            (Kind::Opened, 0, format!("made by {}{}", entry.what, detail(entry, ", other end", "other")))
        }
        "io_readfile" | "io_createfile" | "io_readwritefile" | "io_appendfile" if n == 1 => {
            (Kind::Opened, 0, format!("opened by {}", entry.what))
        }
        "io_wantread" => (Kind::Wants(Direction::Read), 0, "wants to read".into()),
        "io_wantwrite" => (Kind::Wants(Direction::Write), 0, "wants to write".into()),
        "io_dontwantread" => (Kind::WantsNoMore(Direction::Read), 0, "wants to read no more".into()),
        "io_dontwantwrite" => (Kind::WantsNoMore(Direction::Write), 0, "wants to write no more".into()),
        "io_canread" => (Kind::Reported(Direction::Read), 0, "reported readable".into()),
        "io_canwrite" => (Kind::Reported(Direction::Write), 0, "reported writable".into()),
        "ready" => (Kind::Minor, 0, ready(entry.outcome).into()),
        "io_tryread" | "io_waitread" | "io_tryreadtimeout" => moved(entry, n, Direction::Read, "read"),
        "io_trywrite" | "io_waitwrite" | "io_trywritetimeout" => moved(entry, n, Direction::Write, "wrote"),
        "iob_send" | "iob_write" | "iob_write2" => moved(entry, n, Direction::Write, "sent of a batch"),
        "io_sendfile" | "io_mmapwritefile" => moved(entry, n, Direction::Write, "sent of a file"),
        "io_timeout" => (Kind::Minor, 0, deadline(entry)),
        "io_timeouted" => (Kind::Expired, 0, "deadline reported as passed".into()),
        "io_close" if entry.outcome == Outcome::Nothing => (Kind::Closed, 0, "closed".into()),
        "iom_wait" if n == 1 => {
            (Kind::Reported(Direction::Read), 0, format!("reported by iom_wait{}", events(entry)))
        }
        _ => other(entry),
    }
}

fn registered(entry: &Entry) -> String {
    let can_write = entry.what == "io_fd_canwrite" || entry.detail("flags").is_some_and(|f| f & 1 != 0);
    format!("registered{}", if can_write { ", known to be writable" } else { "" })
}

fn ready(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Word("r") => "the kernel finds it readable",
        Outcome::Word("w") => "the kernel finds it writable",
        Outcome::Word("rw") => "the kernel finds it readable and writable",
        Outcome::Word("error") => "the kernel finds an error condition",
        Outcome::Word("closed") => "the kernel finds it closed",
        _ => "the kernel finds it ready",
    }
}

fn moved(entry: &Entry, n: i64, direction: Direction, verb: &str) -> (Kind, i64, String) {
    let asked = detail(entry, " of", "len");
    let left = detail(entry, ", left:", "left");
    match (n, entry.error) {
        (0, _) if direction == Direction::Read && entry.detail("len") != Some(0) => {
            (Kind::EndOfFile, 0, "read: end of file".into())
        }
        (0.., _) => (Kind::Moved(direction), n, format!("{verb}: {n}{asked} bytes{left}")),
        (-1, _) => (Kind::NotReady(direction), 0, format!("{verb}: nothing, not ready{left}")),
        (-2, _) => (Kind::Expired, 0, format!("{verb}: nothing, the deadline has passed")),
        (_, error) => {
            (Kind::Failed, 0, format!("{verb}: failed, {}{left}", error.unwrap_or("no error named")))
        }
    }
}

fn deadline(entry: &Entry) -> String {
    match entry.detail("ms") {
        None => "no deadline any more".into(),
        Some(ms) => format!("deadline in {ms} ms"),
    }
}

fn events(entry: &Entry) -> String {
    let of = |bit: i64, word: &'static str| entry.detail("events").filter(|e| e & bit != 0).map(|_| word);
    let words: Vec<_> = [of(1, "read"), of(2, "write"), of(4, "error")].into_iter().flatten().collect();
    format!(": {}", words.join(", "))
}

fn detail(entry: &Entry, words: &str, name: &str) -> String {
    entry.detail(name).map_or_else(String::new, |value| format!("{words} {value}"))
}

fn other(entry: &Entry) -> (Kind, i64, String) {
    let what = match entry.what {
        "io_nonblock" => "put in non-blocking mode",
        "io_block" => "put in blocking mode",
        "io_closeonexec" => "made close-on-exec",
        "io_queueforread" => "queued for reading",
        "io_queueforwrite" => "queued for writing",
        "io_eagain" | "io_eagain_read" | "io_eagain_write" => "said to be not ready",
        "iom_add" => "added to a multiplexer",
        "iom_requeue" => "armed again in a multiplexer",
        name => name,
    };
    match (entry.error, entry.what) {
        (Some(error), _) => (Kind::Failed, 0, format!("{}: failed, {error}", entry.what)),
        (None, "io_passfd") => {
            (Kind::Minor, 0, format!("descriptor{} passed on", detail(entry, "", "passed")))
        }
        (None, "io_receivefd") => {
            (Kind::Minor, 0, format!("received as descriptor {}", entry.number().unwrap_or(-1)))
        }
        (None, "iom_add" | "iom_requeue") => (Kind::Minor, 0, format!("{what}{}", events(entry))),
        _ => (Kind::Minor, 0, what.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::parse;

    fn means(line: &str) -> (Kind, i64, String) {
        of(&parse(&format!("1.000000 1/1 3 {line}\n")).unwrap())
    }

    #[test]
    fn each_line_of_a_trace_has_its_kind_bytes_and_words() {
        for (line, kind, bytes, words) in [
            ("io_fd 1", Kind::Opened, 0, "registered"),
            ("io_fd 0 EBADF", Kind::Failed, 0, "io_fd: failed, EBADF"),
            ("io_fd_flags 1 flags=5", Kind::Opened, 0, "registered, known to be writable"),
            ("io_socketpair 1 other=4", Kind::Opened, 0, "made by io_socketpair, other end 4"),
            ("io_wantread -", Kind::Wants(Direction::Read), 0, "wants to read"),
            ("io_tryread 5 len=100", Kind::Moved(Direction::Read), 5, "read: 5 of 100 bytes"),
            ("io_tryread 0 len=100", Kind::EndOfFile, 0, "read: end of file"),
            ("io_tryread 0 len=0", Kind::Moved(Direction::Read), 0, "read: 0 of 0 bytes"),
            ("io_tryread -1 EAGAIN len=9", Kind::NotReady(Direction::Read), 0, "read: nothing, not ready"),
            ("io_tryread -3 EIO len=9", Kind::Failed, 0, "read: failed, EIO"),
            ("iob_send 6 left=2", Kind::Moved(Direction::Write), 6, "sent of a batch: 6 bytes, left: 2"),
            (
                "io_tryreadtimeout -2 ETIMEDOUT len=9",
                Kind::Expired,
                0,
                "read: nothing, the deadline has passed",
            ),
            ("io_timeout - ms=-20", Kind::Minor, 0, "deadline in -20 ms"),
            ("io_timeout -", Kind::Minor, 0, "no deadline any more"),
            ("io_close -", Kind::Closed, 0, "closed"),
            ("io_close -1 EBADF", Kind::Failed, 0, "io_close: failed, EBADF"),
            ("iom_add 0 events=3", Kind::Minor, 0, "added to a multiplexer: read, write"),
            ("iom_requeue 0 events=1", Kind::Minor, 0, "armed again in a multiplexer: read"),
            ("io_new_one 7 left=1", Kind::Minor, 0, "io_new_one"),
        ] {
            assert_eq!(means(line), (kind, bytes, words.to_owned()), "{line}");
        }
    }
}
