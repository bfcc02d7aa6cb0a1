//! poll(2) on descriptors that belong to the program: numbers, not owned or borrowed objects.

use crate::fd::Fd;
use crate::interest::Interest;
use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT, pollfd};
use nix::errno::Errno;

/// Waits for one of `fds`. `timeout` in milliseconds, -1 for no limit. Returns how many are ready.
pub(crate) fn poll(fds: &mut [pollfd], timeout: i32) -> Result<usize, Errno> {
    // SAFETY: pointer and length describe `fds`.
    let n = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout) };
    Errno::result(n).map(|n| n as usize)
}

/// The directions in which `fd` is ready at this moment.
pub(crate) fn ready_now(fd: Fd) -> Interest {
    look(fd, POLLIN | POLLOUT, 0).unwrap_or(Interest::NONE)
}

/// Waits without limit until `fd` is ready in one of `interest`'s directions, or shut.
pub(crate) fn until_ready(fd: Fd, interest: Interest) -> Result<(), Errno> {
    let events = if interest == Interest::READ { POLLIN } else { POLLOUT };
    look(fd, events, -1).map(drop)
}

fn look(fd: Fd, events: i16, timeout: i32) -> Result<Interest, Errno> {
    let mut one = [pollfd { fd: fd.raw(), events, revents: 0 }];
    poll(&mut one, timeout)?;
    let mut ready = Interest::NONE;
    if one[0].revents & (POLLIN | POLLERR | POLLHUP) != 0 {
        ready |= Interest::READ;
    }
    if one[0].revents & (POLLOUT | POLLERR | POLLHUP) != 0 {
        ready |= Interest::WRITE;
    }
    Ok(ready)
}
