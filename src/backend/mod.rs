//! How the kernel is asked which descriptors are ready.
//!
//! # The contract of a backend
//!
//! * **Level-triggered.** [`Backend::wait`] reports every watched direction that is ready at the time of the call, as
//!   often as it is called, up to the room that it is given; what found no room comes before the rest next time. With
//!   [`Watch::once`] a report ends the registration until it is set again.
//! * **No false report.** An event was true inside the call that returned it.
//! * **Errors and hang-ups** make both directions ready, watched or not, because a read or a write will not block.
//! * **Tokens.** An event carries the [`Token`] of the registration that it belongs to. A registration can outlive its
//!   descriptor (`dup`, `fork`); the event loop tells its events by the generation in the token.
//! * **One sleeper, any caller.** One thread at a time sleeps in [`Backend::wait`]. Others may call it meanwhile without
//!   sleeping, and every other method under the event loop's lock. A change of interest reaches the sleeper at once; [`Backend::wake`] ends its
//!   sleep with an event that has no token.
//! * **Its own descriptors** are confirmed before they are closed, read or written: the program may have closed them and
//!   got their numbers for its own files. Then they are left alone, and the backend is [`Refusal::Lost`].
//!
//! A backend knows neither slots nor interest lists: changes go in, events come out.

mod choice;
#[cfg(not(owfat_portable))]
mod epoll;
mod event;
mod poll;
mod probe;
#[cfg(any(test, fuzzing))]
pub(crate) mod scripted;

#[cfg(not(owfat_portable))]
pub(crate) use choice::epoll_or_poll;
#[cfg(test)]
pub(crate) use choice::open_named;
pub(crate) use choice::{Opened, open};
pub(crate) use event::{Event, Events, Token};
pub(crate) use probe::{Found, Probe};

use crate::fd::Fd;
use crate::interest::Interest;
use crate::sys::sync::yield_now;
use crate::sys::waker::Waker;
use crate::time::Span;
use nix::errno::Errno;

/// How often the processor is left to threads that are to leave.
const MOST_YIELDS: u32 = 10_000;

/// What a registration reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Watch {
    pub(crate) interest: Interest,
    /// One event, and nothing more until the registration is set again.
    pub(crate) once: bool,
}

/// Why a descriptor is not watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    #[cfg_attr(owfat_portable, allow(dead_code, reason = "poll(2) says so when it is asked"))]
    /// The number is not open: nothing will ever happen on it.
    Closed,
    /// The backend's own descriptor is not what it was.
    Lost,
    /// This file cannot be watched, or there is no room for it.
    Unable,
}

/// See the module's text for what all of this promises together.
pub(crate) trait Backend: Send + Sync {
    /// As in `OWFAT_IO_BACKEND`.
    fn name(&self) -> &'static str;

    /// Watches `token.fd` for `new` instead of `old`. An empty `new` ends the registration.
    fn set(&self, token: Token, old: Interest, new: Watch) -> Result<(), Refusal>;

    /// Whether the registration made for `token` still belongs to the file that is open under its number.
    fn is_same_file(&self, token: Token, watched: Watch) -> bool;

    /// The caller is about to close the descriptor, of which no copy is known to remain.
    fn closing(&self, token: Token);

    /// Adds to `events`, until there are `room`, waiting up to `timeout` for the first. `EINTR`
    /// when a signal handler ran; `EBADF` or `EINVAL` when the backend's own descriptor is lost.
    /// `probe` is memory for it.
    fn wait(&self, events: &mut Events, probe: &mut Probe, room: usize, timeout: Span) -> Result<(), Errno>;

    /// Asks about descriptors that are not watched, without waiting, and whether [`Backend::wait`] might find something.
    fn probe(&self, probe: &mut Probe) -> Result<Found, Errno>;

    /// What ends a sleep; none where nobody ever sleeps.
    fn waker(&self) -> Option<&Waker>;

    /// Ends the sleep of the thread that is in [`Backend::wait`], or else of the next one, and that of the threads
    /// in [`Backend::wait_beside`].
    fn wake(&self) {
        if self.is_whole() {
            self.waker().into_iter().for_each(Waker::wake);
        }
    }

    /// The event of a [`Backend::wake`] has come.
    fn drain(&self) {
        if self.is_whole() {
            self.waker().into_iter().for_each(Waker::drain);
        }
    }

    /// One more thread is about to call [`Backend::wait_beside`], or one less.
    fn count_follower(&self, begins: bool) {
        self.waker().into_iter().for_each(|waker| waker.count_follower(begins));
    }

    /// Sleeps until [`Backend::wake`] is called, without taking its event.
    fn wait_beside(&self, timeout: Span) -> Result<(), Errno> {
        self.waker().map_or(Ok(()), |waker| waker.wait(timeout))
    }

    /// Whether there are threads that [`Backend::count_follower`] has counted.
    fn has_followers(&self) -> bool {
        self.waker().is_some_and(Waker::has_followers)
    }

    /// Has the threads leave [`Backend::wait_beside`], if they do so in good time: one may have left it by siglongjmp.
    fn dismiss_followers(&self) {
        for _ in 0..MOST_YIELDS {
            if !self.has_followers() {
                return;
            }
            self.wake();
            yield_now();
        }
    }

    /// Whether `fd` is the number of a descriptor that the backend opened.
    fn has_number(&self, fd: Fd) -> bool;

    /// Whether its descriptors are still those that it opened.
    fn is_whole(&self) -> bool;

    /// Closes its own descriptors, if they are still its own. Nothing else is called afterwards.
    fn close(&self);
}
