//! Which backend this process uses.

use super::{AnyBackend, Backend, Opened, epoll::Epoll, poll::Poll};
use crate::sys::shared::Shared;
use crate::sys::{env, label};
use crate::text::Text;
use nix::errno::Errno;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

const VARIABLE: &CStr = c"OWFAT_IO_BACKEND";

const NO_SUCH: &str = "OWFAT_IO_BACKEND names no backend (epoll, poll)";

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

/// Opens the backend that the environment names, epoll by default. Where a sandbox or an old kernel refuses that,
/// `poll(2)` stands in; a lack of descriptors is the caller's to report.
pub(crate) fn open() -> Result<Opened, Errno> {
    open_best().inspect(|opened| label::set_backend(opened.name()))
}

fn open_best() -> Result<Opened, Errno> {
    let choice = env::with_secure(VARIABLE, choice);
    if choice == Choice::Poll {
        return open_poll();
    }
    let opened = match Epoll::open() {
        Ok(b) => Shared::new(AnyBackend::Epoll(b)),
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EACCES) => open_poll(),
        Err(e) => Err(e),
    }?;
    if choice == Choice::Unknown {
        complain_once(opened.name());
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
        Choice::Epoll => Shared::new(AnyBackend::Epoll(Epoll::open()?)),
        Choice::Poll => open_poll(),
        Choice::Unknown => Err(Errno::EINVAL),
    }
}

/// A process opens backends more than once.
fn complain_once(used: &str) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        let mut text = Text::new();
        for part in ["libowfat_io: ", NO_SUCH, "; using ", used, "\n"] {
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
        assert_eq!(choice(None), Choice::Epoll);
        assert_eq!(choice(Some(b"")), Choice::Epoll);
        assert_eq!(choice(Some(b"epoll")), Choice::Epoll);
        assert_eq!(choice(Some(b"io_uring")), Choice::Unknown);
        assert_eq!(choice(Some(b"poll")), Choice::Poll);
        assert_eq!(choice(Some(b"Poll")), Choice::Unknown);
    }
}
