//! The queue of a multiplexer as one type: epoll's, or [`poll`]'s where there is no epoll.

#[cfg(not(owfat_portable))]
use super::epoll;
use super::poll;
use crate::fd::Fd;
use crate::interest::Interest;
use crate::sys::shared::Shared;
use nix::errno::Errno;
use std::ffi::c_int;

/// What [`Kernel::take`] has found.
pub(super) enum Taken {
    Woken,
    /// Of a descriptor, in the flags of poll(2).
    Event(i64, u32),
}

/// What `iomux_t` stores of the queue.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// Whether the queue is poll's.
    pub(super) polls: bool,
    pub(super) ctx: Fd,
    /// The descriptor that wakes all threads.
    pub(super) waker: Fd,
    /// The inode of the pipe, if the queue is poll's.
    pub(super) inode: u32,
}

pub(super) enum Kernel {
    #[cfg(not(owfat_portable))]
    Epoll(Fd),
    Poll(Shared<poll::Queue>),
}

impl Numbers {
    /// Opens a queue. The choice is the same as for the backend of the event loop.
    pub(super) fn open() -> Result<Numbers, Errno> {
        let poll = || {
            let (ctx, waker, file) = poll::create()?;
            Ok(Numbers { polls: true, ctx, waker, inode: file.inode as u32 })
        };
        #[cfg(owfat_portable)]
        return poll();
        #[cfg(not(owfat_portable))]
        match crate::backend::epoll_or_poll(|| epoll::create().map(Some), || Ok(None))? {
            Some(set) => {
                epoll::add_waker(set).map(|(ctx, waker)| Numbers { polls: false, ctx, waker, inode: 0 })
            }
            None => poll(),
        }
    }

    /// Wakes every thread, after the multiplexer was marked as aborted.
    pub(super) fn wake(self) -> Result<(), Errno> {
        #[cfg(not(owfat_portable))]
        if !self.polls {
            return epoll::wake(self.ctx, self.waker);
        }
        poll::wake(self.ctx, self.waker, self.inode)
    }

    pub(super) fn kernel(self) -> Result<Kernel, Errno> {
        #[cfg(not(owfat_portable))]
        if !self.polls {
            return Ok(Kernel::Epoll(self.ctx));
        }
        poll::find(self.ctx).map(Kernel::Poll)
    }
}

impl Kernel {
    pub(super) fn arm(&self, fd: Fd, interest: Interest) -> Result<(), Errno> {
        match self {
            #[cfg(not(owfat_portable))]
            Kernel::Epoll(set) => epoll::arm(*set, fd, interest),
            Kernel::Poll(queue) => queue.arm(fd, interest),
        }
    }

    pub(super) fn arm_again(&self, fd: Fd, interest: Interest) -> Result<(), Errno> {
        match self {
            #[cfg(not(owfat_portable))]
            Kernel::Epoll(set) => epoll::arm_again(*set, fd, interest),
            Kernel::Poll(queue) => queue.arm_again(fd, interest),
        }
    }

    /// Takes one event. Waits up to `slice` milliseconds for it, without limit if that is negative.
    pub(super) fn take(&self, slice: c_int, is_aborted: impl Fn() -> bool) -> Result<Option<Taken>, Errno> {
        match self {
            #[cfg(not(owfat_portable))]
            Kernel::Epoll(set) => epoll::take(*set, slice),
            Kernel::Poll(queue) => queue.take(slice, is_aborted),
        }
    }
}
