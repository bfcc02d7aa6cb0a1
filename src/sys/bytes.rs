//! System calls that move bytes between a descriptor and the caller's memory, with and without waiting.
//!
//! [`Source`] and [`Target`] are addresses that the kernel checks (`EFAULT`). They are not dereferenced here.

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

/// Receives from a socket without waiting, whatever its mode. -1 with errno if it fails. The caller counts the call, because
/// the fast path is not taken while calls are counted.
#[inline(always)]
pub(crate) fn receive_nowait(fd: Fd, t: Target) -> i64 {
    // SAFETY: `Target` vouches that the memory may be overwritten.
    unsafe { cancel::recv(fd.raw(), t.ptr().cast(), t.len(), libc::MSG_DONTWAIT) as i64 }
}

/// Sends to a socket without waiting and without SIGPIPE. Counted by the caller, as [`receive_nowait`].
#[inline(always)]
pub(crate) fn send_nowait(fd: Fd, s: Source) -> i64 {
    let flags = libc::MSG_DONTWAIT | QUIET;
    // SAFETY: the kernel only reads, and checks the address.
    unsafe { cancel::send(fd.raw(), s.ptr().cast(), s.len(), flags) as i64 }
}

/// read(2) that does not wait, whatever the mode. `EOPNOTSUPP` or `ENOSYS` if the file or the system cannot do that.
pub(crate) fn read_nowait(fd: Fd, t: Target) -> Result<usize, Errno> {
    moved(moving::read_nowait(fd, t))
}

/// write(2) that does not wait; see [`read_nowait`].
pub(crate) fn write_nowait(fd: Fd, s: Source) -> Result<usize, Errno> {
    moved(moving::write_nowait(fd, s))
}
