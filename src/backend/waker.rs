//! Something a second thread can make readable to end a wait.

use crate::fd::Fd;
use crate::sys::own::above_standard;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// An eventfd, or a pipe where a sandbox refuses that.
#[derive(Debug)]
pub(super) enum Waker {
    Event(OwnedFd),
    Pipe { read: OwnedFd, write: OwnedFd },
}

impl Waker {
    pub(super) fn open() -> Result<Waker, Errno> {
        match EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK) {
            Ok(e) => Ok(Waker::Event(above_standard(e.into())?)),
            Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES | Errno::EINVAL) => {
                let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
                Ok(Waker::Pipe { read: above_standard(read)?, write: above_standard(write)? })
            }
            Err(e) => Err(e),
        }
    }

    /// The descriptor that is readable between [`Waker::ring`] and [`Waker::silence`].
    pub(super) fn fd(&self) -> Fd {
        Fd::from_index(self.source().as_raw_fd() as u32)
    }

    pub(super) fn ring(&self) {
        // An error can only be "full", which wakes as well.
        let _ = match self {
            Waker::Event(e) => nix::unistd::write(e, &1u64.to_ne_bytes()),
            Waker::Pipe { write, .. } => nix::unistd::write(write, &[0]),
        };
    }

    pub(super) fn silence(&self) {
        // Nothing to read means that another thread was faster.
        let _ = nix::unistd::read(self.source(), &mut [0; 512]);
    }

    fn source(&self) -> BorrowedFd<'_> {
        match self {
            Waker::Event(e) => e.as_fd(),
            Waker::Pipe { read, .. } => read.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    fn readable(w: &Waker) -> bool {
        let mut p = [PollFd::new(w.source(), PollFlags::POLLIN)];
        poll(&mut p, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn both_kinds_ring_and_fall_silent() {
        let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        for w in [Waker::open().unwrap(), Waker::Pipe { read, write }] {
            assert!(!readable(&w));
            w.ring();
            w.ring();
            assert!(readable(&w));
            w.silence();
            assert!(!readable(&w));
        }
    }
}
