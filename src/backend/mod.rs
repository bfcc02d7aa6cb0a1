//! How the kernel is asked which descriptors are ready.
//!
//! # The contract of a backend
//!
//! * **Level-triggered.** [`Backend::wait`] reports every watched direction that is ready at the time of the
//!   call, as often as it is called, up to the room in [`Events`]; what found no room is reported by the
//!   next call.
//! * **No false report.** An event was true inside the call that returned it.
//!   A registration with [`Edge`](crate::interest::Trigger::Edge) is the exception: see there.
//! * **Errors and hang-ups** make both directions ready, watched or not, because a read or a write will not
//!   block; [`Event::is_error`] tells an error from data in a trace.
//! * **Tokens.** An event carries the [`Token`] of the registration that it belongs to. A registration can
//!   outlive its descriptor (`dup`, `fork`); the reactor tells its events by the generation in the token.
//! * **Asked descriptors.** A wait also looks at `asked`, descriptors that are not watched (yet), and
//!   reports them in the same way.
//! * **Any thread.** Every method may be called while another thread waits. A change of interest reaches
//!   that wait at once; [`Backend::wake`] ends it.
//! * **Not inherited.** After a fork the child makes a backend of its own and drops the inherited one,
//!   which must not disturb the parent's.
//!
//! A backend knows no table and no queue: interest changes go in, events come out.

mod any;
mod epoll;
mod event;
#[cfg(any(test, fuzzing))]
pub(crate) mod fake;
mod numbers;
mod pick;
mod poll;
mod shut;
mod waker;

pub(crate) use any::{AnyBackend, Opened};
pub(crate) use event::{Asked, EVENTS, Event, Events, Token};
pub(crate) use pick::open;
#[cfg(test)]
pub(crate) use pick::open_named;

use crate::fd::Fd;
use crate::interest::Watch;
use nix::errno::Errno;
use std::time::Duration;

/// See the module's text for what all of this promises together.
pub(crate) trait Backend: Send + Sync {
    /// As in `OWFAT_IO_BACKEND`.
    fn name(&self) -> &'static str;

    /// Watches `token.fd` for `new` instead of `old`. An empty `new` ends the registration. `EPERM`: this
    /// kind of file cannot be watched, because it is always ready; `EBADF`: not open.
    fn set(&self, token: Token, old: Watch, new: Watch) -> Result<(), Errno>;

    /// Whether [`Backend::set`] asks the kernel at once, so that its success shows that the number is open.
    fn asks_at_once(&self) -> bool {
        false
    }

    /// Whether `fd` can be watched for edges such that a transfer that comes up short has used one up, unless
    /// [`Event::has_more`] said that more is behind it.
    fn edges(&self, _: Fd) -> bool {
        false
    }

    /// Whether the registration made for `token` still belongs to the file that is open under its number.
    fn same_file(&self, token: Token, watched: Watch) -> bool;

    /// The caller is about to close the descriptor, of which no copy is known to remain.
    fn closing(&self, token: Token);

    /// Whether a registration whose descriptor is gone can come back at every wait, so that only a new
    /// backend ends it.
    fn keeps_ghosts(&self) -> bool;

    /// Fills `events`, waiting up to `timeout` (`None`: without limit) for the first. `EINTR` when a signal
    /// handler ran; `EBADF` when the program has closed the backend's own descriptor.
    fn wait(&self, events: &mut Events, asked: &[Asked], timeout: Option<Duration>) -> Result<(), Errno>;

    /// Ends a wait that another thread is in, or else the next one, without an event.
    fn wake(&self);

    /// Ends every wait of this backend, now and later: the reactor has done with it.
    fn shut(&self);

    /// The program has closed the backend's descriptor and may use its number: never close it.
    fn abandon(&self);
}
