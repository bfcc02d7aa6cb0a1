//! No panic leaves the library, and no thread is cancelled inside it.
//!
//! In a release there is no panic to be caught (`c-tests/layout/panics.sh`), and the optimiser takes most of this away.
//! It is for all other builds, whose compiler proves less.
//!
//! No guard stands while a function of the program runs (a filter, a clean-up function). Such a function may leave by an
//! exception, by `pthread_exit` or by `longjmp`. An exception that is not ours must pass, and `catch_unwind` stops it;
//! and what a frame would have to put back, a jump skips. So a function that calls back guards the pieces between the
//! calls, and holds nothing in the frames below them that needs a drop.

use super::A_BUG;
use super::thread::Uncancelled;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`, which makes system calls and calls no function of the program. A panic in it is a bug of ours; the caller, who
/// never asked for a Rust library, gets `on_panic` with errno [`A_BUG`] instead of a dead process.
#[inline]
pub(crate) fn guard<R>(on_panic: R, f: impl FnOnce() -> R) -> R {
    let _uncancelled = Uncancelled::begin();
    caught(on_panic, f)
}

/// [`guard`] for an `f` that makes no system call of the C library and so cannot be cancelled.
#[inline]
pub(crate) fn guard_state<R>(on_panic: R, f: impl FnOnce() -> R) -> R {
    caught(on_panic, f)
}

#[inline]
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
