//! Being told of forks.

use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};

/// Arranges for the three functions to run around every fork of the process: `before` and `parent` in the
/// forking process, `child` in the new one. `arranged` says whether that has been done; if threads do it at once they
/// may run twice.
pub(crate) fn at_fork(
    arranged: &AtomicBool,
    before: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> Result<(), Errno> {
    if arranged.load(Ordering::Acquire) {
        return Ok(());
    }
    // SAFETY: the functions are plain code of this library, which is never unloaded (-z nodelete).
    match unsafe { libc::pthread_atfork(Some(before), Some(parent), Some(child)) } {
        0 => {
            // Not before: a fork by another thread must not find a lock held that nobody watches over.
            arranged.store(true, Ordering::Release);
            Ok(())
        }
        e => Err(Errno::from_raw(e)),
    }
}
