//! Decides whether an event is reported. This is the whole rule; the callers bring the facts.

use crate::interest::{Direction, Interest};
use crate::slot::is_since;

/// The facts about one direction of a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    /// The current registration's.
    pub(crate) generation: u32,
    pub(crate) want: Interest,
    /// The look in which the direction was last used.
    pub(crate) used: u32,
    pub(crate) leased: bool,
}

/// Whether an event, which `look` found ready in `dir` for registration `generation`, is news. It is if that registration
/// still stands, the direction is wanted, no thread has leased the descriptor, and the direction has not been used in that
/// look or since. Only news is reported.
#[inline(always)]
pub(crate) fn is_news(generation: u32, dir: Direction, facts: Facts, look: u32) -> bool {
    let was_used = is_since(facts.used, look);
    facts.generation == generation && facts.want.has(dir) && !was_used && !facts.leased
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::LOOKS_AT_ONCE;

    const NEWS: Facts = Facts { generation: 3, want: Interest::READ, used: 8, leased: false };
    const LOOK: u32 = 9;

    fn is(facts: Facts, look: u32) -> bool {
        is_news(3, Direction::Read, facts, look)
    }

    #[test]
    fn what_is_wanted_and_unused_is_news() {
        assert!(is(NEWS, LOOK));
        assert!(is(Facts { want: Interest::BOTH, ..NEWS }, LOOK));
    }

    #[test]
    fn another_registration_under_the_number_has_no_part_in_it() {
        assert!(!is(Facts { generation: 5, ..NEWS }, LOOK));
        assert!(!is(Facts { generation: 4, ..NEWS }, LOOK));
    }

    #[test]
    fn an_unwanted_direction_is_no_news() {
        assert!(!is(Facts { want: Interest::WRITE, ..NEWS }, LOOK));
        assert!(!is(Facts { want: Interest::NONE, ..NEWS }, LOOK));
    }

    #[test]
    fn what_was_used_since_is_no_news() {
        assert!(!is(Facts { used: 9, ..NEWS }, LOOK));
        // Used in later looks, which other threads have begun.
        for used in [9, 10, 12] {
            assert!(!is(Facts { used, ..NEWS }, 9));
        }
        // A difference greater than that is a use long ago.
        assert!(!is(Facts { used: LOOK + LOOKS_AT_ONCE - 1, ..NEWS }, LOOK));
        assert!(is(Facts { used: LOOK + LOOKS_AT_ONCE, ..NEWS }, LOOK));
    }

    #[test]
    fn a_use_long_ago_hides_nothing_when_looks_come_round() {
        assert!(is(Facts { used: u32::MAX, ..NEWS }, 1));
        assert!(is(Facts { used: u32::MAX / 2, ..NEWS }, 9));
        assert!(!is(Facts { used: 2, ..NEWS }, u32::MAX), "two looks later");
    }

    #[test]
    fn what_is_leased_is_no_news_for_another_thread() {
        assert!(!is(Facts { leased: true, ..NEWS }, LOOK));
    }
}
