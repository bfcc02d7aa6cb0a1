//! Deadlines on the wall clock, moments of the monotonic clock, and lengths of time.
//!
//! Programs pass TAI64NA labels of the wall clock. Inside, a deadline is one signed 64-bit number of nanoseconds since 1970.
//! That reaches 292 years to either side, saturates beyond, and compares in one instruction. Attoseconds are dropped,
//! because no clock has them.

use crate::ctypes::Taia;
use crate::sys::clock;
use nix::errno::Errno;

/// The TAI64 label of 1970-01-01 00:00:00 UTC as libowfat counts (2^62 + 10).
const UNIX_EPOCH_LABEL: u64 = 4_611_686_018_427_387_914;
const NANOS_PER_SEC: i64 = 1_000_000_000;

/// A length of time, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Span(u64);

impl Span {
    pub(crate) const ZERO: Span = Span(0);
    /// Longer than every other.
    pub(crate) const FOREVER: Span = Span(u64::MAX);

    pub(crate) const fn nanos(ns: u64) -> Span {
        Span(ns)
    }

    pub(crate) const fn millis(ms: u64) -> Span {
        Span(ms.saturating_mul(1_000_000))
    }

    /// Whole milliseconds for `poll` and `epoll_wait`: rounded up, because a wait that ends before its deadline makes
    /// the caller spin; -1 for no limit. What does not fit is cut to the largest value.
    pub(crate) fn to_ms(self) -> i32 {
        if self == Span::FOREVER {
            return -1;
        }
        i32::try_from(self.0.div_ceil(1_000_000)).unwrap_or(i32::MAX)
    }
}

/// A moment of the wall clock, in nanoseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Deadline(i64);

impl Default for Deadline {
    fn default() -> Deadline {
        Deadline::NEVER
    }
}

impl Deadline {
    /// No deadline; later than every other.
    pub(crate) const NEVER: Deadline = Deadline(i64::MAX);

    /// Converts a label. Seconds of zero mean "no deadline" (a program clears one with `taia_uint(&t, 0)`).
    pub(crate) fn from_label(t: Taia) -> Deadline {
        if t.sec.x == 0 { Deadline::NEVER } else { Deadline::moment(t) }
    }

    /// Converts a label of which seconds of zero are a moment, too, as in the limit of a wait.
    #[inline]
    pub(crate) fn moment(t: Taia) -> Deadline {
        // taia_less compares seconds first, so more than a second of nanoseconds must not count.
        let nanos = i64::from(t.nano).min(NANOS_PER_SEC - 1);
        // If the difference wraps, it is so large that the product overflows and saturates.
        let secs = t.sec.x.wrapping_sub(UNIX_EPOCH_LABEL) as i64;
        match secs.checked_mul(NANOS_PER_SEC).and_then(|ns| ns.checked_add(nanos)) {
            Some(ns) => Deadline(ns),
            None if t.sec.x < UNIX_EPOCH_LABEL => Deadline(i64::MIN),
            None => Deadline(i64::MAX),
        }
    }

    /// The wall clock.
    pub(crate) fn now() -> Deadline {
        Deadline(nanoseconds(clock::real()))
    }

    /// The moment `d` later.
    pub(crate) fn after(self, d: Span) -> Deadline {
        Deadline(self.0.saturating_add_unsigned(d.0))
    }

    /// Time from `now` to the deadline; zero when it has passed.
    pub(crate) fn since(self, now: Deadline) -> Span {
        Span(self.0.saturating_sub(now.0).max(0) as u64)
    }

    /// Milliseconds from `now` to the deadline; negative when it has passed.
    pub(crate) fn ms_from(self, now: Deadline) -> i64 {
        self.0.saturating_sub(now.0) / 1_000_000
    }

    /// Nanoseconds since 1970.
    #[inline(always)]
    pub(crate) fn nanos(self) -> i64 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn from_nanos(ns: i64) -> Deadline {
        Deadline(ns)
    }
}

/// The time of a clock as one number. Reading these clocks cannot fail. If it did, 0 would expire no deadline.
fn nanoseconds(shown: Result<(i64, i64), Errno>) -> i64 {
    shown.map_or(0, |(s, ns)| s.saturating_mul(NANOS_PER_SEC).saturating_add(ns))
}

/// A moment of the monotonic clock, in nanoseconds since its start. (`Instant` panics if the clock fails.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment(i64);

impl Moment {
    pub(crate) fn now() -> Moment {
        Moment(nanoseconds(clock::monotonic()))
    }

    /// The moment `d` later. It saturates, so that a moment too far ahead never comes.
    pub(crate) fn after(self, d: Span) -> Moment {
        Moment(self.0.saturating_add_unsigned(d.0))
    }

    /// Nanoseconds from the moment to now.
    pub(crate) fn since(self) -> u64 {
        Moment::now().0.saturating_sub(self.0).max(0) as u64
    }

    /// Time from now to the moment; zero when it has passed.
    pub(crate) fn left(self) -> Span {
        Span(self.0.saturating_sub(Moment::now().0).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctypes::Tai;

    fn label(x: u64, nano: u32) -> Taia {
        Taia { sec: Tai { x }, nano, atto: 0 }
    }

    #[test]
    fn a_label_becomes_nanoseconds_since_1970_and_is_cut_to_what_fits() {
        assert_eq!(Deadline::from_label(label(UNIX_EPOCH_LABEL + 5, 7)), Deadline(5_000_000_007));
        assert_eq!(Deadline::from_label(label(0, 5)), Deadline::NEVER);
        assert_eq!(Deadline::moment(label(0, 5)), Deadline(i64::MIN));
        assert_eq!(Deadline::from_label(label(u64::MAX, 0)), Deadline(i64::MAX));
        assert_eq!(Deadline::from_label(label(1, 0)), Deadline(i64::MIN));
        assert_eq!(Deadline::from_label(label(UNIX_EPOCH_LABEL, u32::MAX)), Deadline(999_999_999));
    }

    #[test]
    fn timeouts_round_up_and_never_wrap() {
        assert_eq!(Span::FOREVER.to_ms(), -1);
        assert_eq!(Span::ZERO.to_ms(), 0);
        assert_eq!(Span::nanos(1).to_ms(), 1);
        assert_eq!(Span::nanos(50_999_000).to_ms(), 51);
        assert_eq!(Span::millis(4_294_968_000).to_ms(), i32::MAX);
        assert_eq!(Span::nanos(u64::MAX - 1).to_ms(), i32::MAX);
    }

    #[test]
    fn a_time_span_that_is_too_long_is_cut_to_the_longest() {
        assert_eq!(Deadline(5).since(Deadline(9)), Span::ZERO);
        assert_eq!(Deadline(i64::MAX).since(Deadline(i64::MIN)), Span::nanos(i64::MAX as u64));
        assert_eq!(Deadline(5).after(Span::FOREVER), Deadline::NEVER);
    }
}
