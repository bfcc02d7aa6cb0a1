//! The few libc calls that nix lacks or wraps too narrowly for us, each small and argued.
//!
//! One file a concern: together they would be too long to read in one sitting.
//!
//! # Which system has what
//!
//! `linux/` and `bsd/` hold the same names, and one of them is compiled as `system`. What a system lacks is answered
//! there as a sandbox would answer that refuses it (`ENOSYS`, a 0 among the flags), so that the callers need no `cfg`:
//! the way around is the same.
//!
//! | | Linux | FreeBSD | DragonFly | NetBSD | OpenBSD | macOS |
//! |---|---|---|---|---|---|---|
//! | waits with | epoll, io_uring, poll | kqueue, poll | kqueue, poll | kqueue, poll | kqueue, poll | kqueue, poll |
//! | wakes a wait by | eventfd | pipe | pipe | pipe | pipe | pipe |
//! | threads sleep in | futex | `_umtx_op` | `umtx_sleep` | `nanosleep` | futex | `nanosleep` |
//! | sends files with | sendfile | sendfile | sendfile | read and send | read and send | sendfile |
//! | header and file in one call | - | sendfile | - | - | - | sendfile |
//! | no SIGPIPE by | `MSG_NOSIGNAL` | as Linux | as Linux | as Linux | as Linux | `SO_NOSIGPIPE` |
//! | end of data in `poll` | `POLLRDHUP` | `POLLRDHUP` | - | - | - | - |
//! | read-ahead | `posix_fadvise` | `posix_fadvise` | `posix_fadvise` | - | - | - |
//! | knows that one thread runs | glibc | - | - | - | - | - |
//! | `RWF_NOWAIT`, `MSG_MORE`, `MSG_ZEROCOPY`, error queues | yes | - | - | - | - | - |

pub(crate) mod bytes;
pub(crate) mod clock;
pub(crate) mod count;
pub(crate) mod env;
#[cfg(target_os = "linux")]
pub(crate) mod epoll;
pub(crate) mod eventcount;
pub(crate) mod fork;
#[cfg(any(test, not(target_os = "linux")))]
pub(crate) mod kevent;
#[cfg(not(target_os = "linux"))]
pub(crate) mod kqueue;
pub(crate) mod label;
pub(crate) mod lock;
pub(crate) mod logfile;
pub(crate) mod mem;
pub(crate) mod message;
pub(crate) mod mode;
pub(crate) mod once;
pub(crate) mod own;
pub(crate) mod owned;
pub(crate) mod pair;
pub(crate) mod path;
pub(crate) mod poll;
pub(crate) mod rights;
pub(crate) mod shared;
pub(crate) mod signal;
pub(crate) mod spare;
pub(crate) mod standard_error;
pub(crate) mod sync;
pub(crate) mod thread;
#[cfg(target_os = "linux")]
pub(crate) mod uring;
mod version;

#[cfg(not(target_os = "linux"))]
#[path = "bsd/mod.rs"]
mod system;
#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod system;

pub(crate) use system::{A_BUG, O_LARGEFILE, event_descriptor, notices, sockets};
