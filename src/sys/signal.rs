//! Signal dispositions.

use super::count::{Call, count};
use nix::errno::Errno;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;

extern "C" fn nothing(_: c_int) {}

/// Gives a signal whose disposition is the default one an empty handler, with `SA_RESTART`. Unlike "ignore", a handler
/// is not inherited by the programs that the process executes.
pub(crate) fn handle_if_default(signal: c_int) -> Result<(), Errno> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    count(Call::Sigaction);
    // SAFETY: asks only; the result lives through the call.
    Errno::result(unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) })?;
    // SAFETY: the call succeeded and filled it.
    let mut action = unsafe { action.assume_init() };
    if action.sa_sigaction != libc::SIG_DFL {
        return Ok(());
    }
    action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
    action.sa_flags = libc::SA_RESTART;
    count(Call::Sigaction);
    // SAFETY: a valid action whose handler does nothing and is never unmapped (the library is linked with
    // nodelete).
    Errno::result(unsafe { libc::sigaction(signal, &action, ptr::null_mut()) }).map(drop)
}
