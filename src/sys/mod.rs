//! System calls and other unsafe code: what nix lacks or wraps too narrowly. Each file is about one subject.
//!
//! `linux` has the calls that only Linux has. `portable` has the same names from POSIX calls, for the portable build
//! (`build.rs`). If a system lacks a call, `portable` answers as a sandbox that refuses it, so that one fallback serves both.

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

/// The errno for a bug in this library, and its name. Not every NetBSD has the errno of the other systems.
#[cfg(not(target_os = "netbsd"))]
pub(crate) const A_BUG: (Errno, &str) = (Errno::ENOTRECOVERABLE, "ENOTRECOVERABLE");
#[cfg(target_os = "netbsd")]
pub(crate) const A_BUG: (Errno, &str) = (Errno::EPROCUNAVAIL, "EPROCUNAVAIL");

/// Runs `f` and restores errno: some servers read errno only after the next calls of the library.
pub(crate) use system::keep_errno;
