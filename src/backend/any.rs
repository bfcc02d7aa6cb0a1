//! The backend in use, as one type.
//!
//! An enum and not a trait object: the compiler sees every function that a call can reach, and so proves that none of
//! them panics (`c-tests/layout/panics.sh`).

#[cfg(any(test, fuzzing))]
use super::fake::Fake;
use super::{Asked, Backend, Events, Token, epoll::Epoll, poll::Poll};
use crate::fd::Fd;
use crate::interest::Watch;
use crate::sys::shared::Shared;
use nix::errno::Errno;
use std::time::Duration;

/// A backend that threads hold while they wait in it.
pub(crate) type Opened = Shared<AnyBackend>;

pub(crate) enum AnyBackend {
    Epoll(Epoll),
    Poll(Poll),
    #[cfg(any(test, fuzzing))]
    Fake(std::sync::Arc<Fake>),
}

/// Calls a method of whichever it is.
macro_rules! each {
    ($any:expr, $b:ident => $call:expr) => {
        match $any {
            AnyBackend::Epoll($b) => $call,
            AnyBackend::Poll($b) => $call,
            #[cfg(any(test, fuzzing))]
            AnyBackend::Fake($b) => $call,
        }
    };
}

impl Backend for AnyBackend {
    fn name(&self) -> &'static str {
        each!(self, b => b.name())
    }

    fn set(&self, token: Token, old: Watch, new: Watch) -> Result<(), Errno> {
        each!(self, b => b.set(token, old, new))
    }

    fn asks_at_once(&self) -> bool {
        each!(self, b => b.asks_at_once())
    }

    fn edges(&self, fd: Fd) -> bool {
        each!(self, b => b.edges(fd))
    }

    fn same_file(&self, token: Token, watched: Watch) -> bool {
        each!(self, b => b.same_file(token, watched))
    }

    fn closing(&self, token: Token) {
        each!(self, b => b.closing(token));
    }

    fn keeps_ghosts(&self) -> bool {
        each!(self, b => b.keeps_ghosts())
    }

    fn wait(&self, events: &mut Events, asked: &[Asked], timeout: Option<Duration>) -> Result<(), Errno> {
        each!(self, b => b.wait(events, asked, timeout))
    }

    fn wake(&self) {
        each!(self, b => b.wake());
    }

    fn shut(&self) {
        each!(self, b => b.shut());
    }

    fn abandon(&self) {
        each!(self, b => b.abandon());
    }
}

#[cfg(any(test, fuzzing))]
impl From<std::sync::Arc<Fake>> for Opened {
    fn from(fake: std::sync::Arc<Fake>) -> Opened {
        Shared::new(AnyBackend::Fake(fake)).unwrap()
    }
}
