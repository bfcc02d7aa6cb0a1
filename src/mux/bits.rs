//! Translates `IOM_*` bits to those of poll(2) and back, and splits long time limits.

use crate::interest::Interest;
use crate::sys::poll::{ERR, HUP, IN, OUT};
use std::ffi::{c_int, c_uint, c_ulong};

const READ: c_uint = 1;
const WRITE: c_uint = 2;
const ERROR: c_uint = 4;

/// The directions to ask for. The kernel reports errors unasked. libowfat, too, ignores unknown bits.
pub(super) fn wanted(events: c_uint) -> Interest {
    let mut wanted = Interest::NONE;
    if events & READ != 0 {
        wanted |= Interest::READ;
    }
    if events & WRITE != 0 {
        wanted |= Interest::WRITE;
    }
    wanted
}

/// The bits to report. An error or a hang-up sets both directions, asked for or not, so that a program that tests only its
/// own direction notices it.
pub(super) fn happened(mask: u32) -> c_uint {
    let mut events = 0;
    if mask & (IN | ERR | HUP) != 0 {
        events |= READ;
    }
    if mask & (OUT | ERR | HUP) != 0 {
        events |= WRITE;
    }
    if mask & ERR != 0 {
        events |= ERROR;
    }
    events
}

/// Milliseconds left to wait, `None` for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Limit(Option<c_ulong>);

impl Limit {
    pub(super) fn new(ms: c_ulong) -> Limit {
        Limit((ms != c_ulong::MAX).then_some(ms))
    }

    /// The timeout of the next system call, and the limit that remains after it, if any. The kernel never ends a wait
    /// early, so the clock is not read in between.
    pub(super) fn step(self) -> (c_int, Option<Limit>) {
        let Some(ms) = self.0 else { return (-1, None) };
        match c_int::try_from(ms) {
            Ok(all) => (all, None),
            Err(_) => (c_int::MAX, Some(Limit(Some(ms - c_int::MAX as c_ulong)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directions_are_asked_for() {
        assert_eq!(wanted(0), Interest::NONE);
        assert_eq!(wanted(READ), Interest::READ);
        assert_eq!(wanted(WRITE), Interest::WRITE);
        assert_eq!(wanted(READ | WRITE | ERROR), Interest::BOTH);
        assert_eq!(wanted(!3), Interest::NONE);
    }

    #[test]
    fn errors_and_hang_ups_count_for_both_directions() {
        assert_eq!(happened(IN), 1);
        assert_eq!(happened(OUT), 2);
        assert_eq!(happened(IN | OUT), 3);
        assert_eq!(happened(HUP), 3);
        assert_eq!(happened(IN | HUP), 3);
        assert_eq!(happened(ERR), 7);
        assert_eq!(happened(OUT | ERR), 7);
    }

    #[test]
    fn long_limits_are_waited_out_in_pieces() {
        const MAX: c_ulong = c_int::MAX as c_ulong;
        assert_eq!(Limit::new(c_ulong::MAX).step(), (-1, None));
        assert_eq!(Limit::new(0).step(), (0, None));
        assert_eq!(Limit::new(1).step(), (1, None));
        assert_eq!(Limit::new(MAX).step(), (c_int::MAX, None));
        assert_eq!(Limit::new(MAX + 1).step(), (c_int::MAX, Some(Limit::new(1))));

        // 2^32, which a limit of 32 bits would take for 0; the most where `long` has no more.
        let long = c_ulong::try_from(1u64 << 32).unwrap_or(c_ulong::MAX - 1);
        let (mut limit, mut sum) = (Some(Limit::new(long)), 0);
        while let Some(l) = limit {
            let (ms, rest) = l.step();
            sum += u64::try_from(ms).unwrap();
            limit = rest;
        }
        assert_eq!(u128::from(sum), u128::from(long));
    }
}
