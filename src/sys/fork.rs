//! Fork handlers.

use nix::errno::Errno;

/// Has `parent` run in this process after every fork, and `child` in the new one. Called when the library is loaded, so
/// that they run before those of the program.
pub(crate) fn at_fork(parent: extern "C" fn(), child: extern "C" fn()) -> Result<(), Errno> {
    // SAFETY: the functions are plain code of this library, which is never unloaded (-z nodelete).
    match unsafe { libc::pthread_atfork(None, Some(parent), Some(child)) } {
        0 => Ok(()),
        e => Err(Errno::from_raw(e)),
    }
}
