//! No panic leaves the library, and no thread is cancelled inside it.
//!
//! In a release there is no panic to be caught (`c-tests/layout/panics.sh`), and the optimiser takes most of this away.
//! It is for all other builds, whose compiler proves less.

use crate::sys::A_BUG;
use crate::sys::thread::Uncancelled;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`, which makes system calls. A panic in it is a bug of ours; the caller, who never asked for a Rust library, gets
/// `on_panic` with errno [`A_BUG`] instead of a dead process.
pub(crate) fn guard<R>(on_panic: R, f: impl FnOnce() -> R) -> R {
    let _uncancelled = Uncancelled::begin();
    caught(on_panic, f)
}

/// [`guard`] for an `f` that makes no system call of the C library and so cannot be cancelled.
#[inline(always)]
pub(crate) fn guard_state<R>(on_panic: R, f: impl FnOnce() -> R) -> R {
    caught(on_panic, f)
}

/// Runs `f`, out of which a thread may be cancelled: nothing is caught, because only what is ours may be. Where the
/// compiler has not proved that there is no panic, one ends the process here and does not reach the caller.
#[inline(always)]
pub(crate) fn cancellable<R>(f: impl FnOnce() -> R) -> R {
    let bomb = OnPanic;
    let r = f();
    std::mem::forget(bomb);
    r
}

struct OnPanic;

#[cfg(debug_assertions)]
impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

#[inline(always)]
fn caught<R>(on_panic: R, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| {
        A_BUG.0.set();
        on_panic
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn a_panic_becomes_an_error_code() {
        assert_eq!(guard(-3, || -> i64 { panic!("on purpose") }), -3);
        assert_eq!(Errno::last(), Errno::ENOTRECOVERABLE);
        assert_eq!(guard(-3, || 7), 7);
    }
}
