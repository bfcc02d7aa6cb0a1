//! What the calls before a difference tell: which end was hinted, which write came up short, what a batch holds.

use super::defects::{Case, has_a_number_closed_behind};
use super::play::Line;
use super::words::{count, end_of, tells_events};

impl Case<'_> {
    /// Whether the deadline of an end has passed for certain: then a sweep must name it.
    pub(super) fn is_overdue(&self, word: &str) -> bool {
        let end = end_of(word);
        let of_end = |l: &&Line| {
            l.a == end && end.is_some() && ["timeout", "close_end", "plain_close"].contains(&l.call.as_str())
        };
        let named = self.before.iter().any(|l| l.call == "sweep" && !l.said.is_empty());
        let passed = |l: &Line| {
            l.number("ms").is_some_and(|ms| ms < 0) && (named || self.is_above_the_last(l.number("n")))
        };
        self.before_there.iter().rev().find(of_end).is_some_and(passed)
    }

    /// Whether a lower number was registered after this one: a sweep of 0.32 ends with the number that was registered
    /// last. One that did not end (`endless-sweep`) has the next begin behind it, if a higher number was registered since.
    fn is_above_the_last(&self, number: Option<i64>) -> bool {
        let calls = ["fd", "fd_canwrite", "fd_flags", "addfile", "addfile_close"];
        let registers = |l: &&Line| {
            calls.contains(&l.call.as_str()) && l.says("1") || l.call.starts_with("lib_") && l.says("made")
        };
        self.before_there
            .iter()
            .rev()
            .find(registers)
            .is_some_and(|l| l.number("copy").or(l.number("n")) < number)
    }

    /// Whether iob_send has sent to an end, or does now: 0.32 then keeps bytes back.
    pub(super) fn corked(&self, end: Option<usize>) -> bool {
        ["send_batch", "pump"].contains(&self.line.call.as_str())
            || self.of_end(end, "send_batch").next().is_some()
            || self.of_end(end, "pump").next().is_some()
    }

    pub(super) fn mate_of(&self, end: Option<usize>) -> Option<usize> {
        let last = self.before.iter().rev().find(|l| l.a == end || l.says("made") && l.b == end)?;
        let other = if last.a == end { last.b } else { last.a };
        if last.says("made") { other } else { last.mate() }
    }

    /// Whether a read event is about bytes that 0.32 may keep back at the other end.
    pub(super) fn held_back(&self, word: &str) -> bool {
        let end = end_of(word);
        let mate = self.mate_of(end);
        (word.starts_with('r') || self.line.call == "finish") && mate.is_some() && self.corked_before(mate)
    }

    pub(super) fn corked_before(&self, end: Option<usize>) -> bool {
        ["send_batch", "pump"].iter().any(|call| self.of_end(end, call).any(|l| l.is("tcp")))
    }

    /// Whether iob_send was given a batch of which iob_write had sent a part: 0.32 sends that part again.
    pub(super) fn sent_twice(&self) -> bool {
        let filtered = |l: &Line| l.call == "write_batch" && count(&l.said) > 0;
        let starts = self.before.iter().enumerate().filter(|(_, l)| filtered(l));
        starts.into_iter().any(|(i, first)| {
            let of_batch = self.before[i + 1..].iter().chain([self.line]);
            let mut of_batch = of_batch
                .filter(|l| l.number("batch") == first.number("batch"))
                .take_while(|l| l.call != "reset_batch" && l.call != "free_batch");
            of_batch.any(|l| ["send_batch", "pump", "write_batch"].contains(&l.call.as_str()))
        })
    }

    /// Whether iob_send was given enough by TCP to send it without a copy.
    pub(super) fn sent_without_a_copy(&self) -> bool {
        let sent = |l: &Line| ["send_batch", "pump"].contains(&l.call.as_str()) && l.is("tcp");
        let enough = |sent: &Line| {
            let of_batch = self.before.iter().filter(|l| l.number("batch") == sent.number("batch"));
            of_batch.filter(|l| l.call.starts_with("add")).filter_map(|l| l.number("size")).sum::<i64>()
                >= 8192
        };
        self.before.iter().chain([self.line]).any(|l| sent(l) && enough(l))
    }

    /// Whether the last batch that was sent to the end failed: 0.32 then leaves the event.
    pub(super) fn send_failed(&self, end: Option<usize>) -> bool {
        let sends = |l: &&Line| l.a == end && ["send_batch", "pump"].contains(&l.call.as_str());
        self.before.iter().rev().find(sends).is_some_and(|l| l.said.starts_with("-3"))
    }

    /// Whether the last read of an end failed: 0.34 then leaves the event.
    pub(super) fn read_failed(&self, end: Option<usize>) -> bool {
        let reads = |l: &&Line| l.a == end && ["tryread", "tryreadtimeout"].contains(&l.call.as_str());
        self.before.iter().rev().find(reads).is_some_and(|l| l.said.starts_with("-3"))
    }

    /// Whether an end was closed for which 0.32 may have noted an event: of writing, or of reading while it was not
    /// wanted.
    pub(super) fn closed_in_the_queue(&self) -> bool {
        self.before.iter().enumerate().any(|(i, l)| {
            let unwanted = |b: &Line| b.a == l.a && b.call.starts_with("dontwant");
            l.call == "close_end" && (l.is("w") || l.is("r") && self.before[..i].iter().any(unwanted))
        })
    }

    /// Whether a write came up short, or was said to, while the end was wanted for writing. 0.32 takes for short also what
    /// goes over from a buffer to a file or back.
    pub(super) fn writing_dropped(&self, end: Option<usize>) -> bool {
        let writes = [
            "trywrite",
            "trywritetimeout",
            "waitwrite",
            "send_batch",
            "pump",
            "sendfile_to",
            "fill",
            "write_batch",
        ];
        let failed = format!("w{}=-", end.unwrap_or_default());
        let holds_a_file = |batch| {
            self.before.iter().any(|l| l.call.starts_with("addfile") && l.number("batch") == Some(batch))
        };
        self.before.iter().any(|l| {
            let call = l.call.as_str();
            let short = writes.contains(&call)
                && (l.said.starts_with('-')
                    || l.said == "some"
                    || call == "sendfile_to" && l.number("size").is_some_and(|n| count(&l.said) < n)
                    || l.number("batch").is_some() && !l.said.ends_with("left 0")
                    || l.number("batch").is_some_and(holds_a_file));
            l.a == end && l.is("w") && (short || ["eagain", "eagain_write"].contains(&call))
                || l.said.contains(&failed)
        })
    }

    /// Whether an event was withdrawn by dontwant (a hint, or one of a wait after which not all were taken), or an end
    /// was toggled again after a wait that came while it was not wanted.
    pub(super) fn withdrawn_by_toggling(&self) -> bool {
        self.before.iter().enumerate().any(|(i, l)| {
            let last = || self.before[..i].iter().rev().find(|b| tells_events(&b.call));
            let untaken = || last().is_some_and(|b| b.call == "wait_only" || b.call == "pop_some");
            let toggles = |b: &&Line| {
                b.a == l.a && ["want", "dontwant", "eagain"].iter().any(|call| b.call.starts_with(call))
            };
            let again = || {
                let since = self.before[i + 1..].iter().skip_while(|b| !tells_events(&b.call));
                since.into_iter().any(|b| toggles(&b))
            };
            l.call == "dontwantwrite" && l.is("hint")
                || l.call.starts_with("dontwant") && (untaken() || again())
        })
    }

    /// Whether an end was read from while events of a wait had not been taken.
    pub(super) fn read_before_taken(&self) -> bool {
        let mut untaken = false;
        self.before.iter().any(|l| {
            if tells_events(&l.call) {
                untaken = ["wait_only", "pop_some"].contains(&l.call.as_str());
            }
            untaken && l.is("r") && ["tryread", "tryreadtimeout", "waitread"].contains(&l.call.as_str())
        })
    }

    /// Whether the number of an end was closed behind the library.
    pub(super) fn is_reused(&self, end: Option<usize>) -> bool {
        let before = self.before.iter().chain(self.before_there).chain([self.line]);
        end.is_some()
            && (before.into_iter().any(|l| l.a == end && l.is("closed_behind"))
                || has_a_number_closed_behind(end, self.before_there))
    }

    /// Whether a number was wanted, or unwanted, that is not registered: if it once was, 0.32 heeds that, and queues what nobody
    /// expects.
    pub(super) fn heeds_unregistered(&self) -> bool {
        self.before.iter().any(|l| l.call.contains("want") && l.is("unregistered"))
    }

    /// Whether a wait call came although events of the one before were not all taken.
    pub(super) fn uncollected(&self) -> bool {
        let takes = |l: &&Line| tells_events(&l.call) && l.call != "pop_some";
        let calls: Vec<&str> =
            self.before.iter().chain([self.line]).filter(takes).map(|l| l.call.as_str()).collect();
        calls.windows(2).any(|pair| pair[0] == "wait_only" && pair[1] != "leftovers")
    }

    /// Whether a file was put into the batch of this call.
    pub(super) fn holds_a_file(&self) -> bool {
        let batch = self.line.number("batch");
        self.before.iter().any(|l| l.call.starts_with("addfile") && l.number("batch") == batch)
    }

    /// Whether a copy was put into the batch whose number had been closed behind the library: its close is put off for the
    /// events of what had the number before.
    pub(super) fn holds_a_copy_closed_behind(&self) -> bool {
        let batch = self.line.number("batch");
        let copies =
            self.before_there.iter().filter(|l| l.call == "addfile_close" && l.number("batch") == batch);
        let closed =
            |n: i64| self.before_there.iter().any(|l| l.call == "plain_close" && l.number("n") == Some(n));
        copies.filter_map(|l| l.number("copy")).any(closed)
    }

    /// Whether a file was put into the batch of this call that has less than was said.
    pub(super) fn holds_a_short_file(&self) -> bool {
        let batch = self.line.number("batch");
        self.before.iter().any(|l| l.number("short").is_some_and(|n| n > 0) && l.number("batch") == batch)
    }

    /// Whether a batch with a file was sent to a pipe, which then has room for the buffers that 0.32 does not send.
    pub(super) fn pipe_was_sent_a_file(&self, end: Option<usize>) -> bool {
        self.of_end(end, "send_batch").any(|sent| {
            let of_batch = self.before.iter().filter(|l| l.number("batch") == sent.number("batch"));
            sent.is("pipe-out") && of_batch.into_iter().any(|l| l.call.starts_with("addfile"))
        })
    }

    /// Whether iob_write has once left a part of a file: 0.32 offers that again, whatever the batch has by then.
    pub(super) fn left_of_a_file(&self) -> bool {
        self.before.iter().any(|l| {
            let of_batch = self.before.iter().filter(|b| b.number("batch") == l.number("batch"));
            l.call == "write_batch"
                && !l.said.ends_with("left 0")
                && of_batch.into_iter().any(|b| b.call.starts_with("addfile"))
        })
    }

    /// Calls on an end, the last one first, since it was made.
    pub(super) fn of_end(&self, end: Option<usize>, call: &str) -> impl Iterator<Item = &Line> {
        let closes = move |l: &&Line| l.a == end && ["close_end", "plain_close"].contains(&l.call.as_str());
        let since = self.before.iter().rev().take_while(move |l| !closes(l) || l.says("passed"));
        since.filter(move |l| l.call == call && l.a == end && l.aside.starts_with("a:"))
    }

    pub(super) fn unregistered(&self, end: Option<usize>) -> bool {
        self.before.iter().rev().find(|l| l.a == end).is_some_and(|l| l.is("unregistered"))
    }

    /// Whether iob_write has sent from the batch of this call and nothing has reset it since: 0.32 keeps what was sent.
    pub(super) fn touched_by_a_filter(&self) -> bool {
        let of_batch = self.before.iter().rev().filter(|l| l.number("batch") == self.line.number("batch"));
        let mut of_batch = of_batch.take_while(|l| {
            let sent = l.call == "send_batch" && count(&l.said) > 0 && l.said.ends_with("left 0");
            l.call != "reset_batch" && !sent
        });
        of_batch.any(|l| l.call == "write_batch" && count(&l.said) > 0)
    }
}
