//! Which backend this process uses.

#[cfg(target_os = "linux")]
use super::uring::Uring;
use super::{AnyBackend, Backend, Native, Opened, poll::Poll};
use crate::fd::Fd;
use crate::sys::message::write_bytes;
use crate::sys::shared::Shared;
use crate::sys::{env, label};
use nix::errno::Errno;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

const VARIABLE: &CStr = c"OWFAT_IO_BACKEND";

#[cfg(target_os = "linux")]
mod texts {
    pub(super) const NATIVE: &[u8] = b"epoll";
    pub(super) const NO_SUCH: &[u8] =
        b"libowfat_io: OWFAT_IO_BACKEND names no backend (epoll, io_uring, poll); using epoll\n";
    pub(super) const NO_RING: &[u8] = b"libowfat_io: this system refuses io_uring; using epoll\n";
}
#[cfg(not(target_os = "linux"))]
mod texts {
    pub(super) const NATIVE: &[u8] = b"kqueue";
    pub(super) const NO_SUCH: &[u8] =
        b"libowfat_io: OWFAT_IO_BACKEND names no backend (kqueue, poll); using kqueue\n";
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    /// epoll or kqueue.
    Native,
    #[cfg(target_os = "linux")]
    Uring,
    Poll,
    Unknown,
}

fn choice(value: Option<&[u8]>) -> Choice {
    match value {
        None | Some(b"") => Choice::Native,
        Some(texts::NATIVE) => Choice::Native,
        #[cfg(target_os = "linux")]
        Some(b"io_uring") => Choice::Uring,
        Some(b"poll") => Choice::Poll,
        Some(_) => Choice::Unknown,
    }
}

/// Opens the backend that the environment names, epoll or kqueue by default. Where a sandbox or an old kernel refuses
/// io_uring, epoll stands in, and `poll(2)` for either; a lack of descriptors is the caller's to report.
pub(crate) fn open() -> Result<Opened, Errno> {
    open_best().inspect(|opened| label::set_backend(opened.name()))
}

fn open_best() -> Result<Opened, Errno> {
    match env::with_secure(VARIABLE, choice) {
        Choice::Poll => return Shared::new(AnyBackend::Poll(Poll::open()?)),
        #[cfg(target_os = "linux")]
        Choice::Uring => match Uring::open() {
            Ok(u) => return Shared::new(AnyBackend::Uring(u)),
            Err(e @ (Errno::EMFILE | Errno::ENFILE)) => return Err(e),
            // Sandboxes refuse it in many ways, and old kernels count rings against RLIMIT_MEMLOCK.
            Err(_) => complain_once(texts::NO_RING),
        },
        Choice::Unknown => complain_once(texts::NO_SUCH),
        Choice::Native => {}
    }
    match Native::open() {
        Ok(b) => Shared::new(AnyBackend::Native(b)),
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => Shared::new(AnyBackend::Poll(Poll::open()?)),
        Err(e) => Err(e),
    }
}

/// A backend by its name.
#[cfg(test)]
pub(crate) fn open_named(name: &str) -> Result<Opened, Errno> {
    match choice(Some(name.as_bytes())) {
        Choice::Native => Shared::new(AnyBackend::Native(Native::open()?)),
        #[cfg(target_os = "linux")]
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
        assert_eq!(choice(None), Choice::Native);
        assert_eq!(choice(Some(b"")), Choice::Native);
        assert_eq!(choice(Some(b"epoll")), Choice::Native);
        assert_eq!(choice(Some(b"io_uring")), Choice::Uring);
        assert_eq!(choice(Some(b"poll")), Choice::Poll);
        assert_eq!(choice(Some(b"Poll")), Choice::Unknown);
    }
}
