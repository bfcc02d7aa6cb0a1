//! The queue on Linux: an epoll set.

mod waker;

use super::kernel::Taken;

use crate::fd::Fd;
use crate::interest::Interest;
use crate::sys::epoll::{self, Op, ctl, wait};
use crate::sys::mode::close;
use crate::sys::poll::flags;
use nix::errno::Errno;
use std::ffi::c_int;
use std::mem::MaybeUninit;

/// User data of the waker, which no descriptor has.
const WAKER: u64 = u64::MAX;

pub(super) use epoll::create;

/// Adds the waker to a new set, with no event for now. If that fails, closes the set.
pub(super) fn add_waker(set: Fd) -> Result<(Fd, Fd), Errno> {
    let watched = waker::descriptor().and_then(|waker| ctl(set, Op::Add, waker, 0, WAKER).map(|()| waker));
    match watched {
        Ok(waker) => Ok((set, waker)),
        Err(e) => {
            // The caller gets the first error.
            let _ = close(set);
            Err(e)
        }
    }
}

/// Arms the waker, which is always writable. From now on every wait ends at once.
pub(super) fn wake(set: Fd, waker: Fd) -> Result<(), Errno> {
    ctl(set, Op::Modify, waker, flags(Interest::WRITE), WAKER)
}

/// Arms `fd` for one event. Arming again is tried first, because a descriptor is added once and armed again after each of
/// its events. The third try is for two threads that add one descriptor at the same time.
pub(super) fn arm(set: Fd, fd: Fd, interest: Interest) -> Result<(), Errno> {
    match arm_again(set, fd, interest) {
        Err(Errno::ENOENT) => match tell(set, Op::Add, fd, interest) {
            Err(Errno::EEXIST) => arm_again(set, fd, interest),
            r => r,
        },
        r => r,
    }
}

/// Arms `fd` for one more event. `ENOENT`: the file that `fd` is now was never added.
pub(super) fn arm_again(set: Fd, fd: Fd, interest: Interest) -> Result<(), Errno> {
    tell(set, Op::Modify, fd, interest)
}

fn tell(set: Fd, op: Op, fd: Fd, interest: Interest) -> Result<(), Errno> {
    ctl(set, op, fd, mask(interest), fd.index() as u64)
}

fn mask(interest: Interest) -> u32 {
    flags(interest) | libc::EPOLLONESHOT as u32
}

/// Takes one event in one system call, and leaves the others to other threads.
pub(super) fn take(set: Fd, slice: c_int) -> Result<Option<Taken>, Errno> {
    let event = wait(set, &mut [MaybeUninit::uninit()], slice)?.first().map(|e| (e.u64, e.events));
    Ok(event.map(|(data, mask)| if data == WAKER { Taken::Woken } else { Taken::Event(data as i64, mask) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registration_is_for_one_event() {
        let (once, read, write) = (libc::EPOLLONESHOT as u32, libc::EPOLLIN as u32, libc::EPOLLOUT as u32);
        assert_eq!(mask(Interest::NONE), once);
        assert_eq!(mask(Interest::READ), once | read);
        assert_eq!(mask(Interest::BOTH), once | read | write);
    }
}
