//! What FreeBSD, DragonFly, NetBSD, OpenBSD and macOS do in another way than Linux. `sys/linux` has the same names; the
//! table in `sys/mod.rs` says what stands behind them. What the five do alike is in `mod.rs` and `moving.rs`, what they do
//! not in files named after them.
//!
//! Compiled, not run.

#[cfg(not(any(
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "macos"
)))]
compile_error!("a system with neither epoll nor kqueue");

pub(crate) mod sockets;

pub(super) mod moving;

#[cfg_attr(target_os = "freebsd", path = "futex/freebsd.rs")]
#[cfg_attr(target_os = "dragonfly", path = "futex/dragonfly.rs")]
#[cfg_attr(target_os = "openbsd", path = "futex/openbsd.rs")]
#[cfg_attr(any(target_os = "netbsd", target_os = "macos"), path = "futex/nap.rs")]
pub(super) mod futex;

#[cfg_attr(any(target_os = "freebsd", target_os = "dragonfly"), path = "sendfile/freebsd.rs")]
#[cfg_attr(target_os = "macos", path = "sendfile/macos.rs")]
#[cfg_attr(any(target_os = "netbsd", target_os = "openbsd"), path = "sendfile/none.rs")]
mod sendfile;

pub(super) mod threads;
pub(super) mod wide;

use super::count::{Call, count};
use nix::errno::Errno;
use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

pub(super) use threads::errno_location;

/// The error that means that this library met a bug of its own, and its name. Not every NetBSD knows Linux's.
#[cfg(target_os = "netbsd")]
pub(crate) const A_BUG: (Errno, &str) = (Errno::EPROCUNAVAIL, "EPROCUNAVAIL");
#[cfg(not(target_os = "netbsd"))]
pub(crate) const A_BUG: (Errno, &str) = (Errno::ENOTRECOVERABLE, "ENOTRECOVERABLE");

/// Files have 64-bit positions anyway.
pub(crate) const O_LARGEFILE: c_int = 0;

/// What poll(2) is asked for to learn that a peer writes no more.
#[cfg(target_os = "freebsd")]
pub(super) const POLL_RDHUP: u32 = libc::POLLRDHUP as u32;
#[cfg(not(target_os = "freebsd"))]
pub(super) const POLL_RDHUP: u32 = 0;

/// Whether messages of this type carry descriptors besides `SCM_RIGHTS`.
pub(super) fn carries_descriptors(_: c_int) -> bool {
    false
}

/// A string of the environment, or NULL if there is none or the process runs with raised privilege.
pub(super) fn secure_variable(name: &CStr) -> *const c_char {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::issetugid() } != 0 {
        return ptr::null();
    }
    // SAFETY: the name ends in a zero byte.
    unsafe { libc::getenv(name.as_ptr()) }
}

/// pipe2(2).
#[cfg(not(target_os = "macos"))]
pub(super) fn pipe2(flags: c_int) -> Result<[c_int; 2], Errno> {
    let mut ends = [-1; 2];
    // SAFETY: room for the two numbers.
    Errno::result(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) })?;
    Ok(ends)
}

/// pipe2(2), which macOS does not have. Of the flags, `O_CLOEXEC` and `O_NONBLOCK`.
#[cfg(target_os = "macos")]
pub(super) fn pipe2(flags: c_int) -> Result<[c_int; 2], Errno> {
    use super::own::owner;
    use std::os::fd::IntoRawFd;
    let mut ends = [-1; 2];
    // SAFETY: room for the two numbers.
    Errno::result(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
    // SAFETY: the kernel has just opened both for us.
    let ends = unsafe { [owner(ends[0])?, owner(ends[1])?] };
    for end in &ends {
        close_on_exec(end)?;
        count(Call::Fcntl);
        // SAFETY: no pointer is passed.
        Errno::result(unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFL, flags & libc::O_NONBLOCK) })?;
    }
    Ok(ends.map(IntoRawFd::into_raw_fd))
}

/// There is no eventfd that all of them have.
pub(crate) fn event_descriptor() -> Result<OwnedFd, Errno> {
    Err(Errno::ENOSYS)
}

/// Two calls where Linux has one: a program that another thread executes in between inherits the descriptor.
pub(super) fn close_on_exec(fd: &OwnedFd) -> Result<(), Errno> {
    count(Call::Fcntl);
    // SAFETY: no pointer is passed.
    Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }).map(drop)
}
