//! poll(2) on descriptors that belong to the program: numbers, not owned or borrowed objects.

use super::cancel;
use super::count::{Call, count};
use super::select::select;
use super::system::POLL_RDHUP;
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use libc::pollfd;
use nix::errno::Errno;

// In the width of epoll's flags, which are the same bits.
pub(crate) const IN: u32 = libc::POLLIN as u32;
pub(crate) const OUT: u32 = libc::POLLOUT as u32;
pub(crate) const ERR: u32 = libc::POLLERR as u32;
pub(crate) const HUP: u32 = libc::POLLHUP as u32;
pub(crate) const NVAL: u32 = libc::POLLNVAL as u32;

/// What to ask for.
pub(crate) fn flags(interest: Interest) -> u32 {
    let read = if interest.has(Direction::Read) { IN } else { 0 };
    let write = if interest.has(Direction::Write) { OUT } else { 0 };
    read | write
}

/// What the answer says of the directions. An error or a hang-up is both: no transfer will block.
#[inline]
pub(crate) fn ready(flags: u32) -> Interest {
    let mut ready = Interest::NONE;
    if flags & (IN | ERR | HUP) != 0 {
        ready |= Interest::READ;
    }
    if flags & (OUT | ERR | HUP) != 0 {
        ready |= Interest::WRITE;
    }
    ready
}

/// Waits for one of `fds`. `timeout` in milliseconds, -1 for no limit. Returns how many are ready. Where the process has
/// lowered its limit of descriptors below the number of `fds`, [`select`] answers.
pub(crate) fn poll(fds: &mut [pollfd], timeout: i32) -> Result<usize, Errno> {
    count(Call::Poll);
    // SAFETY: pointer and length describe `fds`.
    let n = unsafe { cancel::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout) };
    match Errno::result(n) {
        Err(Errno::EINVAL) => select(fds, timeout),
        ready => ready.map(|n| n as usize),
    }
}

/// The directions in which `fd` is ready at this moment.
pub(crate) fn ready_now(fd: Fd) -> Interest {
    look(fd, IN | OUT, 0).map_or(Interest::NONE, ready)
}

/// Waits without limit until `fd` is ready in one of `interest`'s directions, or shut: whether it is the latter.
pub(crate) fn until_ready(fd: Fd, interest: Interest) -> Result<bool, Errno> {
    let end = if interest.has(Direction::Read) { POLL_RDHUP } else { 0 };
    look(fd, flags(interest) | end, -1).map(|found| found & (HUP | end) != 0)
}

fn look(fd: Fd, events: u32, timeout: i32) -> Result<u32, Errno> {
    let mut one = [pollfd { fd: fd.raw(), events: events as i16, revents: 0 }];
    poll(&mut one, timeout)?;
    Ok(one[0].revents as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_what_is_answered() {
        for interest in [Interest::NONE, Interest::READ, Interest::WRITE, Interest::BOTH] {
            assert_eq!(ready(flags(interest)), interest);
        }
    }
}
