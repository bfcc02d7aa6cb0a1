//! Which backend this process uses.

#[cfg(target_os = "linux")]
use super::uring::Uring;
use super::{AnyBackend, Backend, Native, Opened, poll::Poll};
use crate::sys::shared::Shared;
use crate::sys::{env, label};
use crate::text::Text;
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(target_os = "linux")]
mod texts {
    pub(super) const NATIVE: &[u8] = b"epoll";
    pub(super) const NO_SUCH: &str = "OWFAT_IO_BACKEND names no backend (epoll, io_uring, poll)";
    pub(super) const NO_RING: &str = "this system refuses io_uring";
}
#[cfg(not(target_os = "linux"))]
mod texts {
    pub(super) const NATIVE: &[u8] = b"kqueue";
    pub(super) const NO_SUCH: &str = "OWFAT_IO_BACKEND names no backend (kqueue, poll)";
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
    let complaint = match choice(Some(env::backend())) {
        Choice::Poll => return open_poll(),
        #[cfg(target_os = "linux")]
        Choice::Uring => match Uring::open() {
            Ok(u) => return Shared::new(AnyBackend::Uring(u)),
            Err(e @ (Errno::EMFILE | Errno::ENFILE)) => return Err(e),
            // Sandboxes refuse it in many ways, and old kernels count rings against RLIMIT_MEMLOCK.
            Err(_) => Some(texts::NO_RING),
        },
        Choice::Unknown => Some(texts::NO_SUCH),
        Choice::Native => None,
    };
    let opened = match Native::open() {
        Ok(b) => Shared::new(AnyBackend::Native(b)),
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => open_poll(),
        Err(e) => Err(e),
    }?;
    if let Some(complaint) = complaint {
        complain_once(complaint, opened.name());
    }
    Ok(opened)
}

fn open_poll() -> Result<Opened, Errno> {
    Shared::new(AnyBackend::Poll(Poll::open()?))
}

/// A backend by its name.
#[cfg(test)]
pub(crate) fn open_named(name: &str) -> Result<Opened, Errno> {
    match choice(Some(name.as_bytes())) {
        Choice::Native => Shared::new(AnyBackend::Native(Native::open()?)),
        #[cfg(target_os = "linux")]
        Choice::Uring => Shared::new(AnyBackend::Uring(Uring::open()?)),
        Choice::Poll => open_poll(),
        Choice::Unknown => Err(Errno::EINVAL),
    }
}

/// A process opens backends more than once.
fn complain_once(complaint: &str, used: &str) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        let mut text = Text::new();
        for part in ["libowfat_io: ", complaint, "; using ", used, "\n"] {
            text.add(part);
        }
        text.say();
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
