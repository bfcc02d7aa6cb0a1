//! Signal dispositions and pending signals.

use super::count::{Call, count};
use super::thread::Uncancelled;
use nix::errno::Errno;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;

extern "C" fn nothing(_: c_int) {}

/// Replaces the default action of a signal by an empty handler with `SA_RESTART`. Programs that the process executes do not
/// inherit a handler, as they would inherit "ignore".
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

/// Whether a signal is pending for this thread or the process. If so, this thread blocks it.
pub(crate) fn is_pending(signal: c_int) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    count(Call::Sigpending);
    // SAFETY: the call fills the set, which is read only if it has.
    unsafe { libc::sigpending(set.as_mut_ptr()) == 0 && libc::sigismember(set.as_ptr(), signal) == 1 }
}

/// Removes a signal that this thread has raised for itself, if it is pending.
pub(crate) fn take_pending(signal: c_int) {
    if !is_pending(signal) {
        return;
    }
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    let mut taken = 0;
    count(Call::Sigwait);
    let _uncancelled = Uncancelled::begin();
    // SAFETY: the set is filled before it is used, and everything lives through the calls. It is pending for this thread,
    // so that nobody waits.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::sigwait(set.as_ptr(), &mut taken);
    }
}
