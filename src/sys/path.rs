//! Paths in the caller's memory, and opening files by them.

use super::cancel;
use super::count::{Call, count};
use super::own::owner;
use nix::errno::Errno;
use std::ffi::{c_char, c_int, c_uint};
use std::os::fd::OwnedFd;

/// A path as C passed it. The kernel reads it and checks the address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path(*const c_char);

impl Path {
    /// NULL is `EFAULT`. The kernel would say the same, but memory checkers would report the call.
    ///
    /// # Safety
    /// `path` is NULL or a C string that nobody changes while the value is in use.
    pub(crate) unsafe fn new(path: *const c_char) -> Result<Path, Errno> {
        if path.is_null() { Err(Errno::EFAULT) } else { Ok(Path(path)) }
    }
}

/// Writes the path of the working directory to `place`, with its terminating zero. Returns its length without the zero.
pub(crate) fn working_directory(place: &mut [u8]) -> Option<usize> {
    // SAFETY: room for as many bytes as are said.
    let path = unsafe { libc::getcwd(place.as_mut_ptr().cast(), place.len()) };
    if path.is_null() { None } else { place.iter().position(|byte| *byte == 0) }
}

/// `open`, with `mode` for a file that it creates.
pub(crate) fn open(path: Path, flags: c_int, mode: c_uint) -> Result<OwnedFd, Errno> {
    count(Call::Open);
    // SAFETY: a C string by the promise of `Path::new`, and only read.
    let fd = Errno::result(unsafe { cancel::open(path.0, flags, mode) })?;
    // SAFETY: just opened.
    unsafe { owner(fd) }
}
