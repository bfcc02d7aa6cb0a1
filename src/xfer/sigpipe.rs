//! Keeps a vanished reader from killing the process, and from leaving a signal behind.

use crate::sys::signal;
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};

/// Not a `Once`: a thread that forks while another one is inside would leave the child waiting for it.
static ARRANGED: AtomicBool = AtomicBool::new(false);

/// Makes a call that may raise SIGPIPE and cannot be told not to (`write`, `sendfile`). Where the program blocks the
/// signal, one that the call leaves pending is taken away; one that was pending before is the program's.
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

/// Looks at the disposition once per process: a program that later sets the default again wants to be killed, and a
/// handler or "ignore" of the program's own is never replaced.
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
