//! Moves bytes by POSIX calls: only sockets can be told not to wait in a call, nothing is held back, and files are copied.

use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::sys::cancel;
use crate::sys::count::{Call, count};
use crate::sys::wide::off_t;
use libc::c_int;
use nix::errno::Errno;
use std::mem::MaybeUninit;

/// For a send: there is no flag to say that more follows.
pub(in crate::sys) const MORE: c_int = 0;
/// For a send: no SIGPIPE.
pub(in crate::sys) const QUIET: c_int = libc::MSG_NOSIGNAL;

fn lacks() -> isize {
    Errno::ENOSYS.set();
    -1
}

/// The caller asks poll(2) first.
pub(in crate::sys) fn read_nowait(_: Fd, _: Target) -> isize {
    lacks()
}

/// The caller asks poll(2) first.
pub(in crate::sys) fn write_nowait(_: Fd, _: Source) -> isize {
    lacks()
}

/// No call says what the page cache has, so this reads in any case, as a copy would.
pub(in crate::sys) fn read_cached(file: Fd, room: &mut [MaybeUninit<u8>], off: off_t) -> isize {
    count(Call::Pread);
    // SAFETY: the room has so many bytes.
    unsafe { cancel::pread(file.raw(), room.as_mut_ptr().cast(), room.len(), off) }
}

/// Fails as on a Linux file that cannot be spliced, so the caller reads and sends.
pub(in crate::sys) fn sendfile(_: Fd, _: Fd, _: off_t, _: usize) -> Result<usize, Errno> {
    Err(Errno::EINVAL)
}

/// Nothing is held back.
pub(crate) fn push_held(_: Fd, _: bool) {}

/// Nothing is held back.
pub(crate) fn drop_held(_: Fd) -> bool {
    false
}

/// Only a hint, which is not given here.
pub(crate) fn read_ahead(_: Fd, _: u64, _: u64) {}
