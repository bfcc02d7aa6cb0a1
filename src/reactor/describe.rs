//! `io_debugstring`: the state of one descriptor for a person.

use super::Reactor;
use crate::backend::Backend;
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::mode::Mode;
use crate::text::Text;
use crate::time::Deadline;

impl Reactor {
    /// Writes what is known of `fd`; false if it is not registered.
    pub(super) fn describe(&mut self, fd: Fd, out: &mut Text) -> bool {
        let backend = self.live_backend().map_or("none", |b| b.name());
        let Some(e) = self.table.get(fd) else { return false };
        let mode = match e.mode {
            Mode::Blocking => "blocking",
            Mode::Nonblocking => "non-blocking",
        };
        out.add("fd ");
        out.add_decimal(fd.index() as u64);
        let parts = [
            (": ", mode),
            (", want ", letters(e.want)),
            (", watched ", letters(e.watched)),
            (", pending ", letters(e.pending)),
            (", queued ", letters(e.queued)),
            (", can-write hint ", if e.can_write_hint { "yes" } else { "no" }),
            (", deadline ", if e.deadline == Deadline::NEVER { "none" } else { "set" }),
        ];
        for (name, value) in parts {
            out.add(name);
            out.add(value);
        }
        out.add(", cookie 0x");
        out.add_hexadecimal(e.cookie as u64);
        out.add(", backend ");
        out.add(backend);
        true
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
