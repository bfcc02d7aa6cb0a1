//! A file that the library writes: the trace or the counters. The program knows nothing of it.
//!
//! A write beyond the limit of file sizes would kill the program (SIGXFSZ), so the limit is checked. The program may close
//! the descriptor; [`Owned`] is for that.
//!
//! # Folders that everybody may write to
//!
//! Another user may have put a file or link into `/tmp`, to have root write to it. So an existing file is written only if it
//! belongs to the user of the process or to root, and has no second name. The last part of the path may not be a link; a
//! link to a folder must be root's or the user's. Nothing is truncated before that is known.
//!
//! These system calls are not counted, because they are not made for the program.

use super::mode::O_PATH;
use super::own::owner;
use super::owned::Owned;
use super::{O_LARGEFILE, wide};
use nix::errno::Errno;
use std::ffi::{CStr, c_int, c_uint};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

pub(crate) struct LogFile(Owned);

/// Only the owner may read what a server does.
const MODE: c_uint = 0o600;
/// A FIFO must not make the program wait, and a link must not be followed.
const CAREFULLY: c_int = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_CLOEXEC;

/// Opens a folder on the way to the file.
const FOLDER: c_int = O_PATH | libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
/// `NAME_MAX`, the kernel's limit.
const NAME: usize = 255;

impl LogFile {
    /// Opens or creates the file, with further `flags`. `EINVAL` if it is no regular file, `EPERM` if it is another user's,
    /// `EMLINK` if it has another name.
    pub(crate) fn open(path: &CStr, flags: c_int) -> Result<LogFile, Errno> {
        let flags = flags | CAREFULLY | libc::O_WRONLY | O_LARGEFILE;
        match open(path, flags | libc::O_CREAT | libc::O_EXCL) {
            Err(Errno::EEXIST) => {
                let file = Owned::new(open(path, flags)?)?;
                check(&file.status()?)?;
                Ok(LogFile(file))
            }
            made => Ok(LogFile(Owned::new(made?)?)),
        }
    }

    /// The size of the file; `EBADF` if the program has closed it.
    pub(crate) fn size(&self) -> Result<u64, Errno> {
        u64::try_from(self.0.status()?.st_size).map_err(|_| Errno::EINVAL)
    }

    /// Writes to the end of a file that was opened with O_APPEND.
    pub(crate) fn append(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            bytes = rest(bytes, self.0.write(bytes))?;
        }
        Ok(())
    }

    /// Replaces the contents of the file.
    pub(crate) fn replace(&self, bytes: &[u8]) -> Result<(), Errno> {
        let fd = self.0.confirmed()?;
        // SAFETY: the bytes live through the call.
        let n = unsafe { wide::pwrite(fd.raw(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if !rest(bytes, Errno::result(n).map(|n| n as usize))?.is_empty() {
            return Err(Errno::ENOSPC);
        }
        let fd = self.0.confirmed()?;
        // SAFETY: no pointer is passed.
        Errno::result(unsafe { wide::ftruncate(fd.raw(), bytes.len() as wide::off_t) }).map(drop)
    }
}

fn open(path: &CStr, flags: c_int) -> Result<OwnedFd, Errno> {
    let bytes = path.to_bytes_with_nul();
    let Some(slash) = bytes.iter().rposition(|b| *b == b'/') else {
        return open_at(libc::AT_FDCWD, path, flags);
    };
    let (folders, name) = bytes.split_at_checked(slash + 1).ok_or(Errno::EINVAL)?;
    let mut folder = open_at(libc::AT_FDCWD, if bytes.first() == Some(&b'/') { c"/" } else { c"." }, FOLDER)?;
    for part in folders.split(|b| *b == b'/').filter(|part| !part.is_empty()) {
        folder = enter(&folder, part)?;
    }
    open_at(folder.as_raw_fd(), CStr::from_bytes_with_nul(name).map_err(|_| Errno::EINVAL)?, flags)
}

/// Opens a folder. Follows a link to it only if the link is root's or the user's.
fn enter(folder: &OwnedFd, part: &[u8]) -> Result<OwnedFd, Errno> {
    let mut name = [0; NAME + 1];
    name.get_mut(..part.len())
        .filter(|_| part.len() <= NAME)
        .ok_or(Errno::ENAMETOOLONG)?
        .copy_from_slice(part);
    let name = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::EINVAL)?;
    match open_at(folder.as_raw_fd(), name, FOLDER | libc::O_NOFOLLOW) {
        // Each of these means a link on some system.
        Err(Errno::ENOTDIR | Errno::ELOOP | Errno::EMLINK) if is_trusted_link(folder, name)? => {
            open_at(folder.as_raw_fd(), name, FOLDER)
        }
        entered => entered,
    }
}

fn is_trusted_link(folder: &OwnedFd, name: &CStr) -> Result<bool, Errno> {
    let mut st = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the name is only read, and the kernel fills `st` or fails.
    Errno::result(unsafe {
        libc::fstatat(folder.as_raw_fd(), name.as_ptr(), st.as_mut_ptr(), libc::AT_SYMLINK_NOFOLLOW)
    })?;
    // SAFETY: filled, because the call succeeded.
    let st = unsafe { st.assume_init() };
    if st.st_mode & libc::S_IFMT != libc::S_IFLNK {
        return Ok(false);
    }
    if is_trusted(st.st_uid) { Ok(true) } else { Err(Errno::ELOOP) }
}

fn open_at(folder: c_int, name: &CStr, flags: c_int) -> Result<OwnedFd, Errno> {
    // SAFETY: a string, which is only read.
    let opened = Errno::result(unsafe { libc::openat(folder, name.as_ptr(), flags, MODE) })?;
    // SAFETY: just opened.
    unsafe { owner(opened) }
}

/// Whether an existing file may be written.
fn check(st: &wide::stat) -> Result<(), Errno> {
    match () {
        () if st.st_mode & libc::S_IFMT != libc::S_IFREG => Err(Errno::EINVAL),
        () if !is_trusted(st.st_uid) => Err(Errno::EPERM),
        () if st.st_nlink > 1 => Err(Errno::EMLINK),
        () => Ok(()),
    }
}

fn is_trusted(owner: libc::uid_t) -> bool {
    // SAFETY: takes nothing and cannot fail.
    owner == 0 || owner == unsafe { libc::geteuid() }
}

/// The rest of `bytes` after one write.
fn rest(bytes: &[u8], written: Result<usize, Errno>) -> Result<&[u8], Errno> {
    match written {
        Ok(0) => Err(Errno::ENOSPC),
        Ok(n) => Ok(bytes.get(n..).unwrap_or_default()),
        Err(Errno::EINTR) => Ok(bytes),
        Err(e) => Err(e),
    }
}

/// The limit of file sizes of this process.
pub(crate) fn size_limit() -> u64 {
    let mut limit = MaybeUninit::<wide::rlimit>::uninit();
    // SAFETY: the kernel fills the structure or fails.
    match unsafe { wide::getrlimit(libc::RLIMIT_FSIZE, limit.as_mut_ptr()) } {
        // SAFETY: filled, because the call succeeded.
        #[allow(clippy::unnecessary_cast, reason = "signed on some systems")]
        0 => unsafe { limit.assume_init() }.rlim_cur as u64,
        _ => u64::MAX,
    }
}
