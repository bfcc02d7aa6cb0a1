//! libowfat's return conventions. errno is written last, so that nothing in between can overwrite it.

use crate::event_loop::{InTime, TimedOut};
use crate::outcome::{Outcome, Stop};
use nix::errno::Errno;
use std::ffi::c_int;

/// 1 for success, 0 with errno for failure: `io_fd`, `io_pipe`, `iob_add*`, `iom_init`.
pub(crate) fn one_or_zero(r: Result<(), Errno>) -> c_int {
    match r {
        Ok(()) => 1,
        Err(e) => {
            e.set();
            0
        }
    }
}

/// The value, or -1 with errno: `io_waituntil2`, `io_receivefd`, `iom_add`.
pub(crate) fn or_minus_one(r: Result<i64, Errno>) -> i64 {
    r.unwrap_or_else(|e| {
        e.set();
        -1
    })
}

/// Bytes moved, -1 with `EAGAIN` for "not ready", -3 with errno for errors: all transfers.
pub(crate) fn moved<N: TryInto<i64>>(r: Outcome<N>) -> i64 {
    match r {
        Ok(n) => n.try_into().unwrap_or(i64::MAX),
        Err(Stop::Again) => {
            Errno::EAGAIN.set();
            -1
        }
        Err(Stop::Failed(e)) => {
            e.set();
            -3
        }
    }
}

/// [`moved`], with -2 and `ETIMEDOUT` for a deadline that passed first.
pub(crate) fn moved_in_time(r: InTime) -> i64 {
    match r {
        Ok(outcome) => moved(outcome),
        Err(TimedOut) => {
            Errno::ETIMEDOUT.set();
            -2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_result_has_its_number_and_errno() {
        assert_eq!(one_or_zero(Ok(())), 1);
        assert_eq!((one_or_zero(Err(Errno::EMFILE)), Errno::last()), (0, Errno::EMFILE));
        assert_eq!(or_minus_one(Ok(5)), 5);
        assert_eq!((or_minus_one(Err(Errno::EPROTO)), Errno::last()), (-1, Errno::EPROTO));
        assert_eq!(moved(Ok(0u64)), 0);
        assert_eq!((moved::<u64>(Err(Stop::Again)), Errno::last()), (-1, Errno::EAGAIN));
        assert_eq!((moved_in_time(Err(TimedOut)), Errno::last()), (-2, Errno::ETIMEDOUT));
        assert_eq!((moved::<u64>(Err(Stop::Failed(Errno::EPIPE))), Errno::last()), (-3, Errno::EPIPE));
    }
}
