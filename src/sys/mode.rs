//! Asks and sets the mode of a descriptor, and asks which file it is.

use super::cancel;
use super::count::{Call, count};
use super::wide;
use crate::fd::Fd;
use crate::mode::{FileKind, Mode};
use nix::errno::Errno;
use std::mem::MaybeUninit;

/// The flag of a descriptor that only names a file; 0 on systems without it.
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
pub(super) const O_PATH: libc::c_int = libc::O_PATH;
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
pub(super) const O_PATH: libc::c_int = 0;

/// Sets or clears `O_NONBLOCK`. `FIONBIO` takes one call. If a sandbox or the file refuses it, `F_GETFL` and `F_SETFL` are
/// used.
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

/// Whether the number is open.
pub(crate) fn is_open(fd: Fd) -> bool {
    flags(fd).is_ok()
}

/// Whether the descriptor only names a file (open(2), O_PATH).
pub(crate) fn is_path_only(fd: Fd) -> bool {
    flags(fd).is_ok_and(|flags| flags & O_PATH != 0)
}

/// The mode of the open file. `EBADF` also for a descriptor that only names a file.
pub(crate) fn mode(fd: Fd) -> Result<Mode, Errno> {
    match flags(fd)? {
        flags if flags & O_PATH != 0 => Err(Errno::EBADF),
        flags if flags & libc::O_NONBLOCK != 0 => Ok(Mode::Nonblocking),
        _ => Ok(Mode::Blocking),
    }
}

fn flags(fd: Fd) -> Result<libc::c_int, Errno> {
    count(Call::Fcntl);
    // SAFETY: no pointer is passed.
    Errno::result(unsafe { libc::fcntl(fd.raw(), libc::F_GETFL) })
}

/// fstat(2) of an open number.
pub(crate) fn status(fd: Fd) -> Result<wide::stat, Errno> {
    count(Call::Fstat);
    own_status(fd)
}

/// [`status`] of the library's own descriptors, which is not counted.
pub(super) fn own_status(fd: Fd) -> Result<wide::stat, Errno> {
    let mut st = MaybeUninit::<wide::stat>::uninit();
    // SAFETY: the kernel fills `st` or fails.
    Errno::result(unsafe { wide::fstat(fd.raw(), st.as_mut_ptr()) })?;
    // SAFETY: fstat succeeded, so the structure is filled.
    Ok(unsafe { st.assume_init() })
}

/// Which file, pipe or socket a number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl Identity {
    /// No file, or an unknown one.
    pub(crate) const NONE: Identity = Identity { device: 0, inode: 0 };

    // The width of both differs between systems.
    #[allow(clippy::unnecessary_cast, reason = "needed where they are narrower")]
    pub(super) fn of(st: &wide::stat) -> Identity {
        Identity { device: st.st_dev as u64, inode: st.st_ino as u64 }
    }
}

pub(crate) fn identity(fd: Fd) -> Result<Identity, Errno> {
    who(fd).map(|(_, identity)| identity)
}

/// What kind of file is open under the number, and which one.
pub(crate) fn who(fd: Fd) -> Result<(FileKind, Identity), Errno> {
    let st = status(fd)?;
    let kind = match st.st_mode & libc::S_IFMT {
        libc::S_IFSOCK => FileKind::Socket,
        libc::S_IFIFO => FileKind::Pipe,
        libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK => FileKind::Regular,
        libc::S_IFCHR => FileKind::Device,
        _ => FileKind::Other,
    };
    Ok((kind, Identity::of(&st)))
}

/// close(2). Linux frees the number even with `EINTR`, which therefore counts as success (close(2), "Dealing with error
/// returns from close()").
pub(crate) fn close(fd: Fd) -> Result<(), Errno> {
    count(Call::Close);
    // SAFETY: the number is one that the program gave up, or our own.
    match Errno::result(unsafe { cancel::close(fd.raw()) }) {
        Err(Errno::EINTR) | Ok(_) => Ok(()),
        Err(e) => Err(e),
    }
}
