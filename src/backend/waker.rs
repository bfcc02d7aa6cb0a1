//! Something a second thread can make readable to end a wait.

use crate::fd::Fd;
use crate::sys::count::{Call, count};
use crate::sys::event_descriptor;
use crate::sys::mode::{Identity, identity, is_still};
use crate::sys::own::above_standard;
use crate::sys::pair;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug)]
pub(super) struct Waker {
    ends: Ends,
    fd: Fd,
    /// Unknown if the kernel could not tell.
    file: Option<Identity>,
    lost: AtomicBool,
}

#[derive(Debug)]
enum Ends {
    Event(OwnedFd),
    /// Where the system has no eventfd, or a sandbox refuses it.
    Pipe {
        read: OwnedFd,
        write: OwnedFd,
    },
    /// The program has closed them.
    Gone,
}

impl Waker {
    pub(super) fn open() -> Result<Waker, Errno> {
        match event_descriptor() {
            Ok(e) => Waker::new(Ends::Event(above_standard(e)?)),
            Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES | Errno::EINVAL) => {
                let [read, write] = pair::pipe_that_never_waits()?;
                Waker::new(Ends::Pipe { read: above_standard(read)?, write: above_standard(write)? })
            }
            Err(e) => Err(e),
        }
    }

    fn new(ends: Ends) -> Result<Waker, Errno> {
        let number = match &ends {
            Ends::Event(fd) | Ends::Pipe { read: fd, .. } => fd.as_raw_fd(),
            Ends::Gone => return Err(Errno::EBADF),
        };
        let fd = Fd::new(number.into())?;
        Ok(Waker { ends, fd, file: identity(fd).ok(), lost: AtomicBool::new(false) })
    }

    /// The descriptor that is readable between [`Waker::ring`] and [`Waker::silence`].
    pub(super) fn fd(&self) -> Fd {
        self.fd
    }

    pub(super) fn ring(&self) {
        count(Call::Write);
        // An error can only be "full", which wakes as well.
        let _ = match &self.ends {
            Ends::Event(e) => nix::unistd::write(e, &1u64.to_ne_bytes()),
            Ends::Pipe { write, .. } => nix::unistd::write(write, &[0]),
            Ends::Gone => Ok(0),
        };
    }

    pub(super) fn silence(&self) {
        count(Call::Read);
        let mut bytes = [0; 512];
        // Nothing to read means that another thread was faster.
        let _ = match &self.ends {
            Ends::Event(e) => nix::unistd::read(e, &mut bytes),
            Ends::Pipe { read, .. } => nix::unistd::read(read, &mut bytes),
            Ends::Gone => Ok(0),
        };
    }

    /// See [`Backend::abandon`](super::Backend::abandon).
    pub(super) fn abandon(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }
}

impl Ends {
    /// How many descriptors there are to close.
    fn len(&self) -> usize {
        match self {
            Ends::Event(_) => 1,
            Ends::Pipe { .. } => 2,
            Ends::Gone => 0,
        }
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        // A program that closed all descriptors may use the number itself, or we do for the next waker.
        let is_anothers = self.file.is_some_and(|file| !is_still(self.fd, file));
        if self.lost.load(Ordering::Relaxed) || is_anothers {
            std::mem::forget(std::mem::replace(&mut self.ends, Ends::Gone));
        }
        for _ in 0..self.ends.len() {
            count(Call::Close);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll::poll;
    use libc::{POLLIN, pollfd};

    fn readable(w: &Waker) -> bool {
        poll(&mut [pollfd { fd: w.fd().raw(), events: POLLIN, revents: 0 }], 0) == Ok(1)
    }

    fn of_pipe() -> Waker {
        let [read, write] = pair::pipe_that_never_waits().unwrap();
        Waker::new(Ends::Pipe { read, write }).unwrap()
    }

    #[test]
    fn both_kinds_ring_and_fall_silent() {
        for w in [Waker::open().unwrap(), of_pipe()] {
            assert!(!readable(&w));
            w.ring();
            w.ring();
            assert!(readable(&w));
            w.silence();
            assert!(!readable(&w));
        }
    }

    #[test]
    fn only_what_is_still_the_wakers_own_is_closed() {
        let (mine, abandoned) = (of_pipe(), of_pipe());
        let ends = [mine.fd(), abandoned.fd()];
        abandoned.abandon();
        drop((mine, abandoned));
        assert_eq!(ends.map(|fd| identity(fd).is_ok()), [false, true]);
        crate::sys::mode::close(ends[1]).unwrap();
    }
}
