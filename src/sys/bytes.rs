//! Moving bytes between a descriptor and the caller's memory, with and without waiting.
//!
//! [`Source`] and [`Target`] are addresses that the kernel checks (`EFAULT`); nothing here follows them.

use super::cancel;
use super::count::{Call, count};
use super::system::moving::{self, QUIET};
use crate::buf::{Source, Target};
use crate::fd::Fd;
use nix::errno::Errno;

fn moved(n: isize) -> Result<usize, Errno> {
    Errno::result(n).map(|n| n as usize)
}

pub(crate) fn read(fd: Fd, t: Target) -> Result<usize, Errno> {
    count(Call::Read);
    // SAFETY: `Target` vouches that the memory may be overwritten.
    moved(unsafe { cancel::read(fd.raw(), t.ptr().cast(), t.len()) })
}

pub(crate) fn write(fd: Fd, s: Source) -> Result<usize, Errno> {
    count(Call::Write);
    // SAFETY: the kernel only reads, and checks the address.
    moved(unsafe { cancel::write(fd.raw(), s.ptr().cast(), s.len()) })
}

/// read(2) on a socket that does not wait, whatever the socket's mode. Counted by the caller: the usual way is not taken
/// while calls are counted. -1 and errno if it fails.
#[inline(always)]
pub(crate) fn receive_nowait(fd: Fd, t: Target) -> i64 {
    // SAFETY: `Target` vouches that the memory may be overwritten.
    unsafe { cancel::recv(fd.raw(), t.ptr().cast(), t.len(), libc::MSG_DONTWAIT) as i64 }
}

/// write(2) on a socket that does not wait and raises no SIGPIPE. Counted as [`receive_nowait`].
#[inline(always)]
pub(crate) fn send_nowait(fd: Fd, s: Source) -> i64 {
    let flags = libc::MSG_DONTWAIT | QUIET;
    // SAFETY: the kernel only reads, and checks the address.
    unsafe { cancel::send(fd.raw(), s.ptr().cast(), s.len(), flags) as i64 }
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
