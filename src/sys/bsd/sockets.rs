//! What a socket can do.

use crate::fd::Fd;

/// No socket has an error queue.
pub(crate) fn has_error_queue(_: Fd) -> bool {
    false
}

/// No socket can be sent to without a copy.
pub(crate) fn begin_zero_copy(_: Fd) -> bool {
    false
}

/// Has writes to the socket raise no SIGPIPE from now on. It costs a call before each send: the socket may have come to
/// us in any way.
#[cfg(target_os = "macos")]
pub(super) fn raise_no_sigpipe(fd: Fd) {
    use crate::sys::count::{Call, count};
    count(Call::Setsockopt);
    let on: libc::c_int = 1;
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel reads the int. What is no socket is written to in another way, which cares for itself.
    unsafe {
        libc::setsockopt(fd.raw(), libc::SOL_SOCKET, libc::SO_NOSIGPIPE, (&raw const on).cast(), len);
    }
}
