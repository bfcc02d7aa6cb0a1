//! A file that the library writes about itself, in a program that knows nothing of it.
//!
//! The program may close the descriptor behind our back, as daemons do with all of theirs, and then use the number: so
//! what is open under it is looked at before each write. It may also be limited in what it can write, and a write beyond
//! that limit would kill it (SIGXFSZ).
//!
//! None of these calls is counted: they are not made for the program.

use super::mode::{Identity, own_status};
use super::own::{above_standard, owner};
use super::{O_LARGEFILE, wide};
use crate::fd::Fd;
use nix::errno::Errno;
use std::ffi::{CStr, c_int, c_uint};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, IntoRawFd};

/// Never closed: what is under its number later may be the program's.
pub(crate) struct LogFile {
    fd: Fd,
    file: Identity,
}

/// Only the owner may read a file that tells what a server does.
const MODE: c_uint = 0o600;
/// A FIFO must not hold the program up, and no link lead elsewhere.
const CAREFULLY: c_int = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_CLOEXEC;

impl LogFile {
    /// Opens or makes the file, with further `flags`. `EINVAL`: it is no regular file.
    pub(crate) fn open(path: &CStr, flags: c_int) -> Result<LogFile, Errno> {
        let flags = flags | CAREFULLY | libc::O_WRONLY | libc::O_CREAT | O_LARGEFILE;
        // SAFETY: a string, which is only read.
        let opened = Errno::result(unsafe { libc::open(path.as_ptr(), flags, MODE) })?;
        // SAFETY: just opened.
        let opened = above_standard(unsafe { owner(opened) }?)?;
        let fd = Fd::new(opened.as_raw_fd().into())?;
        let st = own_status(fd)?;
        if st.st_mode & libc::S_IFMT != libc::S_IFREG {
            return Err(Errno::EINVAL);
        }
        let _ = opened.into_raw_fd();
        Ok(LogFile { fd, file: (st.st_dev, st.st_ino) })
    }

    /// How long the file is; `EBADF` when the program has closed it.
    pub(crate) fn size(&self) -> Result<u64, Errno> {
        let st = own_status(self.fd)?;
        if (st.st_dev, st.st_ino) != self.file {
            return Err(Errno::EBADF);
        }
        u64::try_from(st.st_size).map_err(|_| Errno::EINVAL)
    }

    /// Writes to the end of a file that was opened to be appended to.
    pub(crate) fn append(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            // SAFETY: the bytes live through the call.
            let n = unsafe { libc::write(self.fd.raw(), bytes.as_ptr().cast(), bytes.len()) };
            bytes = rest(bytes, n)?;
        }
        Ok(())
    }

    /// Puts `bytes` in place of what the file has.
    pub(crate) fn replace(&self, bytes: &[u8]) -> Result<(), Errno> {
        // SAFETY: the bytes live through the call.
        let n = unsafe { wide::pwrite(self.fd.raw(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if !rest(bytes, n)?.is_empty() {
            return Err(Errno::ENOSPC);
        }
        // SAFETY: no pointer is passed.
        Errno::result(unsafe { wide::ftruncate(self.fd.raw(), bytes.len() as wide::off_t) }).map(drop)
    }
}

/// What one write has left of `bytes`.
fn rest(bytes: &[u8], written: isize) -> Result<&[u8], Errno> {
    match usize::try_from(written) {
        Ok(0) => Err(Errno::ENOSPC),
        Ok(n) => Ok(bytes.get(n..).unwrap_or_default()),
        Err(_) if Errno::last() == Errno::EINTR => Ok(bytes),
        Err(_) => Err(Errno::last()),
    }
}

/// How long a file of this process may become.
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
