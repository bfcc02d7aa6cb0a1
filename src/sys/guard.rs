//! Guards: no panic leaves the library, and exceptions of the program pass through it.
//!
//! A release build has no panic (`c-tests/layout/panics.sh`), and the optimiser removes most of the guards. They are for
//! builds whose compiler proves less.
//!
//! No guard is active while a function of the program runs (a filter, a clean-up function) or in a cancellation point. The
//! function may leave by an exception, `pthread_exit` or `longjmp`, and a cancelled thread unwinds. `catch_unwind` would
//! stop an exception, and a jump skips destructors. So a function that calls back guards only the code between the calls,
//! and has nothing to drop while a callback runs.

use super::A_BUG;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`, which makes no system call that is a cancellation point and calls no function of the program. If it panics,
/// which is a bug of this library, returns `on_panic` with errno [`A_BUG`].
#[inline]
pub(crate) fn guard_state<R>(on_panic: R, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| {
        A_BUG.0.set();
        on_panic
    })
}

/// Runs `f`, in which the thread may be cancelled. Nothing is caught, because the unwinding of a cancelled thread must
/// pass. A panic, in a build that is not proved to have none, ends the process here.
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
