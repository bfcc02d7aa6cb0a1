//! Moving bytes: nothing but a socket is asked per call not to wait, nothing is held back for more, and files are copied.

use crate::buf::{Source, Target};
use crate::fd::Fd;
use crate::sys::cancel;
use crate::sys::count::{Call, count};
use crate::sys::wide::off_t;
use libc::c_int;
use nix::errno::Errno;
use std::mem::MaybeUninit;

/// Of a send: there is no way to say that more follows.
pub(in crate::sys) const MORE: c_int = 0;
/// Of a send: it raises no SIGPIPE.
pub(in crate::sys) const QUIET: c_int = libc::MSG_NOSIGNAL;

fn lacks() -> isize {
    Errno::ENOSYS.set();
    -1
}

/// The caller asks poll(2) first.
pub(in crate::sys) fn read_nowait(_: Fd, _: Target) -> isize {
    lacks()
}

/// As [`read_nowait`].
pub(in crate::sys) fn write_nowait(_: Fd, _: Source) -> isize {
    lacks()
}

/// Nothing says what the page cache has: it is read in any case, as it would be for a copy.
pub(in crate::sys) fn read_cached(file: Fd, room: &mut [MaybeUninit<u8>], off: off_t) -> isize {
    count(Call::Pread);
    // SAFETY: the room has so many bytes.
    unsafe { cancel::pread(file.raw(), room.as_mut_ptr().cast(), room.len(), off) }
}

/// In the words of Linux, "not this way": the caller reads and sends.
pub(in crate::sys) fn sendfile(_: Fd, _: Fd, _: off_t, _: usize) -> Result<usize, Errno> {
    Err(Errno::EINVAL)
}

/// Nothing is held back.
pub(crate) fn push_held(_: Fd, _: bool) {}

/// So nothing is to be dropped.
pub(crate) fn drop_held(_: Fd) -> bool {
    false
}

/// The kernel is not told.
pub(crate) fn read_ahead(_: Fd, _: u64, _: u64) {}
