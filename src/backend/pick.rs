//! Which backend this process uses.

use super::{Backend, epoll::Epoll, poll::Poll, uring::Uring};
use crate::sys::env;
use nix::errno::Errno;
use std::ffi::CStr;
use std::sync::Arc;
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
pub(crate) fn open() -> Result<Arc<dyn Backend>, Errno> {
    match env::with_secure(VARIABLE, choice) {
        Choice::Poll => return Ok(Arc::new(Poll::open()?)),
        Choice::Uring => match Uring::open() {
            Ok(u) => return Ok(Arc::new(u)),
            Err(e @ (Errno::EMFILE | Errno::ENFILE)) => return Err(e),
            // Sandboxes refuse it in many ways, and old kernels count rings against RLIMIT_MEMLOCK.
            Err(_) => complain_once(NO_RING),
        },
        Choice::Unknown => complain_once(NO_SUCH),
        Choice::Epoll => {}
    }
    match Epoll::open() {
        Ok(e) => Ok(Arc::new(e)),
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => Ok(Arc::new(Poll::open()?)),
        Err(e) => Err(e),
    }
}

/// A backend by its name.
#[cfg(test)]
pub(crate) fn open_named(name: &str) -> Result<Arc<dyn Backend>, Errno> {
    match choice(Some(name.as_bytes())) {
        Choice::Epoll => Ok(Arc::new(Epoll::open()?)),
        Choice::Uring => Ok(Arc::new(Uring::open()?)),
        Choice::Poll => Ok(Arc::new(Poll::open()?)),
        Choice::Unknown => Err(Errno::EINVAL),
    }
}

/// A process opens backends more than once.
fn complain_once(text: &[u8]) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        // The line is a courtesy: a standard error that cannot take it changes nothing.
        let _ = nix::unistd::write(std::io::stderr(), text);
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
