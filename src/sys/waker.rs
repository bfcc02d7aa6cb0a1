//! A waker: ends the sleep of another thread by a descriptor that becomes readable.

use super::mode::{Identity, identity};
use super::own::{self, above_standard};
use super::pair;
use super::poll::{flags, poll};
use crate::fd::Fd;
use crate::interest::Interest;
use crate::time::Span;
use libc::pollfd;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// It holds numbers and not owned descriptors, because the program may close them and get the numbers for its own files. The
/// callers check before they use them.
#[derive(Debug)]
pub(crate) struct Waker {
    read: Fd,
    /// The number to write to; for an eventfd the same as the other.
    write: Fd,
    /// Which pipe it is; `None` for an eventfd, all of which share one inode.
    pipe: Option<Identity>,
    /// How many threads are in [`Waker::wait`].
    followers: AtomicU32,
}

impl Waker {
    /// Opens an eventfd, or a pipe if a sandbox refuses that.
    #[cfg(not(owfat_portable))]
    pub(crate) fn open() -> Result<Waker, Errno> {
        match super::event_descriptor() {
            Ok(e) => {
                let e = into_number(above_standard(e)?);
                Ok(Waker { read: e, write: e, pipe: None, followers: AtomicU32::new(0) })
            }
            Err(e @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM)) => Err(e),
            Err(_) => Waker::open_pipe(),
        }
    }

    pub(crate) fn open_pipe() -> Result<Waker, Errno> {
        let [read, write] = pair::pipe_that_never_waits()?;
        let (read, write) = (above_standard(read)?, above_standard(write)?);
        // Without the identity the pipe could not be checked later.
        let file = identity(Fd::unchecked(read.as_raw_fd().into()))?;
        Ok(Waker::of_pipe(into_number(read), into_number(write), file))
    }

    /// A waker for a pipe that [`Waker::open_pipe`] has opened.
    pub(crate) fn of_pipe(read: Fd, write: Fd, file: Identity) -> Waker {
        Waker { read, write, pipe: Some(file), followers: AtomicU32::new(0) }
    }

    /// Which pipe it is, and its write end.
    pub(crate) fn pipe(&self) -> (Fd, Identity) {
        (self.write, self.pipe.unwrap_or(Identity::NONE))
    }

    /// Whether both ends are still those of its pipe.
    pub(crate) fn is_pipe(&self) -> bool {
        self.confirm() == Ok(())
    }

    /// `EBADF` if an end is not that of its pipe any more.
    pub(crate) fn confirm(&self) -> Result<(), Errno> {
        self.confirm_end(self.read).and_then(|()| self.confirm_end(self.write))
    }

    fn confirm_end(&self, end: Fd) -> Result<(), Errno> {
        if Some(identity(end)?) == self.pipe { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// The descriptor that is readable between [`Waker::wake`] and [`Waker::drain`].
    pub(crate) fn fd(&self) -> Fd {
        self.read
    }

    pub(crate) fn has_number(&self, fd: Fd) -> bool {
        fd == self.read || fd == self.write
    }

    pub(crate) fn wake(&self) {
        own::write(self.write, &1u64.to_ne_bytes());
    }

    pub(crate) fn drain(&self) {
        own::read(self.read, &mut [0; 512]);
    }

    /// One more thread is about to call [`Waker::wait`], or one less.
    pub(crate) fn count_follower(&self, begins: bool) {
        self.followers.fetch_add(if begins { 1 } else { u32::MAX }, Ordering::Relaxed);
    }

    /// Sleeps until the waker is woken. It stays so, for the other threads.
    pub(crate) fn wait(&self, timeout: Span) -> Result<(), Errno> {
        let mut one = [pollfd { fd: self.read.raw(), events: flags(Interest::READ) as i16, revents: 0 }];
        poll(&mut one, timeout.to_ms()).map(drop)
    }

    pub(crate) fn has_followers(&self) -> bool {
        self.followers.load(Ordering::Relaxed) > 0
    }

    /// Closes an eventfd, which the caller has checked, or those ends of a pipe that are still its own.
    pub(crate) fn close(&self) {
        if self.pipe.is_none() {
            return own::close(self.read);
        }
        [self.read, self.write].into_iter().filter(|&end| self.confirm_end(end).is_ok()).for_each(own::close);
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

    fn is_readable_from_wake_to_drain(w: Waker) {
        assert!(!is_readable(&w));
        w.wake();
        w.wake();
        assert!(is_readable(&w));
        assert_eq!(w.wait(Span::FOREVER), Ok(()), "who waits beside does not take the event");
        assert!(is_readable(&w));
        w.drain();
        assert!(!is_readable(&w) && !w.has_followers());
        w.close();
    }

    #[test]
    fn a_pipe_is_readable_from_wake_to_drain() {
        is_readable_from_wake_to_drain(Waker::open_pipe().unwrap());
    }

    #[cfg(not(owfat_portable))]
    #[test]
    fn an_eventfd_is_readable_from_wake_to_drain() {
        is_readable_from_wake_to_drain(Waker::open().unwrap());
    }

    #[test]
    fn another_pipe_under_the_number_is_noticed_and_left_open() {
        let w = Waker::open_pipe().unwrap();
        assert!(w.is_pipe());
        let [read, _write] = pair::pipe().unwrap();
        let other = Waker::of_pipe(into_number(read), w.write, w.pipe.unwrap());
        assert!(!other.is_pipe());
        other.close();
        assert!(
            identity(other.read).is_ok() && w.confirm_end(w.read).is_ok() && w.confirm_end(w.write).is_err()
        );
        w.close();
        own::close(other.read);
    }
}
