//! Owns a descriptor of the library's own.
//!
//! A program may close all descriptors, as daemons do, and get our numbers for its own files. So [`Owned`] keeps the device
//! and inode of the file that was opened, and compares them before each close, read and write. If they differ, the number is
//! the program's and is left alone; the caller opens another descriptor or does without.
//!
//! Another thread can still close and open between the check and the call, because no system call does both.
//!
//! # Anonymous inodes
//!
//! All epoll sets and all eventfds share one inode. So device and inode tell them from sockets, pipes and files, but not
//! from others of their kind. The epoll backend has a check of its own for that.
//!
//! The calls are not counted, because they are not made for the program.

use super::mode::{Identity, own_status};
use super::own::above_standard;
use super::wide;
use crate::fd::Fd;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

/// A descriptor of the library. A drop closes it, if it is still the library's.
#[derive(Debug)]
pub(crate) struct Owned {
    fd: Fd,
    file: Identity,
}

impl Owned {
    /// Takes over a descriptor that was just opened close-on-exec, and moves it above standard error. If that fails, closes
    /// it.
    pub(crate) fn new(opened: OwnedFd) -> Result<Owned, Errno> {
        let opened = above_standard(opened)?;
        let fd = Fd::new(opened.as_raw_fd().into())?;
        let st = own_status(fd)?;
        // From here on our own `drop` closes it, after a check.
        let _ = opened.into_raw_fd();
        Ok(Owned { fd, file: Identity::of(&st) })
    }

    /// The number, without a check.
    #[cfg(test)]
    pub(crate) fn number(&self) -> Fd {
        self.fd
    }

    /// fstat(2) of the file; `EBADF` if the number is not ours any more.
    pub(crate) fn status(&self) -> Result<wide::stat, Errno> {
        let st = own_status(self.fd)?;
        if Identity::of(&st) == self.file { Ok(st) } else { Err(Errno::EBADF) }
    }

    /// The number, checked for the next call; `EBADF` if it is not ours any more.
    pub(crate) fn confirmed(&self) -> Result<Fd, Errno> {
        self.status().map(|_| self.fd)
    }

    /// write(2), once.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let fd = self.confirmed()?;
        // SAFETY: the bytes live through the call.
        let n = unsafe { libc::write(fd.raw(), bytes.as_ptr().cast(), bytes.len()) };
        Errno::result(n).map(|n| n as usize)
    }

    /// read(2), once.
    #[cfg(test)]
    pub(crate) fn read(&self, place: &mut [u8]) -> Result<usize, Errno> {
        let fd = self.confirmed()?;
        // SAFETY: room for as many bytes as are said, which lives through the call.
        let n = unsafe { libc::read(fd.raw(), place.as_mut_ptr().cast(), place.len()) };
        Errno::result(n).map(|n| n as usize)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Ok(fd) = self.confirmed() {
            // SAFETY: the kernel has just said that the number is ours. An error leaves nothing to be done.
            unsafe { libc::close(fd.raw()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pair::{pipe, stream_sockets};
    use std::os::fd::FromRawFd;

    /// A pipe, whose ends are both ours.
    fn ends() -> (Owned, Owned) {
        let [read, write] = pipe().unwrap();
        (Owned::new(read).unwrap(), Owned::new(write).unwrap())
    }

    /// The program closes the descriptor, and gets its number for one of its own.
    fn takes(owned: &Owned, mine: &OwnedFd) -> OwnedFd {
        let number = owned.number().raw();
        // SAFETY: no pointer is passed. The number is the program's from here on.
        unsafe {
            assert_eq!(libc::dup2(mine.as_raw_fd(), number), number);
            OwnedFd::from_raw_fd(number)
        }
    }

    fn is_open(number: i32) -> bool {
        own_status(Fd::unchecked(number.into())).is_ok()
    }

    #[test]
    fn what_is_ours_is_written_read_and_closed() {
        let (read, write) = ends();
        let mut place = [0; 8];
        assert_eq!(write.write(b"word"), Ok(4));
        assert_eq!(read.read(&mut place), Ok(4));
        assert_eq!(&place[..4], b"word");
        assert!(write.number().raw() > 2);
        drop(write);
        // The end of data shows that it was closed; its number may be another test's by now.
        assert_eq!(read.read(&mut place), Ok(0));
    }

    #[test]
    fn a_socket_under_our_number_is_never_written_read_or_closed() {
        let (read, write) = ends();
        let [mine, peer] = stream_sockets().unwrap();
        let (as_read, as_write) = (takes(&read, &mine), takes(&write, &mine));
        assert_eq!(nix::unistd::write(&peer, b"for the program"), Ok(15));
        assert_eq!(write.write(b"lost"), Err(Errno::EBADF));
        assert_eq!(read.read(&mut [0; 8]), Err(Errno::EBADF));
        assert_eq!(read.confirmed(), Err(Errno::EBADF));
        drop((read, write));
        assert!(is_open(as_read.as_raw_fd()) && is_open(as_write.as_raw_fd()));
        let mut place = [0; 32];
        assert_eq!(nix::unistd::read(&as_read, &mut place), Ok(15));
        drop((as_read, as_write, mine));
        // Nothing of ours came through.
        assert_eq!(nix::unistd::read(&peer, &mut place), Ok(0));
    }

    #[test]
    fn another_pipe_under_our_number_is_the_programs() {
        let (read, write) = ends();
        let [other, source] = pipe().unwrap();
        let mine = takes(&read, &other);
        assert_eq!(nix::unistd::write(&source, b"x"), Ok(1));
        assert_eq!(read.read(&mut [0; 8]), Err(Errno::EBADF));
        drop((read, write));
        assert_eq!(nix::unistd::read(&mine, &mut [0; 8]), Ok(1));
    }

    #[test]
    fn a_number_that_is_closed_is_not_ours() {
        let (read, write) = ends();
        let mine = takes(&write, &stream_sockets().unwrap()[0]);
        drop(mine);
        assert_eq!(write.status().map(|_| ()), Err(Errno::EBADF));
        assert_eq!(write.write(b"x"), Err(Errno::EBADF));
        drop((read, write));
    }
}
