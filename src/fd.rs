//! Descriptor numbers whose range was checked at the C border.

use nix::errno::Errno;

/// A number in the range of descriptors. It need not be open; the kernel checks that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Fd(i32);

impl Fd {
    /// Checks an `int64` from C. `EBADF` if it is outside `0..=INT_MAX`: cut to 32 bits, it could be another descriptor.
    pub(crate) fn new(d: i64) -> Result<Fd, Errno> {
        match i32::try_from(d) {
            Ok(n) if n >= 0 => Ok(Fd(n)),
            _ => Err(Errno::EBADF),
        }
    }

    /// The lower half of a number that was checked elsewhere, or that the kernel will refuse.
    pub(crate) fn unchecked(d: i64) -> Fd {
        Fd(d as i32)
    }

    pub(crate) fn raw(self) -> i32 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// The inverse of [`Fd::index`] for indices that came from a descriptor.
    pub(crate) fn from_index(i: u32) -> Fd {
        debug_assert!(i <= i32::MAX as u32);
        Fd(i as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_from_0_to_int_max_are_descriptors() {
        assert_eq!(Fd::new(0).map(Fd::raw), Ok(0));
        assert_eq!(Fd::new(i64::from(i32::MAX)).map(Fd::raw), Ok(i32::MAX));
        for bad in [-1, i64::MIN, i64::from(i32::MAX) + 1, 1 << 32, i64::MAX] {
            assert_eq!(Fd::new(bad), Err(Errno::EBADF), "{bad}");
        }
    }
}
