//! `io_debugstring`: the state of one descriptor for a person.

use super::state;
use crate::backend::Backend;
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::slot::Hint;
use crate::sys::mode::is_nonblocking;
use crate::table::registered;
use crate::text::Text;
use crate::time::Deadline;

/// Writes the state of `fd` to `out`; false if it is not registered.
pub(crate) fn describe(fd: Fd, out: &mut Text) -> bool {
    let state = state();
    let backend = state.live_backend().map(|b| b.name());
    let Some(slot) = registered(fd.raw().into()) else { return false };
    // `watched` is about the backend that is open. If none is, it is out of date.
    let watched = if backend.is_some() { slot.watched.get() } else { Interest::NONE };
    out.add("fd ");
    out.add_decimal(fd.index() as u64);
    for part in [
        // The mode in the slot may be out of date, so the kernel is asked.
        match is_nonblocking(fd) {
            Ok(true) => ": non-blocking",
            Ok(false) => ": blocking",
            Err(_) => ": not open",
        },
        ", want ",
        letters(slot.want.get()),
        ", watched ",
        letters(watched),
        ", pending ",
        letters(state.pending(fd.index() as u32)),
        ", queued ",
        letters(slot.queued.get()),
        if slot.leased.get() { ", leased" } else { "" },
        if slot.hint.get() == Hint::None { "" } else { ", can-write hint" },
    ] {
        out.add(part);
    }
    add_deadline(slot.deadline.get(), out);
    out.add(", cookie 0x");
    out.add_hexadecimal(slot.cookie.get() as u64);
    out.add(", backend ");
    out.add(backend.unwrap_or("none"));
    true
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
