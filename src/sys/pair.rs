//! Pipes and socket pairs. nix's wrappers can panic, or do not exist on every system.

use super::count::{Call, count};
use super::own::owner;
use super::system::pipe2;
use nix::errno::Errno;
use std::ffi::c_int;
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

#[cfg(any(test, not(owfat_portable)))]
/// The read end and the write end of a pipe of the library's own: close-on-exec and in blocking mode.
pub(crate) fn pipe() -> Result<[OwnedFd; 2], Errno> {
    own_pipe(libc::O_CLOEXEC)
}

/// [`pipe`] in non-blocking mode.
pub(crate) fn pipe_that_never_waits() -> Result<[OwnedFd; 2], Errno> {
    own_pipe(libc::O_CLOEXEC | libc::O_NONBLOCK)
}

fn own_pipe(flags: c_int) -> Result<[OwnedFd; 2], Errno> {
    count(Call::Pipe);
    let [read, write] = pipe2(flags)?;
    // SAFETY: the kernel has just opened both for us.
    Ok(unsafe { [owner(read)?, owner(write)?] })
}
