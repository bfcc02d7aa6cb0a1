//! What `iom_abort` wakes the waiting threads with.
//!
//! One pipe serves every multiplexer of the process: nothing is ever written to it, so that its write end
//! is always writable. A multiplexer watches it for nothing until it is aborted, which therefore needs no
//! new descriptor and no memory; and as there is no function that ends a multiplexer, closing `ctx` has to
//! be enough, which a descriptor for each of them would forbid.

use crate::sys;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;
use nix::unistd::pipe2;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Inode number of the pipe in the upper half (the kernel numbers pipes with 32 bits, from 1), descriptor in
/// the lower one; 0 = no pipe yet. A lock would be unsafe to take in a child of `fork`.
static PIPE: AtomicU64 = AtomicU64::new(0);

/// The descriptor that is always writable and never readable. It stays open for good.
pub(super) fn descriptor() -> Result<RawFd, Errno> {
    loop {
        let known = PIPE.load(Ordering::Acquire);
        let fd = known as u32 as RawFd;
        // A program that closes "all" descriptors closes this one too, and its number goes to another file.
        if known != 0 && identity(fd) == Ok(known) {
            return Ok(fd);
        }
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        let fresh = identity(write.as_raw_fd())?;
        if PIPE.compare_exchange(known, fresh, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            // Without a reader the pipe would report an error instead of "writable": never closed.
            let _ = read.into_raw_fd();
            return Ok(write.into_raw_fd());
        }
    }
}

fn identity(fd: RawFd) -> Result<u64, Errno> {
    let stat = sys::mux::stat(fd)?;
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFIFO {
        return Err(Errno::EBADF);
    }
    Ok(stat.st_ino << 32 | u64::from(fd as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::{AsFd, BorrowedFd};

    #[test]
    fn one_pipe_serves_all_and_is_writable() {
        let fd = descriptor().unwrap();
        assert_eq!(descriptor(), Ok(fd));
        // SAFETY: `descriptor` never closes it, nor does this test program.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let mut polled = [PollFd::new(fd, PollFlags::POLLIN | PollFlags::POLLOUT)];
        assert_eq!(poll(&mut polled, PollTimeout::ZERO), Ok(1));
        assert_eq!(polled[0].revents(), Some(PollFlags::POLLOUT));
    }

    #[test]
    fn only_the_same_pipe_under_the_same_number_is_recognised() {
        let (a, b) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let first = identity(a.as_raw_fd()).unwrap();
        assert_ne!(identity(b.as_raw_fd()), Ok(first));
        let (c, _d) = pipe2(OFlag::O_CLOEXEC).unwrap();
        assert_ne!(identity(c.as_raw_fd()).unwrap() >> 32, first >> 32);
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(identity(file.as_fd().as_raw_fd()), Err(Errno::EBADF));
        assert_eq!(identity(-1), Err(Errno::EBADF));
    }
}
