//! What a socket is, and whether it can be sent to without a copy.

use crate::fd::Fd;
use crate::sys::count::{Call, count};
use crate::sys::mode::socket_option;

/// Missing in libc for some targets (asm-generic/socket.h).
const SO_ZEROCOPY: libc::c_int = 60;

/// Whether `fd` is a TCP connection or socket.
pub(crate) fn is_tcp(fd: Fd) -> bool {
    socket_option(fd, libc::SO_PROTOCOL) == Some(libc::IPPROTO_TCP)
}

/// Whether `fd` is a socket with an error queue. Others ignore `MSG_ERRQUEUE`: an AF_UNIX socket would be read from, and
/// would give away its pending error, a datagram or a descriptor under way.
pub(crate) fn has_error_queue(fd: Fd) -> bool {
    socket_option(fd, libc::SO_DOMAIN).is_some_and(|domain| [libc::AF_INET, libc::AF_INET6].contains(&domain))
}

/// Lets a TCP socket be sent to without a copy. False: it is none, the kernel cannot do it, or somebody else does it
/// already, who then has to be left to count sends and take notices alone.
pub(crate) fn begin_zero_copy(fd: Fd) -> bool {
    let on: libc::c_int = 1;
    is_tcp(fd)
        && socket_option(fd, SO_ZEROCOPY) == Some(0)
        // SAFETY: the kernel reads the int.
        && unsafe {
            count(Call::Setsockopt);
            let len = size_of::<libc::c_int>() as libc::socklen_t;
            libc::setsockopt(fd.raw(), libc::SOL_SOCKET, SO_ZEROCOPY, (&raw const on).cast(), len)
        } == 0
}
