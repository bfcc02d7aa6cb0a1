//! epoll on numbers that a C structure holds: no owner, no type, the kernel judges them.

use nix::errno::Errno;
use nix::sys::stat::{FileStat, fstat};
use std::ffi::{c_int, c_long};
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::null_mut;

/// `epoll_ctl` with one of the `EPOLL_CTL_*` operations.
pub(crate) fn control(ctx: RawFd, op: c_int, fd: RawFd, events: u32, data: u64) -> Result<(), Errno> {
    let mut event = libc::epoll_event { events, u64: data };
    // SAFETY: the kernel reads one event from a live local and checks both numbers.
    Errno::result(unsafe { libc::epoll_ctl(ctx, op, fd, &raw mut event) }).map(drop)
}

/// The call that sandboxes with a list of system calls know by its older name, where it has one.
#[cfg(target_arch = "x86_64")]
const WAIT: c_long = libc::SYS_epoll_wait;
#[cfg(not(target_arch = "x86_64"))]
const WAIT: c_long = libc::SYS_epoll_pwait;

/// `epoll_wait` for one event: its bits and data, or `None` after `ms` milliseconds (-1 = no limit).
///
/// The C library's own function is a cancellation point, and the unwinding of a cancelled thread ends the
/// process when it meets a Rust frame. With the plain system call the thread is cancelled in its C code.
pub(crate) fn next_event(ctx: RawFd, ms: c_int) -> Result<Option<(u32, u64)>, Errno> {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    let no_mask = null_mut::<libc::sigset_t>();
    // SAFETY: room for one event in a live local, and every argument has the width of a register. The last
    // two are for epoll_pwait: no signal mask, so its size is not looked at.
    let n = Errno::result(unsafe {
        libc::syscall(
            WAIT,
            c_long::from(ctx),
            &raw mut event,
            1 as c_long,
            c_long::from(ms),
            no_mask,
            0 as c_long,
        )
    })?;
    Ok((n > 0).then_some((event.events, event.u64)))
}

/// `fstat` of a number that may have been closed meanwhile.
pub(crate) fn stat(fd: RawFd) -> Result<FileStat, Errno> {
    if fd < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: not -1. The number is only handed to the kernel, which answers EBADF if it is not open.
    fstat(unsafe { BorrowedFd::borrow_raw(fd) })
}
