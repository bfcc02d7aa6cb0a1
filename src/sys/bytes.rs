//! Moving bytes between a descriptor and the caller's memory, with and without waiting.
//!
//! [`Source`] and [`Target`] are addresses that the kernel checks (`EFAULT`); nothing here follows them.

use super::count::{Call, count};
use super::wide;
use crate::buf::{Source, Target};
use crate::fd::Fd;
use libc::{c_int, c_void, iovec};
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
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the kernel only reads, and checks the address.
    moved(unsafe { libc::send(fd.raw(), s.ptr().cast(), s.len(), flags) })
}

/// `O_NONBLOCK` for one call (`RWF_NOWAIT`); `EOPNOTSUPP` where the file cannot do it.
const NOWAIT: c_int = libc::RWF_NOWAIT;
/// The offset that makes `preadv2` and `pwritev2` use the file position, as read and write do.
const AT_POSITION: wide::off_t = -1;

pub(crate) fn read_nowait(fd: Fd, t: Target) -> Result<usize, Errno> {
    count(Call::Preadv);
    let v = iovec { iov_base: t.ptr().cast::<c_void>(), iov_len: t.len() };
    // SAFETY: one vector, whose memory `Target` vouches for.
    moved(unsafe { wide::preadv2(fd.raw(), &v, 1, AT_POSITION, NOWAIT) })
}

pub(crate) fn write_nowait(fd: Fd, s: Source) -> Result<usize, Errno> {
    count(Call::Pwritev);
    let v = iovec { iov_base: s.ptr().cast_mut().cast::<c_void>(), iov_len: s.len() };
    // SAFETY: one vector, which the kernel only reads.
    moved(unsafe { wide::pwritev2(fd.raw(), &v, 1, AT_POSITION, NOWAIT) })
}
