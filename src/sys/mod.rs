//! The few libc calls that nix lacks or wraps too narrowly for us, each small and argued.
//!
//! One file a concern: together they would be too long to read in one sitting.

pub(crate) mod bytes;
mod cancel;
pub(crate) mod clock;
pub(crate) mod count;
pub(crate) mod env;
pub(crate) mod epoll;
pub(crate) mod eventcount;
pub(crate) mod fork;
pub(crate) mod guard;
pub(crate) mod label;
mod linux;
pub(crate) mod loan;
pub(crate) mod lock;
pub(crate) mod logfile;
pub(crate) mod mem;
pub(crate) mod message;
pub(crate) mod mode;
mod moving;
pub(crate) mod once;
pub(crate) mod own;
pub(crate) mod owned;
pub(crate) mod pages;
pub(crate) mod pair;
pub(crate) mod path;
pub(crate) mod poll;
pub(crate) mod rights;
mod select;
pub(crate) mod shared;
pub(crate) mod signal;
pub(crate) mod spare;
pub(crate) mod standard_error;
pub(crate) mod sync;
pub(crate) mod thread;
mod version;
mod wide;

use nix::errno::Errno;

pub(crate) use linux::{A_BUG, O_LARGEFILE, event_descriptor};

/// Runs `f` and leaves errno as it was: servers look at it only after they have stated what they want.
#[inline]
pub(crate) fn keep_errno<R>(f: impl FnOnce() -> R) -> R {
    let errno = Errno::last_raw();
    let r = f();
    Errno::set_raw(errno);
    r
}
