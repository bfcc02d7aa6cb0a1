//! Keeps SIGPIPE from killing the process, and from being left pending.

use crate::sys::signal;
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};

/// Not a `Once`: if a thread forks while another one is inside, the child would wait for ever.
static ARRANGED: AtomicBool = AtomicBool::new(false);

/// Makes a call that may raise SIGPIPE and cannot be told not to (`write`, `sendfile`). If the program blocks the signal and
/// the call leaves one pending, takes it away. One that was pending before stays.
#[inline]
pub(crate) fn quietly(call: impl FnOnce() -> Result<usize, Errno>) -> Result<usize, Errno> {
    arrange();
    let was_pending = signal::is_pending(libc::SIGPIPE);
    let moved = call();
    if moved == Err(Errno::EPIPE) && !was_pending {
        signal::take_pending(libc::SIGPIPE);
    }
    moved
}

/// Replaces the default action of SIGPIPE by an empty handler, once in a process. A handler of the program, and "ignore",
/// are not replaced. A program that sets the default again later wants to be killed.
#[inline]
pub(crate) fn arrange() {
    if !ARRANGED.load(Ordering::Acquire) {
        arrange_now();
    }
}

#[cold]
fn arrange_now() {
    // Two threads may both come here, which does no harm. SIGPIPE is a valid signal, so the kernel has no
    // reason to refuse; if a sandbox does, the program keeps the disposition that it had.
    let _ = signal::handle_if_default(libc::SIGPIPE);
    ARRANGED.store(true, Ordering::Release);
}
