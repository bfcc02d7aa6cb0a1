//! Which backend this process uses.

use super::{AnyBackend, Backend, Opened, epoll::Epoll, poll::Poll, uring::Uring};
use crate::fd::Fd;
use crate::sys::message::write_bytes;
use crate::sys::shared::Shared;
use crate::sys::{env, label};
use nix::errno::Errno;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

const VARIABLE: &CStr = c"OWFAT_IO_BACKEND";

const NO_SUCH: &[u8] =
    b"libowfat_io: OWFAT_IO_BACKEND names no backend (epoll, io_uring, poll); using epoll\n";
const NO_RING: &[u8] = b"libowfat_io: this system refuses io_uring; using epoll\n";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    Epoll,
    Uring,
    Poll,
    Unknown,
}

fn choice(value: Option<&[u8]>) -> Choice {
    match value {
        None | Some(b"" | b"epoll") => Choice::Epoll,
        Some(b"io_uring") => Choice::Uring,
        Some(b"poll") => Choice::Poll,
        Some(_) => Choice::Unknown,
    }
}

/// Opens the backend that the environment names, epoll by default. Where a sandbox or an old kernel refuses
/// io_uring, epoll stands in, and `poll(2)` for that; a lack of descriptors is the caller's to report.
pub(crate) fn open() -> Result<Opened, Errno> {
    open_best().inspect(|opened| label::set_backend(opened.name()))
}

fn open_best() -> Result<Opened, Errno> {
    match env::with_secure(VARIABLE, choice) {
        Choice::Poll => return Shared::new(AnyBackend::Poll(Poll::open()?)),
        Choice::Uring => match Uring::open() {
            Ok(u) => return Shared::new(AnyBackend::Uring(u)),
            Err(e @ (Errno::EMFILE | Errno::ENFILE)) => return Err(e),
            // Sandboxes refuse it in many ways, and old kernels count rings against RLIMIT_MEMLOCK.
            Err(_) => complain_once(NO_RING),
        },
        Choice::Unknown => complain_once(NO_SUCH),
        Choice::Epoll => {}
    }
    match Epoll::open() {
        Ok(e) => Shared::new(AnyBackend::Epoll(e)),
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => Shared::new(AnyBackend::Poll(Poll::open()?)),
        Err(e) => Err(e),
    }
}

/// A backend by its name.
#[cfg(test)]
pub(crate) fn open_named(name: &str) -> Result<Opened, Errno> {
    match choice(Some(name.as_bytes())) {
        Choice::Epoll => Shared::new(AnyBackend::Epoll(Epoll::open()?)),
        Choice::Uring => Shared::new(AnyBackend::Uring(Uring::open()?)),
        Choice::Poll => Shared::new(AnyBackend::Poll(Poll::open()?)),
        Choice::Unknown => Err(Errno::EINVAL),
    }
}

/// A process opens backends more than once.
fn complain_once(text: &[u8]) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        // The line is a courtesy: a standard error that cannot take it changes nothing.
        let _ = Fd::new(libc::STDERR_FILENO.into()).and_then(|fd| write_bytes(fd, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(choice(None), Choice::Epoll);
        assert_eq!(choice(Some(b"")), Choice::Epoll);
        assert_eq!(choice(Some(b"epoll")), Choice::Epoll);
        assert_eq!(choice(Some(b"io_uring")), Choice::Uring);
        assert_eq!(choice(Some(b"poll")), Choice::Poll);
        assert_eq!(choice(Some(b"Poll")), Choice::Unknown);
    }
}
