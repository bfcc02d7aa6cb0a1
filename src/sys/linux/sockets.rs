//! What a socket is.

use crate::fd::Fd;
use crate::sys::mode::socket_option;

/// Whether `fd` is a TCP connection or socket.
pub(crate) fn is_tcp(fd: Fd) -> bool {
    socket_option(fd, libc::SO_PROTOCOL) == Some(libc::IPPROTO_TCP)
}
