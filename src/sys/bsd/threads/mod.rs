//! What is known of threads.

#[cfg_attr(target_os = "freebsd", path = "freebsd.rs")]
#[cfg_attr(target_os = "dragonfly", path = "dragonfly.rs")]
#[cfg_attr(target_os = "netbsd", path = "netbsd.rs")]
#[cfg_attr(target_os = "openbsd", path = "openbsd.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod of_system;

pub(crate) use of_system::set_name;
pub(in crate::sys) use of_system::{CANCEL_DISABLE, errno_location, number};

use std::ffi::c_char;

/// No system says that only one runs.
static NOT_KNOWN: c_char = 0;

/// The byte that is not 0 while the C library knows of one thread only.
#[inline(always)]
pub(in crate::sys) const fn single_threaded_byte() -> *mut c_char {
    (&raw const NOT_KNOWN).cast_mut()
}
