//! Two connected sockets. nix's wrapper looks at the numbers that the kernel hands out in a way that can panic.

use super::count::{Call, count};
use super::own::owner;
use nix::errno::Errno;
use std::os::fd::OwnedFd;

/// Unix stream sockets, in blocking mode and inherited over exec.
pub(crate) fn stream_sockets() -> Result<[OwnedFd; 2], Errno> {
    let mut pair = [-1; 2];
    count(Call::Socketpair);
    // SAFETY: room for the two numbers.
    Errno::result(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) })?;
    let [a, b] = pair;
    // SAFETY: the kernel has just opened both for us.
    Ok(unsafe { [owner(a)?, owner(b)?] })
}
