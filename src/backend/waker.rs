//! What ends the sleep of another thread: a descriptor that becomes readable.

use crate::fd::Fd;
use crate::interest::Interest;
use crate::sys::mode::{Identity, identity};
use crate::sys::own::{self, above_standard};
use crate::sys::poll::{flags, poll};
use crate::sys::{event_descriptor, pair};
use crate::time::timeout_ms;
use libc::pollfd;
use nix::errno::Errno;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Numbers of its own, and no owned descriptors: the program may close them and have the numbers for itself. Whoever uses
/// them has confirmed them before.
#[derive(Debug)]
pub(crate) struct Waker {
    read: Fd,
    /// The same number for an eventfd.
    write: Fd,
    /// Threads in [`Waker::wait`].
    followers: AtomicU32,
}

impl Waker {
    /// An eventfd, or a pipe where a sandbox refuses that.
    pub(super) fn open() -> Result<Waker, Errno> {
        match event_descriptor() {
            Ok(e) => {
                let e = into_number(above_standard(e)?);
                Ok(Waker { read: e, write: e, followers: AtomicU32::new(0) })
            }
            Err(e @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM)) => Err(e),
            Err(_) => Waker::open_pipe().map(|(waker, _)| waker),
        }
    }

    /// A pipe, which can be told from every other file.
    pub(super) fn open_pipe() -> Result<(Waker, Identity), Errno> {
        let [read, write] = pair::pipe_that_never_waits()?;
        let (read, write) = (above_standard(read)?, above_standard(write)?);
        let waker =
            Waker { read: into_number(read), write: into_number(write), followers: AtomicU32::new(0) };
        match identity(waker.read) {
            Ok(file) => Ok((waker, file)),
            // Without it nothing could ever be confirmed.
            Err(_) => {
                waker.close();
                Err(Errno::ENOMEM)
            }
        }
    }

    /// Whether both ends are still those of this pipe.
    pub(super) fn is_pipe(&self, file: Identity) -> bool {
        identity(self.read) == Ok(file) && identity(self.write) == Ok(file)
    }

    /// The descriptor that is readable between [`Waker::wake`] and [`Waker::drain`].
    pub(super) fn fd(&self) -> Fd {
        self.read
    }

    pub(super) fn has_number(&self, fd: Fd) -> bool {
        fd == self.read || fd == self.write
    }

    pub(super) fn wake(&self) {
        own::write(self.write, &1u64.to_ne_bytes());
    }

    pub(super) fn drain(&self) {
        own::read(self.read, &mut [0; 512]);
    }

    /// One more thread is about to call [`Waker::wait`], or one less.
    pub(super) fn count_follower(&self, begins: bool) {
        self.followers.fetch_add(if begins { 1 } else { u32::MAX }, Ordering::Relaxed);
    }

    /// Sleeps until it is woken, and leaves it so for the others.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<(), Errno> {
        let mut one = [pollfd { fd: self.read.raw(), events: flags(Interest::READ) as i16, revents: 0 }];
        poll(&mut one, timeout_ms(timeout)).map(drop)
    }

    pub(super) fn has_followers(&self) -> bool {
        self.followers.load(Ordering::Relaxed) > 0
    }

    pub(super) fn close(&self) {
        own::close(self.read);
        if self.write != self.read {
            own::close(self.write);
        }
    }
}

fn into_number(fd: OwnedFd) -> Fd {
    Fd::unchecked(fd.into_raw_fd().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(w: &Waker) -> bool {
        let mut one = [pollfd { fd: w.fd().raw(), events: libc::POLLIN, revents: 0 }];
        poll(&mut one, 0) == Ok(1)
    }

    #[test]
    fn an_eventfd_and_a_pipe_are_readable_from_wake_to_drain() {
        for w in [Waker::open().unwrap(), Waker::open_pipe().unwrap().0] {
            assert!(!is_readable(&w));
            w.wake();
            w.wake();
            assert!(is_readable(&w));
            assert_eq!(w.wait(None), Ok(()), "who waits beside does not take the event");
            assert!(is_readable(&w));
            w.drain();
            assert!(!is_readable(&w) && !w.has_followers());
            w.close();
        }
    }

    #[test]
    fn another_pipe_under_the_number_is_noticed() {
        let (w, file) = Waker::open_pipe().unwrap();
        assert!(w.is_pipe(file));
        let [read, _write] = pair::pipe().unwrap();
        let number = into_number(read);
        let other = Waker { read: number, write: w.write, followers: AtomicU32::new(0) };
        assert!(!other.is_pipe(file));
        w.close();
        own::close(number);
    }
}
