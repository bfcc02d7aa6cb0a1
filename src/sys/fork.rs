//! Being told of forks.

use nix::errno::Errno;

/// Arranges for the three functions to run around every fork of the process: `before` and `parent` in the
/// forking process, `child` in the new one.
pub(crate) fn at_fork(
    before: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> Result<(), Errno> {
    // SAFETY: the functions are plain code of this library, which is never unloaded (-z nodelete).
    match unsafe { libc::pthread_atfork(Some(before), Some(parent), Some(child)) } {
        0 => Ok(()),
        e => Err(Errno::from_raw(e)),
    }
}
