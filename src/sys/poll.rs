//! poll(2) on plain numbers, because the descriptors belong to the program.

use super::cancel;
use super::count::{Call, count};
use super::select::select;
use super::system::POLL_RDHUP;
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use libc::pollfd;
use nix::errno::Errno;

// As wide as epoll's flags, which are the same bits.
pub(crate) const IN: u32 = libc::POLLIN as u32;
pub(crate) const OUT: u32 = libc::POLLOUT as u32;
pub(crate) const ERR: u32 = libc::POLLERR as u32;
pub(crate) const HUP: u32 = libc::POLLHUP as u32;
pub(crate) const NVAL: u32 = libc::POLLNVAL as u32;

/// The flags to ask for.
pub(crate) fn flags(interest: Interest) -> u32 {
    let read = if interest.has(Direction::Read) { IN } else { 0 };
    let write = if interest.has(Direction::Write) { OUT } else { 0 };
    read | write
}

/// The directions that the flags of an answer make ready. An error or a hang-up makes both ready, because no transfer will
/// block.
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

/// Waits for one of `fds`. `timeout` is in milliseconds, -1 for no limit. Returns how many are ready. If the process has
/// lowered its limit of descriptors below the number of `fds`, it uses [`select`].
pub(crate) fn poll(fds: &mut [pollfd], timeout: i32) -> Result<usize, Errno> {
    count(Call::Poll);
    // SAFETY: pointer and length describe `fds`.
    let n = unsafe { cancel::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout) };
    match Errno::result(n) {
        Err(Errno::EINVAL) => select(fds, timeout),
        ready => ready.map(|n| n as usize),
    }
}

/// The directions in which `fd` is ready now.
pub(crate) fn ready_now(fd: Fd) -> Interest {
    look(fd, IN | OUT, 0).map_or(Interest::NONE, ready)
}

/// Waits without limit until `fd` is ready in a direction of `interest` or shut down. Returns whether it is shut down.
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
    fn each_interest_comes_back_from_its_flags() {
        for interest in [Interest::NONE, Interest::READ, Interest::WRITE, Interest::BOTH] {
            assert_eq!(ready(flags(interest)), interest);
        }
    }
}
