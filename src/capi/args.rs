//! Checks shared by the C functions: lengths and buffers as C passes them.

use crate::buf::{Source, Target};
use nix::errno::Errno;
use std::ffi::c_char;

/// A signed length: negative is `EINVAL`, huge is left to the kernel, which clamps.
pub(crate) fn length(len: i64) -> Result<usize, Errno> {
    usize::try_from(len).map_err(|_| Errno::EINVAL)
}

/// # Safety
/// The caller of the C function keeps what is mapped at `buf` valid for writing until the function returns.
pub(crate) unsafe fn target(buf: *mut c_char, len: i64) -> Result<Target, Errno> {
    let len = length(len)?;
    // SAFETY: the caller's promise is the one that `Target::new` asks for.
    Ok(unsafe { Target::new(buf.cast(), len) })
}

/// # Safety
/// The caller of the C function leaves what is mapped at `buf` unchanged until the function returns.
pub(crate) unsafe fn source(buf: *const c_char, len: i64) -> Result<Source, Errno> {
    let len = length(len)?;
    // SAFETY: the caller's promise is the one that `Source::new` asks for.
    Ok(unsafe { Source::new(buf.cast(), len) })
}
