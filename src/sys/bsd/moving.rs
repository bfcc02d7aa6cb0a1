//! Moving bytes. Nothing here is asked per call not to wait but a socket, nothing is held back for more, and all is
//! copied.

pub(crate) use super::sendfile::SENDFILE_HAS_HEADERS;
pub(in crate::sys) use super::sendfile::{sendfile, sendfile_headed};
use super::wide::off_t;
use crate::buf::{Source, Target};
use crate::fd::Fd;
use libc::c_int;
use nix::errno::Errno;
use std::mem::MaybeUninit;

/// Of a send: `MSG_MORE` has no counterpart. `TCP_NOPUSH` is a state of the socket, two calls around each send.
pub(in crate::sys) const MORE: c_int = 0;
/// Of a send: it raises no SIGPIPE.
pub(in crate::sys) const QUIET: c_int = libc::MSG_NOSIGNAL;

/// Before each send, where [`QUIET`] is not enough: not every macOS knows it.
#[inline(always)]
pub(in crate::sys) fn keep_quiet(fd: Fd) {
    #[cfg(target_os = "macos")]
    super::sockets::raise_no_sigpipe(fd);
    #[cfg(not(target_os = "macos"))]
    let _ = fd;
}

/// What stands before a file in its sendfile. Trailers are not used: nothing says that they stay behind when the file is
/// shorter than it was.
#[cfg(any(target_os = "freebsd", target_os = "dragonfly", target_os = "macos"))]
pub(super) fn headed_by(list: &[libc::iovec]) -> libc::sf_hdtr {
    libc::sf_hdtr {
        headers: list.as_ptr().cast_mut(),
        hdr_cnt: list.len() as c_int,
        trailers: std::ptr::null_mut(),
        trl_cnt: 0,
    }
}

fn lacks() -> isize {
    Errno::ENOSYS.set();
    -1
}

/// What a caller does then: it asks poll(2) first.
pub(in crate::sys) fn read_nowait(_: Fd, _: Target) -> isize {
    lacks()
}

/// As [`read_nowait`].
pub(in crate::sys) fn write_nowait(_: Fd, _: Source) -> isize {
    lacks()
}

/// One read after the other serves as well.
pub(in crate::sys) fn read_scattered(_: Fd, _: &mut [&mut [MaybeUninit<u8>]], _: off_t) -> isize {
    lacks()
}

/// Nobody says what the page cache has.
pub(in crate::sys) fn read_cached(_: Fd, _: &mut [MaybeUninit<u8>], _: off_t) -> isize {
    lacks()
}

/// Never called: no socket begins it (`sockets::begin_zero_copy`).
pub(in crate::sys) fn send_without_copy(_: Fd, _: Source, _: c_int) -> isize {
    lacks()
}

/// Nothing is held back.
pub(crate) fn push_held(_: Fd, _: bool) {}

/// Tells the kernel that a range of a file will be read soon, where it can be told.
pub(crate) fn read_ahead(file: Fd, off: u64, n: u64) {
    #[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
    {
        use crate::sys::count::{Call, count};
        count(Call::Fadvise);
        let clamp = |v: u64| off_t::try_from(v).unwrap_or(off_t::MAX);
        // SAFETY: no memory is passed.
        unsafe { libc::posix_fadvise(file.raw(), clamp(off), clamp(n), libc::POSIX_FADV_WILLNEED) };
    }
    #[cfg(not(any(target_os = "freebsd", target_os = "dragonfly")))]
    let _ = (file, off, n);
}
