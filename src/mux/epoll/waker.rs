//! The descriptor with which `iom_abort` wakes the waiting threads: the write end of a pipe.
//!
//! Nothing is ever written to the pipe, so it is always writable. A multiplexer adds it with no event and arms it when it
//! is aborted. So an abort needs neither memory nor a new descriptor. One pipe serves all multiplexers of the process: no
//! function ends a multiplexer, so closing `ctx` must not leave another descriptor open.

use crate::fd::Fd;
use crate::sys::mode::status;
use crate::sys::own::above_standard;
use crate::sys::pair::pipe;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// The inode of the pipe in the upper half (the kernel numbers pipes with 32 bits, from 1), its descriptor in the lower
/// half; 0 if there is no pipe yet. It is an atomic because a child of `fork` could not take a lock.
static PIPE: AtomicU64 = AtomicU64::new(0);

/// The descriptor, which is always writable and stays open.
pub(super) fn descriptor() -> Result<Fd, Errno> {
    kept_in(&PIPE)
}

fn kept_in(pipe_of_all: &AtomicU64) -> Result<Fd, Errno> {
    loop {
        let known = pipe_of_all.load(Ordering::Acquire);
        let fd = Fd::from_index(known as u32);
        // The program may have closed it, with all other descriptors, and its number may be another file's.
        if known != 0 && identity(fd) == Ok(known) {
            return Ok(fd);
        }
        let [read, write] = pipe()?;
        let (read, write) = (above_standard(read)?, above_standard(write)?);
        let fresh = identity(number(&write))?;
        if pipe_of_all.compare_exchange(known, fresh, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            // The read end stays open. Without it the pipe would report an error instead of "writable".
            let _ = read.into_raw_fd();
            return Ok(Fd::from_index(write.into_raw_fd() as u32));
        }
    }
}

fn identity(fd: Fd) -> Result<u64, Errno> {
    let stat = status(fd)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFIFO {
        return Err(Errno::EBADF);
    }
    Ok(stat.st_ino << 32 | fd.index() as u64)
}

fn number(end: &OwnedFd) -> Fd {
    Fd::from_index(end.as_raw_fd() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::BorrowedFd;

    #[test]
    fn one_pipe_serves_all_and_is_writable() {
        let fd = descriptor().unwrap();
        assert_eq!(descriptor(), Ok(fd));
        // SAFETY: `descriptor` never closes it, nor does this test program.
        let fd = unsafe { BorrowedFd::borrow_raw(fd.raw()) };
        let mut polled = [PollFd::new(fd, PollFlags::POLLIN | PollFlags::POLLOUT)];
        assert_eq!(poll(&mut polled, PollTimeout::ZERO), Ok(1));
        assert_eq!(polled[0].revents(), Some(PollFlags::POLLOUT));
    }

    #[test]
    fn a_pipe_whose_number_is_another_files_now_is_replaced() {
        let kept = AtomicU64::new(0);
        let first = kept_in(&kept).unwrap();
        let [other, _end] = pipe().unwrap();
        kept.store(
            (kept.load(Ordering::Relaxed) >> 32) << 32 | number(&other).index() as u64,
            Ordering::Relaxed,
        );
        let second = kept_in(&kept).unwrap();
        assert_ne!(second, first);
        assert_eq!(kept_in(&kept), Ok(second));
        assert_ne!(second, number(&other));
    }

    #[test]
    fn only_the_same_pipe_under_the_same_number_is_recognised() {
        let [a, b] = pipe().unwrap();
        let first = identity(number(&a)).unwrap();
        assert_ne!(identity(number(&b)), Ok(first));
        let [c, _d] = pipe().unwrap();
        assert_ne!(identity(number(&c)).unwrap() >> 32, first >> 32);
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(identity(number(&file.into())), Err(Errno::EBADF));
    }
}
