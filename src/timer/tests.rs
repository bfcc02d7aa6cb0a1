use super::*;
use crate::fd::Fd;
use crate::interest::Interest;
use proptest::prelude::*;

fn at(ns: i64) -> Deadline {
    Deadline::from_nanos(ns)
}

fn table(n: u32) -> FdTable {
    let mut t = FdTable::new();
    (0..n).for_each(|i| t.slot_or_new(Fd::from_index(i)).unwrap().register(0));
    t
}

/// To the moment, exact for all that lies ahead.
fn advance(timer: &mut Timer, t: &mut FdTable, now: Deadline) -> Due {
    timer.advance(t, now, Deadline::NEVER)
}

fn sweep(timer: &mut Timer, t: &mut FdTable, now: i64) -> Vec<u32> {
    let mut named: Vec<u32> = std::iter::from_fn(|| timer.sweep(t, || at(now))).collect();
    named.sort_unstable();
    named
}

#[test]
fn d8_a_sweep_ends_and_the_next_names_the_unhandled_again() {
    let (mut timer, mut t) = (Timer::new(), table(8));
    (0..8).for_each(|n| timer.set(&mut t, n, at(10 + i64::from(n))).unwrap());
    assert_eq!(sweep(&mut timer, &mut t, 14), [0, 1, 2, 3]);
    timer.clear(&mut t, 1);
    timer.set(&mut t, 2, at(1000)).unwrap();
    assert_eq!(sweep(&mut timer, &mut t, 14), [0, 3]);
    assert_eq!(sweep(&mut timer, &mut t, 1001), [0, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_deadline_set_into_the_past_during_a_sweep_waits_for_the_next() {
    let (mut timer, mut t) = (Timer::new(), table(2));
    timer.set(&mut t, 0, at(1)).unwrap();
    assert_eq!(timer.sweep(&mut t, || at(5)), Some(0));
    timer.set(&mut t, 0, at(2)).unwrap();
    assert_eq!(timer.sweep(&mut t, || at(5)), None);
    assert_eq!(timer.sweep(&mut t, || at(5)), Some(0));
}

#[test]
fn rule7_an_expired_deadline_wakes_once() {
    let (mut timer, mut t) = (Timer::new(), table(2));
    timer.set(&mut t, 0, at(10)).unwrap();
    timer.set(&mut t, 1, at(30)).unwrap();
    assert_eq!(advance(&mut timer, &mut t, at(10)), Due::In(Duration::from_nanos(1)), "on it is not past it");
    assert_eq!(advance(&mut timer, &mut t, at(11)), Due::Now);
    assert_eq!(advance(&mut timer, &mut t, at(11)), Due::In(Duration::from_nanos(20)));
    assert_eq!(advance(&mut timer, &mut t, at(31)), Due::Now);
    assert_eq!(advance(&mut timer, &mut t, at(32)), Due::Nothing);
}

#[test]
fn a_pending_event_goes_before_the_deadline() {
    let (mut timer, mut t) = (Timer::new(), table(2));
    timer.set(&mut t, 0, at(1)).unwrap();
    timer.set(&mut t, 1, at(1)).unwrap();
    t.listed(0).pending = Interest::READ;
    assert_eq!(sweep(&mut timer, &mut t, 2), [1]);
    t.listed(0).pending = Interest::NONE;
    assert_eq!(sweep(&mut timer, &mut t, 2), [0, 1]);
}

#[test]
fn pushing_back_moves_nothing_and_grows_nothing() {
    let (mut timer, mut t) = (Timer::new(), table(100));
    (0..100).for_each(|n| timer.set(&mut t, n, at(100 + i64::from(n))).unwrap());
    let before: Vec<Place> = (0..100).map(|n| t.listed(n).place).collect();
    for round in 0..10_000 {
        timer.set(&mut t, round % 100, at(1000 + i64::from(round))).unwrap();
    }
    let after: Vec<Place> = (0..100).map(|n| t.listed(n).place).collect();
    assert_eq!(before, after);
    assert_eq!(timer.heap.len(), 100);
}

proptest! {
    /// Against a plain map: what a sweep names is what has passed, and a wait is never told too late.
    #[test]
    fn k7_equals_a_scan_of_everything(ops in prop::collection::vec((0u32..12, 0i64..60, 0u8..4), 1..200)) {
        let (mut timer, mut t) = (Timer::new(), table(12));
        let mut model = std::collections::BTreeMap::new();
        let mut now = 0;
        for (n, when, op) in ops {
            match op {
                0 => { timer.clear(&mut t, n); model.remove(&n); }
                1 => {
                    now += when % 7;
                    let expected: Vec<u32> =
                        model.iter().filter(|&(_, &d)| d < now).map(|(&n, _)| n).collect();
                    prop_assert_eq!(sweep(&mut timer, &mut t, now), expected);
                }
                _ => { timer.set(&mut t, n, at(when)).unwrap(); model.insert(n, when); }
            }
            if let Due::In(d) = advance(&mut timer, &mut t, at(now)) {
                let nearest = model.values().filter(|&&d| d >= now).min().copied();
                prop_assert_eq!(Some(d.as_nanos() as i64), nearest.map(|x| x - now + 1));
            }
        }
    }
}
