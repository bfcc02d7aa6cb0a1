//! The two directions of a descriptor, and sets of them.

use std::ops::{BitAnd, BitOr, BitOrAssign, Sub, SubAssign};

/// One direction of data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    pub(crate) const BOTH: [Direction; 2] = [Direction::Read, Direction::Write];

    /// Position in arrays that hold something for each direction.
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// A set of directions: wanted, watched or ready ones.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Interest(u8);

impl Interest {
    pub(crate) const NONE: Interest = Interest(0);
    pub(crate) const READ: Interest = Interest(1);
    pub(crate) const WRITE: Interest = Interest(2);
    pub(crate) const BOTH: Interest = Interest(3);

    pub(crate) fn has(self, dir: Direction) -> bool {
        self.0 & Interest::from(dir).0 != 0
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The set as a number: reading is 1, writing 2.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// The inverse of [`Interest::bits`].
    #[inline(always)]
    pub(crate) const fn from_bits(bits: u8) -> Interest {
        Interest(bits & 3)
    }

    /// Number of directions in the set.
    pub(crate) fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

impl From<Direction> for Interest {
    fn from(dir: Direction) -> Interest {
        match dir {
            Direction::Read => Interest::READ,
            Direction::Write => Interest::WRITE,
        }
    }
}

impl BitOr for Interest {
    type Output = Interest;
    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Interest) {
        self.0 |= other.0;
    }
}

impl BitAnd for Interest {
    type Output = Interest;
    fn bitand(self, other: Interest) -> Interest {
        Interest(self.0 & other.0)
    }
}

impl Sub for Interest {
    type Output = Interest;
    fn sub(self, other: Interest) -> Interest {
        Interest(self.0 & !other.0)
    }
}

impl SubAssign for Interest {
    fn sub_assign(&mut self, other: Interest) {
        self.0 &= !other.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_added_removed_and_counted_like_a_set() {
        assert_eq!(Interest::READ | Interest::WRITE, Interest::BOTH);
        assert_eq!(Interest::BOTH - Interest::WRITE, Interest::READ);
        assert_eq!(Interest::READ & Interest::WRITE, Interest::NONE);
        assert!(Interest::BOTH.has(Direction::Write) && !Interest::READ.has(Direction::Write));
        assert_eq!((Interest::NONE.count(), Interest::BOTH.count()), (0, 2));
    }
}
