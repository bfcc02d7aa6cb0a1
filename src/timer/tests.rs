use super::*;
use crate::table;
use proptest::prelude::*;

fn at(ns: i64) -> Deadline {
    Deadline::from_nanos(ns)
}

/// A timer, and slots for the first `n` numbers.
fn timer_of(n: u32) -> Timer {
    for i in 0..n {
        let slot = table::slot_or_new(i).unwrap();
        slot.deadline.set(Deadline::NEVER);
        slot.place.set(Place::None);
    }
    Timer::new()
}

fn of(number: u32) -> &'static Slot {
    slot(number).unwrap()
}

/// With no horizon, so that the answer is exact.
fn advance(timer: &mut Timer, now: Deadline) -> Span {
    timer.advance(now, Deadline::NEVER)
}

fn sweep(timer: &mut Timer, now: i64) -> Vec<u32> {
    let mut named: Vec<u32> = std::iter::from_fn(|| timer.sweep(&|| at(now))).collect();
    named.sort_unstable();
    named
}

#[test]
fn a_sweep_ends_and_the_next_names_the_unhandled_again() {
    let mut timer = timer_of(8);
    for n in 0..8 {
        timer.set(n, at(10 + i64::from(n))).unwrap();
    }
    assert_eq!(sweep(&mut timer, 14), [0, 1, 2, 3]);
    timer.clear(of(1));
    timer.set(2, at(1000)).unwrap();
    assert_eq!(sweep(&mut timer, 14), [0, 3]);
    assert_eq!(sweep(&mut timer, 1001), [0, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_deadline_set_into_the_past_during_a_sweep_waits_for_the_next() {
    let mut timer = timer_of(2);
    timer.set(0, at(1)).unwrap();
    assert_eq!(timer.sweep(&|| at(5)), Some(0));
    timer.set(0, at(2)).unwrap();
    assert_eq!(timer.sweep(&|| at(5)), None);
    assert_eq!(timer.sweep(&|| at(5)), Some(0));
}

#[test]
fn an_expired_deadline_wakes_once() {
    let mut timer = timer_of(2);
    timer.set(0, at(10)).unwrap();
    timer.set(1, at(30)).unwrap();
    assert_eq!(advance(&mut timer, at(10)), Span::nanos(1), "on it is not past it");
    assert_eq!(advance(&mut timer, at(11)), Span::ZERO);
    assert_eq!(advance(&mut timer, at(11)), Span::nanos(20));
    assert_eq!(advance(&mut timer, at(31)), Span::ZERO);
    assert_eq!(advance(&mut timer, at(32)), Span::FOREVER);
}

#[test]
fn a_sweep_names_every_expired_number_although_each_gets_a_new_deadline_meanwhile() {
    let mut timer = timer_of(3);
    for n in 0..3 {
        timer.set(n, at(1)).unwrap();
    }
    let mut named = Vec::new();
    while let Some(n) = timer.sweep(&|| at(5)) {
        named.push(n);
        timer.clear(of(n));
        timer.set(n, at(100)).unwrap();
    }
    named.sort_unstable();
    assert_eq!(named, [0, 1, 2]);
    assert_eq!(sweep(&mut timer, 200), [0, 1, 2]);
}

#[test]
fn a_deadline_that_was_taken_away_wakes_nobody() {
    let mut timer = timer_of(2);
    timer.set(0, at(10)).unwrap();
    timer.clear(of(0));
    assert!(timer.is_empty());
    assert_eq!(timer.look(Deadline::now, Span::millis(1000)), Span::FOREVER);
    timer.set(1, at(20)).unwrap();
    assert_eq!(advance(&mut timer, at(15)), Span::nanos(6));
    assert_eq!(timer.heap.len(), 1, "the key was given up when it came near");
}

#[test]
fn only_a_deadline_that_becomes_the_nearest_shortens_a_wait() {
    let mut timer = timer_of(3);
    assert_eq!(timer.set(0, at(10)), Ok(true));
    assert_eq!(timer.set(1, at(20)), Ok(false));
    assert_eq!(timer.set(1, at(5)), Ok(true));
    assert_eq!(timer.set(2, Deadline::NEVER), Ok(false));
}

#[test]
fn pushing_deadlines_back_neither_moves_nor_adds_keys_in_the_heap() {
    let mut timer = timer_of(100);
    for n in 0..100 {
        timer.set(n, at(100 + i64::from(n))).unwrap();
    }
    let before: Vec<Place> = (0..100).map(|n| of(n).place.get()).collect();
    for round in 0..10_000 {
        timer.set(round % 100, at(1000 + i64::from(round))).unwrap();
    }
    let after: Vec<Place> = (0..100).map(|n| of(n).place.get()).collect();
    assert_eq!(before, after);
    assert_eq!(timer.heap.len(), 100);
}

/// A wait that began with `look` sleeps as long as that said, unless the setting of a deadline says that it may have to
/// end earlier.
#[test]
fn a_deadline_in_place_of_a_nearer_one_that_was_taken_away_ends_waits_earlier() {
    let mut timer = timer_of(2);
    timer.set(0, at(5)).unwrap();
    timer.clear(of(0));
    assert_eq!(timer.look(|| at(1), Span::nanos(100)), Span::FOREVER);
    assert_eq!(timer.set(1, at(50)), Ok(true), "behind a key that says nothing");
    timer.clear(of(1));
    assert_eq!(timer.set(0, at(50)), Ok(true), "by its own key");
}

proptest! {
    /// The model is a map. `Due` is checked when nothing expires.
    #[test]
    fn sweeps_and_waits_agree_with_a_scan_of_all_deadlines(ops in prop::collection::vec((0u32..12, 0i64..60, 0u8..6), 1..200)) {
        let mut timer = timer_of(12);
        let mut model = std::collections::BTreeMap::new();
        let mut now = 0;
        let horizon = Span::nanos(10);
        let mut asleep_until = at(0);
        for (n, when, op) in ops {
            match op {
                0 => { timer.clear(of(n)); model.remove(&n); }
                1 => {
                    now += when % 7;
                    let expected: Vec<u32> =
                        model.iter().filter(|&(_, &d)| d < now).map(|(&n, _)| n).collect();
                    prop_assert_eq!(sweep(&mut timer, now), expected);
                }
                2 => {
                    let ahead = advance(&mut timer, at(now));
                    if ahead != Span::ZERO {
                        let nearest = model.values().filter(|&&d| d >= now).min().copied();
                        let exact = nearest.map_or(Span::FOREVER, |x| Span::nanos((x - now + 1) as u64));
                        prop_assert_eq!(ahead, exact);
                    }
                }
                3 => {
                    // A wait looks at the clock again if a deadline lies ahead.
                    let ahead = timer.look(|| at(now), horizon);
                    let asleep = if ahead == Span::FOREVER { ahead } else { ahead.min(horizon) };
                    asleep_until = at(now).after(asleep);
                }
                _ => {
                    let ends_earlier = timer.set(n, at(when)).unwrap();
                    let is_asleep = at(now) < asleep_until;
                    prop_assert!(ends_earlier || !is_asleep || asleep_until <= at(when + 1));
                    if ends_earlier {
                        asleep_until = at(now);
                    }
                    model.insert(n, when);
                }
            }
        }
    }
}
