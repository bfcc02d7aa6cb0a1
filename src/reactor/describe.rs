//! `io_debugstring`: the state of one descriptor for a person.

use super::Reactor;
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::mode::Mode;
use crate::time::Deadline;
use std::fmt;

impl Reactor {
    /// Writes what is known of `fd`; false if it is not registered or `out` is full.
    pub(super) fn describe(&mut self, fd: Fd, out: &mut dyn fmt::Write) -> bool {
        let backend = self.live_backend().map_or("none", |b| b.name());
        let Some(e) = self.table.get(fd) else { return false };
        let mode = match e.mode {
            Mode::Blocking => "blocking",
            Mode::Nonblocking => "non-blocking",
        };
        let deadline = if e.deadline == Deadline::NEVER { "none" } else { "set" };
        write!(
            out,
            "fd {}: {mode}, want {}, watched {}, pending {}, queued {}, can-write hint {}, deadline {deadline}, \
             cookie {:#x}, backend {backend}",
            fd.raw(),
            letters(e.want),
            letters(e.watched),
            letters(e.pending),
            letters(e.queued),
            if e.can_write_hint { "yes" } else { "no" },
            e.cookie,
        )
        .is_ok()
    }
}

fn letters(i: Interest) -> &'static str {
    match (i.has(Direction::Read), i.has(Direction::Write)) {
        (false, false) => "-",
        (true, false) => "r",
        (false, true) => "w",
        (true, true) => "rw",
    }
}
