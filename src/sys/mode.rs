//! Whether a descriptor waits, and what it is.

use super::count::{Call, count};
use super::wide;
use crate::fd::Fd;
use nix::errno::Errno;
use std::mem::MaybeUninit;

/// Sets or clears `O_NONBLOCK`: in one call, where `F_GETFL` and `F_SETFL` are two, unless a sandbox or the
/// file refuses that one.
pub(crate) fn set_nonblocking(fd: Fd, on: bool) -> Result<(), Errno> {
    count(Call::Ioctl);
    let flag = libc::c_int::from(on);
    // SAFETY: FIONBIO reads one int.
    match Errno::result(unsafe { libc::ioctl(fd.raw(), libc::FIONBIO, &flag) }) {
        Ok(_) => Ok(()),
        Err(Errno::EBADF) => Err(Errno::EBADF),
        Err(_) => {
            let flags = flags(fd)?;
            let new = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
            count(Call::Fcntl);
            // SAFETY: no pointer is passed.
            Errno::result(unsafe { libc::fcntl(fd.raw(), libc::F_SETFL, new) }).map(drop)
        }
    }
}

/// Whether `O_NONBLOCK` is set.
pub(crate) fn is_nonblocking(fd: Fd) -> Result<bool, Errno> {
    flags(fd).map(|flags| flags & libc::O_NONBLOCK != 0)
}

fn flags(fd: Fd) -> Result<libc::c_int, Errno> {
    count(Call::Fcntl);
    // SAFETY: no pointer is passed.
    Errno::result(unsafe { libc::fcntl(fd.raw(), libc::F_GETFL) })
}

/// An option of socket(7); `None` if there is no such thing, as for a file.
pub(super) fn socket_option(fd: Fd, option: libc::c_int) -> Option<libc::c_int> {
    count(Call::Getsockopt);
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into `value`.
    let r =
        unsafe { libc::getsockopt(fd.raw(), libc::SOL_SOCKET, option, (&raw mut value).cast(), &mut len) };
    (r == 0).then_some(value)
}

/// fstat(2) of an open number.
pub(crate) fn status(fd: Fd) -> Result<wide::stat, Errno> {
    count(Call::Fstat);
    own_status(fd)
}

/// [`status`] for the library's own sake, which is not counted.
pub(super) fn own_status(fd: Fd) -> Result<wide::stat, Errno> {
    let mut st = MaybeUninit::<wide::stat>::uninit();
    // SAFETY: the kernel fills `st` or fails.
    Errno::result(unsafe { wide::fstat(fd.raw(), st.as_mut_ptr()) })?;
    // SAFETY: fstat succeeded, so the structure is filled.
    Ok(unsafe { st.assume_init() })
}

/// Device and inode: which open file, pipe or socket a number stands for.
pub(crate) type Identity = (libc::dev_t, u64);

pub(crate) fn identity(fd: Fd) -> Result<Identity, Errno> {
    status(fd).map(|st| (st.st_dev, st.st_ino))
}

/// Whether the number stands for `file` as it did; yes, if the kernel has no memory to tell.
pub(crate) fn is_still(fd: Fd, file: Identity) -> bool {
    identity(fd).map_or_else(|e| e != Errno::EBADF, |now| now == file)
}

/// Whether `fd` is a TCP connection or socket.
pub(crate) fn is_tcp(fd: Fd) -> bool {
    socket_option(fd, libc::SO_PROTOCOL) == Some(libc::IPPROTO_TCP)
}

/// close(2). Linux frees the number in every case, so `EINTR` is success and never a reason to try again
/// (close(2), "Dealing with error returns from close()").
pub(crate) fn close(fd: Fd) -> Result<(), Errno> {
    count(Call::Close);
    // SAFETY: the number is one that the program gave up, or our own.
    match Errno::result(unsafe { libc::close(fd.raw()) }) {
        Err(Errno::EINTR) | Ok(_) => Ok(()),
        Err(e) => Err(e),
    }
}
