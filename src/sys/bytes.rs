//! Moving bytes between a descriptor and the caller's memory, with and without waiting.
//!
//! [`Source`] and [`Target`] are addresses that the kernel checks (`EFAULT`); nothing here follows them.

use super::count::{Call, count};
use super::moving::{self, QUIET};
use crate::buf::{Source, Target};
use crate::fd::Fd;
use nix::errno::Errno;

fn moved(n: isize) -> Result<usize, Errno> {
    Errno::result(n).map(|n| n as usize)
}

pub(crate) fn read(fd: Fd, t: Target) -> Result<usize, Errno> {
    count(Call::Read);
    // SAFETY: `Target` vouches that the memory may be overwritten.
    moved(unsafe { libc::read(fd.raw(), t.ptr().cast(), t.len()) })
}

pub(crate) fn write(fd: Fd, s: Source) -> Result<usize, Errno> {
    count(Call::Write);
    // SAFETY: the kernel only reads, and checks the address.
    moved(unsafe { libc::write(fd.raw(), s.ptr().cast(), s.len()) })
}

/// read(2) on a socket that does not wait, whatever the socket's mode.
pub(crate) fn receive_nowait(fd: Fd, t: Target) -> Result<usize, Errno> {
    count(Call::Recv);
    receive_hot(fd, t)
}

/// [`receive_nowait`] in a way that is closed while calls are counted.
#[inline(always)]
pub(crate) fn receive_hot(fd: Fd, t: Target) -> Result<usize, Errno> {
    // SAFETY: `Target` vouches that the memory may be overwritten.
    moved(unsafe { libc::recv(fd.raw(), t.ptr().cast(), t.len(), libc::MSG_DONTWAIT) })
}

/// write(2) on a socket that does not wait and raises no SIGPIPE.
pub(crate) fn send_nowait(fd: Fd, s: Source) -> Result<usize, Errno> {
    count(Call::Send);
    send_hot(fd, s)
}

/// [`send_nowait`] in a way that is closed while calls are counted.
#[inline(always)]
pub(crate) fn send_hot(fd: Fd, s: Source) -> Result<usize, Errno> {
    let flags = libc::MSG_DONTWAIT | QUIET;
    // SAFETY: the kernel only reads, and checks the address.
    moved(unsafe { libc::send(fd.raw(), s.ptr().cast(), s.len(), flags) })
}

/// read(2) that does not wait, whatever the descriptor's mode. `EOPNOTSUPP`, `ENOSYS`: the file or the system cannot do
/// it.
pub(crate) fn read_nowait(fd: Fd, t: Target) -> Result<usize, Errno> {
    moved(moving::read_nowait(fd, t))
}

/// As [`read_nowait`].
pub(crate) fn write_nowait(fd: Fd, s: Source) -> Result<usize, Errno> {
    moved(moving::write_nowait(fd, s))
}
