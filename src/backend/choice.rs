//! Chooses the backend of this process, and holds any backend as one type.
//!
//! The type is an enum and not a trait object, so that the compiler sees every function that a call can reach. That is how
//! it proves that none of them panics (`c-tests/layout/panics.sh`).

#[cfg(not(owfat_portable))]
use super::epoll::Epoll;
#[cfg(any(test, fuzzing))]
use super::scripted::Scripted;
use super::{Backend, Events, Found, Probe, Refusal, Token, Watch, poll::Poll};
use crate::fd::Fd;
use crate::interest::Interest;
use crate::sys::shared::Shared;
use crate::sys::waker::Waker;
use crate::sys::{env, label};
use crate::text::Text;
use crate::time::Span;
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};

const NO_SUCH: &str = "OWFAT_IO_BACKEND names no backend (epoll, poll)";

/// A backend, shared by the loop and the threads that wait in it.
pub(crate) type Opened = Shared<AnyBackend>;

pub(crate) enum AnyBackend {
    #[cfg(not(owfat_portable))]
    Epoll(Epoll),
    Poll(Poll),
    #[cfg(any(test, fuzzing))]
    Scripted(std::sync::Arc<Scripted>),
}

/// Calls a method of the backend inside.
macro_rules! each {
    ($any:expr, $b:ident => $call:expr) => {
        match $any {
            #[cfg(not(owfat_portable))]
            AnyBackend::Epoll($b) => $call,
            AnyBackend::Poll($b) => $call,
            #[cfg(any(test, fuzzing))]
            AnyBackend::Scripted($b) => $call,
        }
    };
}

impl Backend for AnyBackend {
    fn name(&self) -> &'static str {
        each!(self, b => b.name())
    }

    fn set(&self, token: Token, old: Interest, new: Watch) -> Result<(), Refusal> {
        each!(self, b => b.set(token, old, new))
    }

    fn is_same_file(&self, token: Token, watched: Watch) -> bool {
        each!(self, b => b.is_same_file(token, watched))
    }

    fn closing(&self, token: Token) {
        each!(self, b => b.closing(token));
    }

    #[inline]
    fn wait(&self, events: &mut Events, probe: &mut Probe, room: usize, timeout: Span) -> Result<(), Errno> {
        each!(self, b => b.wait(events, probe, room, timeout))
    }

    fn probe(&self, probe: &mut Probe) -> Result<Found, Errno> {
        each!(self, b => b.probe(probe))
    }

    fn waker(&self) -> Option<&Waker> {
        each!(self, b => b.waker())
    }

    fn has_number(&self, fd: Fd) -> bool {
        each!(self, b => b.has_number(fd))
    }

    fn is_whole(&self) -> bool {
        each!(self, b => b.is_whole())
    }

    fn close(&self) {
        each!(self, b => b.close());
    }
}

#[cfg(any(test, fuzzing))]
impl From<std::sync::Arc<Scripted>> for Opened {
    fn from(scripted: std::sync::Arc<Scripted>) -> Opened {
        Shared::new(AnyBackend::Scripted(scripted)).unwrap()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    Best,
    Poll,
    Unknown,
}

fn choice(value: &[u8]) -> Choice {
    match value {
        b"" | b"epoll" => Choice::Best,
        b"poll" => Choice::Poll,
        _ => Choice::Unknown,
    }
}

/// Opens the backend that the environment names, epoll by default.
pub(crate) fn open() -> Result<Opened, Errno> {
    #[cfg(not(owfat_portable))]
    let opened = epoll_or_poll(open_epoll, open_poll)?;
    #[cfg(owfat_portable)]
    let opened = open_poll()?;
    label::set_backend(opened.name());
    if choice(env::backend()) == Choice::Unknown {
        complain_once(opened.name());
    }
    Ok(opened)
}

/// Opens epoll, or poll if the environment says so or a sandbox refuses epoll. If descriptors or memory are short, poll
/// would not help, and the error goes to the caller.
#[cfg(not(owfat_portable))]
pub(crate) fn epoll_or_poll<T>(
    epoll: impl FnOnce() -> Result<T, Errno>,
    poll: impl FnOnce() -> Result<T, Errno>,
) -> Result<T, Errno> {
    if choice(env::backend()) == Choice::Poll {
        return poll();
    }
    match epoll() {
        // Every other error counts, because sandboxes refuse with many different ones.
        Err(e) if !matches!(e, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM) => poll(),
        opened => opened,
    }
}

#[cfg(not(owfat_portable))]
fn open_epoll() -> Result<Opened, Errno> {
    Shared::new(AnyBackend::Epoll(Epoll::open()?))
}

fn open_poll() -> Result<Opened, Errno> {
    Shared::new(AnyBackend::Poll(Poll::open()?))
}

/// Complains only once, although a process opens backends again.
fn complain_once(used: &str) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        let mut text = Text::new();
        for part in ["libowfat_io: ", NO_SUCH, "; using ", used, "\n"] {
            text.add(part);
        }
        text.say();
    }
}

#[cfg(test)]
pub(crate) fn open_named(name: &str) -> Result<Opened, Errno> {
    #[cfg(not(owfat_portable))]
    if name == "epoll" {
        return open_epoll();
    }
    assert!(["epoll", "poll"].contains(&name));
    open_poll()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_the_manual_name_a_backend() {
        for best in [&b""[..], b"epoll"] {
            assert_eq!(choice(best), Choice::Best);
        }
        assert_eq!(choice(b"poll"), Choice::Poll);
        for unknown in [&b"Poll"[..], b"io_uring", b"kqueue"] {
            assert_eq!(choice(unknown), Choice::Unknown);
        }
    }
}
