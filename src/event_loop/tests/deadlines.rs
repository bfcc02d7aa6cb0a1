//! Deadlines and waits.

use super::*;
use crate::time::Deadline;

fn past() -> Deadline {
    Deadline::from_nanos(1)
}

fn from_now(d: Span) -> Deadline {
    Deadline::now().after(d)
}

fn set(rig: &Rig, n: u32, at: Deadline) {
    rig.state().set_deadline(n.into(), at).unwrap();
}

fn expired(rig: &Rig) -> Vec<u32> {
    std::iter::from_fn(|| rig.state().next_expired(Deadline::now)).collect()
}

#[test]
fn a_deadline_bounds_the_sleep() {
    let (rig, kernel) = watching_rig(2);
    set(&rig, 0, from_now(Span::millis(500)));
    set(&rig, 1, from_now(Span::millis(200)));
    assert!(sleeps(&rig));
    let slept = kernel.script().slept.unwrap();
    assert!(slept <= Span::millis(201), "{slept:?}");
    set(&rig, 1, Deadline::NEVER);
    assert!(sleeps(&rig));
    let slept = kernel.script().slept.unwrap();
    assert!(slept <= Span::millis(501), "{slept:?}");
    set(&rig, 0, Deadline::NEVER);
    assert!(sleeps(&rig));
    assert_eq!(kernel.script().slept, Some(Span::FOREVER), "nothing bounds it any more");
}

/// The wall clock can be set while the loop sleeps.
#[test]
fn a_sleep_towards_a_far_deadline_looks_at_the_clock_every_second() {
    let (rig, kernel) = watching_rig(1);
    set(&rig, 0, from_now(Span::millis(1000 * 100_000)));
    assert!(sleeps(&rig));
    let slept = kernel.script().slept.unwrap();
    assert!(slept <= Span::millis(1000), "{slept:?}");
}

#[test]
fn a_passed_deadline_ends_one_wait_and_is_named_by_every_sweep() {
    let (rig, _kernel) = watching_rig(1);
    set(&rig, 0, past());
    assert!(!sleeps(&rig));
    assert!(sleeps(&rig));
    for _ in 0..2 {
        assert_eq!(expired(&rig), [0]);
    }
    set(&rig, 0, past());
    assert!(!sleeps(&rig), "set anew, it ends another");
    set(&rig, 0, Deadline::NEVER);
    assert_eq!(expired(&rig), [0; 0]);
}

#[test]
fn a_deadline_counts_without_interest() {
    let (rig, _kernel) = rig(1);
    rig.dont_want(fd(0), Read);
    set(&rig, 0, from_now(Span::millis(1000 * 1000)));
    assert!(sleeps(&rig));
    set(&rig, 0, past());
    assert!(!sleeps(&rig));
    assert_eq!(expired(&rig), [0]);
}

#[test]
fn what_has_an_event_at_hand_is_not_said_to_have_expired() {
    let (rig, kernel) = watching_rig(2);
    (0..2).for_each(|n| set(&rig, n, past()));
    set_ready(&kernel, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(expired(&rig), [1]);
    assert_eq!(rig.drain(Read), [0]);
    assert_eq!(expired(&rig).len(), 2);
}

#[test]
fn a_wait_for_a_deadline_reports_what_is_ready_as_well() {
    let (rig, kernel) = watching_rig(2);
    set(&rig, 0, past());
    set_ready(&kernel, 1, Interest::READ);
    assert!(!sleeps(&rig));
    assert_eq!((expired(&rig), rig.drain(Read)), (vec![0], vec![1]));
}

#[test]
fn the_deadline_of_a_closed_descriptor_is_gone() {
    let (rig, _kernel) = watching_rig(2);
    set(&rig, 0, past());
    rig.state().unregister(fd(0));
    assert!(sleeps(&rig));
    assert_eq!(expired(&rig), [0; 0]);
    register(&rig, 0);
    assert_eq!(slot(0).deadline.get(), Deadline::NEVER);
}

#[test]
fn a_limit_ends_a_wait_that_finds_nothing() {
    let (rig, kernel) = watching_rig(1);
    assert_eq!(rig.wait(Limit::Now), Ok(0));
    assert_eq!(rig.wait(Limit::after_ms(0)), Ok(0));
    assert_eq!(rig.wait(Limit::WallClock(past())), Ok(0));
    assert!(rig.wait(Limit::after_ms(300)).is_err());
    let slept = kernel.script().slept.unwrap();
    assert!(slept <= Span::millis(300), "{slept:?}");
}
