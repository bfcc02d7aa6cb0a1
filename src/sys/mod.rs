//! The few libc calls that nix lacks or wraps too narrowly for us, each small and argued.
//!
//! One file a concern: together they would be too long to read in one sitting.

pub(crate) mod bytes;
pub(crate) mod clock;
pub(crate) mod count;
pub(crate) mod env;
pub(crate) mod epoll;
pub(crate) mod eventcount;
pub(crate) mod fork;
pub(crate) mod label;
mod linux;
pub(crate) mod lock;
pub(crate) mod logfile;
pub(crate) mod mem;
pub(crate) mod message;
pub(crate) mod mode;
mod moving;
pub(crate) mod once;
pub(crate) mod own;
pub(crate) mod pair;
pub(crate) mod path;
pub(crate) mod poll;
pub(crate) mod rights;
pub(crate) mod shared;
pub(crate) mod signal;
pub(crate) mod spare;
pub(crate) mod sync;
pub(crate) mod thread;
mod wide;

pub(crate) use linux::{A_BUG, O_LARGEFILE, event_descriptor};
