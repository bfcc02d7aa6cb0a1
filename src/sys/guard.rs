//! No panic leaves the library; what is not its own passes through.
//!
//! In a release there is no panic to be caught (`c-tests/layout/panics.sh`), and the optimiser takes most of this away.
//! It is for all other builds, whose compiler proves less.
//!
//! No guard stands while a function of the program runs (a filter, a clean-up function), or in a cancellation point. Such a
//! function may leave by an exception, by `pthread_exit` or by `longjmp`, and so does a thread that is cancelled. An exception that is not ours must pass, and `catch_unwind` stops it;
//! and what a frame would have to put back, a jump skips. So a function that calls back guards the pieces between the
//! calls, and holds nothing in the frames below them that needs a drop.

use super::A_BUG;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`, which makes no system call that is a cancellation point, and calls no function of the program. A panic in it
/// is a bug of ours; the caller, who never asked for a Rust library, gets `on_panic` with errno [`A_BUG`] instead of a dead
/// process.
#[inline]
pub(crate) fn guard_state<R>(on_panic: R, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| {
        A_BUG.0.set();
        on_panic
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn a_panic_becomes_an_error_code() {
        assert_eq!(guard_state(-3, || -> i64 { panic!("on purpose") }), -3);
        assert_eq!(Errno::last(), Errno::ENOTRECOVERABLE);
        assert_eq!(guard_state(-3, || 7), 7);
    }
}
