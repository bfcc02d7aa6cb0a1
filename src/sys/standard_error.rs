//! Writes to standard error the few lines that somebody has to see.
//!
//! Descriptor 2 is the program's. A daemon may have closed it, and a client or a data file may have the number. So it is
//! written to only if it was open when the library was loaded, is still the same file, and is no socket. The write must
//! neither wait nor kill the program.

use super::logfile::size_limit;
use super::message::write_bytes;
use super::mode::{Identity, own_status};
use super::once::Once;
use super::poll::poll;
use super::wide;
use crate::fd::Fd;
use libc::{POLLOUT, STDERR_FILENO, pollfd};

/// Which file it was when the library was loaded.
static FILE: Once<Identity> = Once::new();

fn status() -> Option<wide::stat> {
    own_status(Fd::unchecked(STDERR_FILENO.into())).ok()
}

/// Called when the library is loaded.
pub(crate) fn begin() {
    if let Some(st) = status() {
        // Fails only the second time.
        let _ = FILE.set(Identity::of(&st));
    }
}

/// Writes a line, if that is allowed.
pub(crate) fn say(line: &[u8]) {
    let Some(st) = status() else { return };
    let is_the_same = FILE.get() == Some(&Identity::of(&st));
    let may = match st.st_mode & libc::S_IFMT {
        // A write beyond the limit of file sizes would kill the process (SIGXFSZ).
        libc::S_IFREG => {
            u64::try_from(st.st_size).is_ok_and(|size| size.saturating_add(line.len() as u64) <= size_limit())
        }
        // A full pipe would make the program wait, and a pipe without a reader would kill it (SIGPIPE).
        libc::S_IFIFO | libc::S_IFCHR => takes_more(),
        _ => false,
    };
    if is_the_same && may {
        // If the write fails, the line is lost.
        let _ = write_bytes(Fd::unchecked(STDERR_FILENO.into()), line);
    }
}

fn takes_more() -> bool {
    let mut asked = [pollfd { fd: STDERR_FILENO, events: POLLOUT, revents: 0 }];
    poll(&mut asked, 0) == Ok(1) && asked.iter().all(|a| a.revents == POLLOUT)
}
