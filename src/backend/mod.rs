//! The backends: how the kernel is asked which descriptors are ready, by epoll(7) or poll(2). A backend owns its kernel
//! object and its waker. It knows nothing of slots or interest: changes go in, events come out.
//!
//! # The contract of a backend
//!
//! * **Level-triggered.** Each call of [`Backend::wait`] reports every watched direction that is ready, up to the room that
//!   it is given. What found no room comes first next time. With [`Watch::once`] an event ends the registration until it
//!   is set again.
//! * **No false event.** An event was true at some moment inside the call that returned it.
//! * **Errors and hang-ups** make both directions ready, watched or not, because a read or a write will not block.
//! * **Tokens.** An event carries the [`Token`] of its registration. A registration can outlive its descriptor (`dup`,
//!   `fork`); the event loop recognises its events by the generation in the token.
//! * **One sleeper, any caller.** One thread at a time sleeps in [`Backend::wait`]. Meanwhile others may call it without
//!   sleeping, and every other method under the event loop's lock. A change of interest reaches the sleeper at once.
//!   [`Backend::wake`] ends its sleep with an event that has no token.
//! * **Own descriptors.** The program may close the backend's descriptors and get their numbers for its own files. So a
//!   backend checks each one before it closes, reads or writes it. If it is not the backend's any more, it is left alone,
//!   and the backend is [`Refusal::Lost`].

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

/// How often [`Backend::dismiss_followers`] yields before it gives up.
const MOST_YIELDS: u32 = 10_000;

/// What a registration reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Watch {
    pub(crate) interest: Interest,
    /// One event, and nothing more until the registration is set again.
    pub(crate) once: bool,
}

/// Why a descriptor could not be watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    #[cfg_attr(owfat_portable, allow(dead_code, reason = "poll(2) says so when it is asked"))]
    /// The number is not open, so that nothing will happen on it.
    Closed,
    /// The backend's own descriptor is not its own any more.
    Lost,
    /// This file cannot be watched, or a limit is reached.
    Unable,
}

/// The module's text says what an implementation promises.
pub(crate) trait Backend: Send + Sync {
    /// As in `OWFAT_IO_BACKEND`.
    fn name(&self) -> &'static str;

    /// Watches `token.fd` for `new` instead of `old`. An empty `new` ends the registration.
    fn set(&self, token: Token, old: Interest, new: Watch) -> Result<(), Refusal>;

    /// Whether the file under the number is still the one that was registered for `token`.
    fn is_same_file(&self, token: Token, watched: Watch) -> bool;

    /// The caller is about to close the descriptor, and knows of no duplicate.
    fn closing(&self, token: Token);

    /// Adds up to `room` events to `events`. Waits up to `timeout` for the first. `EINTR` if a signal handler ran; `EBADF`
    /// or `EINVAL` if the backend's own descriptor is lost. `probe` is memory that it may use.
    fn wait(&self, events: &mut Events, probe: &mut Probe, room: usize, timeout: Span) -> Result<(), Errno>;

    /// Asks about the descriptors in `probe`, which are not watched, and whether [`Backend::wait`] might find something.
    /// Does not wait.
    fn probe(&self, probe: &mut Probe) -> Result<Found, Errno>;

    /// The waker; `None` if nobody ever sleeps.
    fn waker(&self) -> Option<&Waker>;

    /// Ends the sleep of the thread that is in [`Backend::wait`], or else of the next one, and that of the threads
    /// in [`Backend::wait_beside`].
    fn wake(&self) {
        if self.is_whole() {
            self.waker().into_iter().for_each(Waker::wake);
        }
    }

    /// Resets the waker, after the event of a [`Backend::wake`].
    fn drain(&self) {
        if self.is_whole() {
            self.waker().into_iter().for_each(Waker::drain);
        }
    }

    /// One more thread is about to call [`Backend::wait_beside`], or one less.
    fn count_follower(&self, begins: bool) {
        self.waker().into_iter().for_each(|waker| waker.count_follower(begins));
    }

    /// Sleeps until [`Backend::wake`] is called, and leaves its event to the others.
    fn wait_beside(&self, timeout: Span) -> Result<(), Errno> {
        self.waker().map_or(Ok(()), |waker| waker.wait(timeout))
    }

    /// Whether there are threads that [`Backend::count_follower`] has counted.
    fn has_followers(&self) -> bool {
        self.waker().is_some_and(Waker::has_followers)
    }

    /// Waits until no thread is in [`Backend::wait_beside`]. Gives up after a while, because a thread may have left it by
    /// siglongjmp and is counted for ever.
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
