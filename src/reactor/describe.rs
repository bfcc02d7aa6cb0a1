//! `io_debugstring`: the state of one descriptor for a person.

use super::Reactor;
use crate::backend::Backend;
use crate::fd::Fd;
use crate::interest::{Direction, Interest, Trigger};
use crate::sys::mode::is_nonblocking;
use crate::text::Text;
use crate::time::Deadline;

impl Reactor {
    /// Writes what is known of `fd`; false if it is not registered.
    pub(super) fn describe(&mut self, fd: Fd, out: &mut Text) -> bool {
        // Of an event that was put off the entry knows nothing yet.
        self.touch(fd);
        let backend = self.live_backend().map(|b| b.name());
        let Some(e) = self.table.get(fd) else { return false };
        // What another backend was told counts for nothing.
        let watched = if backend.is_some() { e.watched } else { Interest::NONE };
        out.add("fd ");
        out.add_decimal(fd.index() as u64);
        for part in [
            // The entry has what is good enough for transfers.
            match is_nonblocking(fd) {
                Ok(true) => ": non-blocking",
                Ok(false) => ": blocking",
                Err(_) => ": not open",
            },
            ", want ",
            letters(e.want | e.want_later),
            ", watched ",
            letters(watched),
            match e.trigger {
                _ if watched.is_none() => "",
                Trigger::Level => " (level)",
                Trigger::Edge => " (edge)",
            },
            ", pending ",
            letters(e.pending),
            ", queued ",
            letters(e.queued),
            if e.in_hand { ", in hand" } else { "" },
            if e.can_write_hint { ", can-write hint" } else { "" },
        ] {
            out.add(part);
        }
        add_deadline(e.deadline, out);
        out.add(", cookie 0x");
        out.add_hexadecimal(e.cookie as u64);
        out.add(", backend ");
        out.add(backend.unwrap_or("none"));
        true
    }
}

fn add_deadline(at: Deadline, out: &mut Text) {
    let ms = at.ms_from(Deadline::now());
    match at {
        Deadline::NEVER => return out.add(", deadline none"),
        _ if ms < 0 => out.add(", deadline passed "),
        _ => out.add(", deadline in "),
    }
    out.add_decimal(ms.unsigned_abs());
    out.add(if ms < 0 { " ms ago" } else { " ms" });
}

fn letters(i: Interest) -> &'static str {
    match (i.has(Direction::Read), i.has(Direction::Write)) {
        (false, false) => "-",
        (true, false) => "r",
        (false, true) => "w",
        (true, true) => "rw",
    }
}
