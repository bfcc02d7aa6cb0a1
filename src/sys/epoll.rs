//! epoll by raw numbers. nix's wrapper owns its descriptor and closes it, but ours may be the program's by then.

use super::cancel;
use super::count::{Call, count};
use super::own;
use crate::fd::Fd;
use libc::{c_int, epoll_event};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, OwnedFd};

/// What to do with a registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Add,
    Modify,
    Delete,
}

/// A new set, closed on exec.
pub(crate) fn create() -> Result<Fd, Errno> {
    count(Call::Epollcreate1);
    // SAFETY: no pointer is passed.
    let set = match Errno::result(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }) {
        Err(refusal @ (Errno::ENOSYS | Errno::EPERM | Errno::EACCES)) => create_as_before(refusal)?,
        // SAFETY: just opened.
        n => unsafe { own::owner(n?) }?,
    };
    Fd::new(own::above_standard(set)?.into_raw_fd().into())
}

/// Opens a set by the older call, which sandboxes made for libowfat allow. If it cannot be made close-on-exec, the result
/// is the `refusal` of the newer call.
fn create_as_before(refusal: Errno) -> Result<OwnedFd, Errno> {
    count(Call::Epollcreate);
    // SAFETY: no pointer is passed.
    let n = Errno::result(unsafe { libc::epoll_create(1) })?;
    // SAFETY: just opened.
    let set = unsafe { own::owner(n) }?;
    count(Call::Fcntl);
    fcntl(&set, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|_| refusal)?;
    Ok(set)
}

pub(crate) fn ctl(set: Fd, op: Op, fd: Fd, events: u32, data: u64) -> Result<(), Errno> {
    let op = match op {
        Op::Add => libc::EPOLL_CTL_ADD,
        Op::Modify => libc::EPOLL_CTL_MOD,
        Op::Delete => libc::EPOLL_CTL_DEL,
    };
    count(Call::Epollctl);
    let mut event = epoll_event { events, u64: data };
    // SAFETY: the event lives through the call; bad numbers are the kernel's to refuse.
    Errno::result(unsafe { libc::epoll_ctl(set.raw(), op, fd.raw(), &mut event) }).map(drop)
}

/// Waits for events. `timeout` in milliseconds, -1 for no limit.
pub(crate) fn wait(
    set: Fd,
    room: &mut [MaybeUninit<epoll_event>],
    timeout: c_int,
) -> Result<&[epoll_event], Errno> {
    count(Call::Epollwait);
    let len = c_int::try_from(room.len()).unwrap_or(c_int::MAX);
    // SAFETY: the kernel writes at most `len` events into `room`.
    let n = Errno::result(unsafe { cancel::epoll_wait(set.raw(), room.as_mut_ptr().cast(), len, timeout) })?;
    // SAFETY: the kernel has written the first `n` events, and says so by returning `n` <= `len`.
    Ok(unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), n as usize) })
}

/// Up to `n` elements.
fn first_of<T>(slice: &mut [T], n: usize) -> &mut [T] {
    let n = n.min(slice.len());
    slice.split_at_mut_checked(n).map_or(&mut [], |(first, _)| first)
}

/// Waits for events and appends them to `list`, up to `most` in all or its capacity.
pub(crate) fn append(set: Fd, list: &mut Vec<epoll_event>, most: usize, timeout: c_int) -> Result<(), Errno> {
    let more = most.saturating_sub(list.len());
    let n = wait(set, first_of(list.spare_capacity_mut(), more), timeout)?.len();
    // SAFETY: the kernel has written `n` events behind those that are there, within the capacity.
    unsafe { list.set_len(list.len() + n) };
    Ok(())
}
