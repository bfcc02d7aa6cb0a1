//! The look at the kernel, and those who watch it.

use crate::backend::{Asked, Backend, Event, Events, Opened};
use crate::interest::Direction;
use crate::trace::{self, Shown};
use nix::errno::Errno;
use std::time::Duration;

/// Asks the backend; see [`Backend::wait`].
#[inline]
pub(super) fn look(
    backend: &Opened,
    events: &mut Events,
    asked: &[Asked],
    timeout: Option<Duration>,
) -> Result<(), Errno> {
    if trace::is_on() {
        return told_look(backend, events, asked, timeout);
    }
    backend.wait(events, asked, timeout)
}

#[cold]
fn told_look(
    backend: &Opened,
    events: &mut Events,
    asked: &[Asked],
    timeout: Option<Duration>,
) -> Result<(), Errno> {
    let (begun, timeout) = trace::look_begins(timeout);
    let result = backend.wait(events, asked, timeout);
    trace::look_ends(begun, backend.name(), result.map(|()| events.len()));
    let mut i = 0;
    while let Some(event) = events.get(i).filter(|_| result.is_ok()) {
        if let Some(token) = event.token() {
            trace::line(Some(token.fd.raw().into()), "ready", Shown::Word(word(event)), &[]);
        }
        i += 1;
    }
    result
}

/// In which directions, and whether for an error.
fn word(event: Event) -> &'static str {
    let ready = event.ready();
    match (ready.has(Direction::Read), ready.has(Direction::Write), event.is_error()) {
        (_, _, true) => "error",
        (true, true, _) => "rw",
        (true, false, _) => "r",
        (false, true, _) => "w",
        (false, false, _) => "closed",
    }
}
