//! Which backend this process uses.

use super::{Backend, epoll::Epoll, poll::Poll};
use crate::sys::env;
use nix::errno::Errno;
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const VARIABLE: &CStr = c"OWFAT_IO_BACKEND";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    Epoll,
    Poll,
    Unknown,
}

fn choice(value: Option<&[u8]>) -> Choice {
    match value {
        None | Some(b"" | b"epoll") => Choice::Epoll,
        Some(b"poll") => Choice::Poll,
        Some(_) => Choice::Unknown,
    }
}

/// Opens the backend that the environment names, epoll by default. Where a sandbox refuses epoll, `poll(2)`
/// stands in; a lack of descriptors or memory is the caller's to report.
pub(crate) fn open() -> Result<Arc<dyn Backend>, Errno> {
    let choice = env::with_secure(VARIABLE, choice);
    if choice == Choice::Unknown {
        complain_once();
    }
    if choice == Choice::Poll {
        return Ok(Arc::new(Poll::open()?));
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
        Choice::Poll => Ok(Arc::new(Poll::open()?)),
        Choice::Unknown => Err(Errno::EINVAL),
    }
}

fn complain_once() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        let text = b"libowfat_io: OWFAT_IO_BACKEND names no backend (epoll, poll); using epoll\n";
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
        assert_eq!(choice(Some(b"poll")), Choice::Poll);
        assert_eq!(choice(Some(b"Poll")), Choice::Unknown);
    }
}
