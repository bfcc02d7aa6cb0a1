//! The few libc calls that nix lacks or wraps too narrowly for us, each small and argued.
//!
//! One file a concern: together they would be too long to read in one sitting. `linux` has what Linux does in its own
//! way, `portable` the same names from what POSIX says and all systems have: the portable build (`build.rs`). What a
//! system lacks is answered there as by a sandbox that refuses it, so that the way around it is one for both.

pub(crate) mod bytes;
mod cancel;
pub(crate) mod clock;
pub(crate) mod count;
pub(crate) mod env;
#[cfg(not(owfat_portable))]
pub(crate) mod epoll;
pub(crate) mod eventcount;
pub(crate) mod fork;
pub(crate) mod guard;
pub(crate) mod label;
#[cfg(not(owfat_portable))]
mod linux;
pub(crate) mod loan;
pub(crate) mod lock;
pub(crate) mod logfile;
pub(crate) mod mem;
pub(crate) mod message;
pub(crate) mod mode;
pub(crate) mod once;
pub(crate) mod own;
pub(crate) mod owned;
pub(crate) mod pages;
pub(crate) mod pair;
pub(crate) mod path;
pub(crate) mod poll;
#[cfg(owfat_portable)]
mod portable;
pub(crate) mod rights;
mod select;
pub(crate) mod shared;
pub(crate) mod signal;
pub(crate) mod spare;
pub(crate) mod standard_error;
pub(crate) mod sync;
pub(crate) mod thread;
mod version;
pub(crate) mod waker;
mod wide;

use nix::errno::Errno;

#[cfg(not(owfat_portable))]
use linux as system;
#[cfg(owfat_portable)]
use portable as system;
pub(crate) use system::O_LARGEFILE;
#[cfg(not(owfat_portable))]
pub(crate) use system::event_descriptor;

/// The error that means that this library met a bug of its own, and its name. Not every NetBSD knows that of the others.
#[cfg(not(target_os = "netbsd"))]
pub(crate) const A_BUG: (Errno, &str) = (Errno::ENOTRECOVERABLE, "ENOTRECOVERABLE");
#[cfg(target_os = "netbsd")]
pub(crate) const A_BUG: (Errno, &str) = (Errno::EPROCUNAVAIL, "EPROCUNAVAIL");

/// Runs `f` and leaves errno as it was: servers look at it only after they have stated what they want.
pub(crate) use system::keep_errno;
