//! When the backend learns of interest: late, and only if needed.

use super::super::{EventLoop, used};
use super::*;
use crate::slot::Dirty;

fn state_of(n: u32) -> Dirty {
    slot(n).dirty.get()
}

#[test]
fn a_single_new_reader_is_watched_without_a_probe() {
    let (rig, kernel) = rig(1);
    assert!(sleeps(&rig));
    assert_eq!((calls(&kernel), kernel.script().probes), ((1, 1), 0));
    assert_eq!((watched(&kernel, 0), state_of(0)), (Interest::READ, Dirty::No));
}

#[test]
fn several_new_readers_that_are_ready_are_reported_and_not_watched() {
    let (rig, kernel) = rig(3);
    (0..3).for_each(|n| set_ready(&kernel, n, Interest::READ));
    assert!(!sleeps(&rig));
    assert_eq!(rig.drain(Read), [0, 1, 2]);
    assert_eq!(calls(&kernel).0, 0);
}

#[test]
fn what_was_probed_in_vain_is_watched_before_the_sleep() {
    let (rig, kernel) = rig(3);
    assert!(sleeps(&rig));
    assert_eq!((calls(&kernel), kernel.script().probes), ((3, 1), 1));
    assert!((0..3).all(|n| watched(&kernel, n) == Interest::READ && state_of(n) == Dirty::No));
}

#[test]
fn what_is_served_and_closed_in_the_turn_of_its_probe_is_never_watched() {
    let (rig, kernel) = rig(3);
    (0..2).for_each(|n| set_ready(&kernel, n, Interest::READ));
    assert!(!sleeps(&rig));
    assert_eq!(rig.drain(Read), [0, 1]);
    (0..2).for_each(|n| rig.state().unregister(fd(n)));
    assert!(sleeps(&rig));
    assert_eq!(calls(&kernel).0, 1, "only the one that had nothing to say");
    assert_eq!(watched(&kernel, 2), Interest::READ);
}

#[test]
fn what_was_probed_and_is_still_wanted_at_the_next_look_is_watched() {
    let (rig, kernel) = rig(2);
    (0..2).for_each(|n| set_ready(&kernel, n, Interest::READ));
    assert_eq!(readers(&rig), [0, 1]);
    assert_eq!(calls(&kernel).0, 0);
    assert_eq!(readers(&rig), [0, 1]);
    assert!((0..2).all(|n| watched(&kernel, n) == Interest::READ));
}

#[test]
fn interest_in_writing_is_probed_each_time_it_is_stated() {
    let (rig, kernel) = rig(1);
    rig.dont_want(fd(0), Read);
    for _ in 0..5 {
        set_ready(&kernel, 0, Interest::WRITE);
        rig.want(fd(0), Write);
        assert!(!sleeps(&rig));
        assert_eq!(rig.drain(Write), [0]);
        rig.dont_want(fd(0), Write);
    }
    assert_eq!(calls(&kernel).0, 0);
}

#[test]
fn interest_in_writing_is_watched_if_the_descriptor_is_not_ready() {
    let (rig, kernel) = rig(1);
    rig.want(fd(0), Write);
    assert!(sleeps(&rig));
    assert_eq!(watched(&kernel, 0), Interest::BOTH);
}

#[test]
fn interest_in_writing_is_watched_if_it_is_still_there_at_the_look_after() {
    let (rig, kernel) = rig(1);
    rig.dont_want(fd(0), Read);
    rig.want(fd(0), Write);
    set_ready(&kernel, 0, Interest::WRITE);
    for expected in [Interest::NONE, Interest::WRITE, Interest::WRITE] {
        assert!(!sleeps(&rig));
        assert_eq!(rig.drain(Write), [0]);
        assert_eq!(watched(&kernel, 0), expected);
    }
    assert_eq!(calls(&kernel).0, 1);
}

#[test]
fn interest_in_writing_is_probed_again_beside_reading_that_is_to_be_watched() {
    let (rig, kernel) = rig(2);
    (0..2).for_each(|n| set_ready(&kernel, n, Interest::BOTH));
    rig.wait(Limit::Never).unwrap();
    rig.want(fd(0), Write);
    rig.wait(Limit::Never).unwrap();
    assert_eq!((rig.drain(Write), watched(&kernel, 0)), (vec![0], Interest::NONE));
    assert_eq!(watched(&kernel, 1), Interest::READ);
}

#[test]
fn a_request_and_its_answer_change_nothing_that_is_watched() {
    let (rig, kernel) = watching_rig(1);
    let before = calls(&kernel).0;
    for _ in 0..10 {
        set_ready(&kernel, 0, Interest::BOTH);
        rig.wait(Limit::Never).unwrap();
        assert_eq!(rig.drain(Read), [0]);
        set_ready(&kernel, 0, Interest::WRITE);
        used(fd(0), Read, false);
        rig.dont_want(fd(0), Read);
        rig.want(fd(0), Write);
        rig.wait(Limit::Never).unwrap();
        assert_eq!(rig.drain(Write), [0]);
        used(fd(0), Write, true);
        rig.dont_want(fd(0), Write);
        rig.want(fd(0), Read);
        assert_eq!(calls(&kernel).0, before);
    }
}

#[test]
fn withdrawn_interest_is_left_with_the_backend_until_an_event_shows_that_it_wakes_for_nothing() {
    let (rig, kernel) = watching_rig(2);
    let before = calls(&kernel);
    rig.dont_want(fd(0), Read);
    assert!(sleeps(&rig) && sleeps(&rig));
    assert_eq!((calls(&kernel).0, watched(&kernel, 0)), (before.0, Interest::READ));
    set_ready(&kernel, 0, Interest::READ);
    let waits = calls(&kernel).1;
    for _ in 0..5 {
        assert!(sleeps(&rig));
    }
    assert_eq!(watched(&kernel, 0), Interest::NONE);
    assert_eq!(calls(&kernel), (before.0 + 1, waits + 6), "one look in vain, and one call to end it");
    rig.want(fd(0), Read);
    assert!(!sleeps(&rig));
    assert_eq!(rig.drain(Read), [0]);
}

#[test]
fn narrowing_keeps_the_direction_that_is_wanted() {
    let (rig, kernel) = rig(1);
    rig.want(fd(0), Write);
    assert!(sleeps(&rig));
    rig.dont_want(fd(0), Write);
    set_ready(&kernel, 0, Interest::WRITE);
    assert!(sleeps(&rig));
    assert_eq!(watched(&kernel, 0), Interest::READ);
    set_ready(&kernel, 0, Interest::READ);
    assert!(!sleeps(&rig));
    assert_eq!(rig.drain(Read), [0]);
}

#[test]
fn a_hang_up_that_nobody_wants_ends_no_wait() {
    let (rig, kernel) = watching_rig(2);
    rig.dont_want(fd(0), Read);
    kernel.script().hung_up.insert(fd(0));
    let waits = calls(&kernel).1;
    for _ in 0..5 {
        assert!(sleeps(&rig));
    }
    assert_eq!(calls(&kernel).1, waits + 6);
    rig.want(fd(0), Read);
    assert!(!sleeps(&rig));
    assert_eq!(rig.drain(Read), [0], "wanted again, it is reported");
}

#[test]
fn what_cannot_be_watched_is_probed_by_every_look() {
    let (rig, kernel) = rig(2);
    kernel.script().unwatchable.push(fd(0));
    set_ready(&kernel, 0, Interest::READ);
    for _ in 0..4 {
        assert!(!sleeps(&rig));
        assert_eq!(rig.drain(Read), [0]);
    }
    assert_eq!(state_of(0), Dirty::Refused);
    set_ready(&kernel, 0, Interest::NONE);
    assert!(sleeps(&rig));
    let slept = kernel.script().slept.unwrap();
    assert!(slept < Span::millis(200), "it is asked about again soon: {slept:?}");
}

#[test]
fn what_is_withdrawn_or_closed_before_the_look_costs_nothing() {
    let changes: [fn(&mut EventLoop); 2] = [|it| it.unregister(fd(0)), |it| it.dont_want(slot(0), Read)];
    for change in changes {
        let (rig, kernel) = rig(2);
        change(&mut rig.state());
        assert!(sleeps(&rig));
        assert_eq!((calls(&kernel).0, watched(&kernel, 0)), (1, Interest::NONE));
    }
}

#[test]
fn a_wait_with_nothing_to_wait_for_returns_at_once_and_asks_nobody() {
    let (rig, kernel) = rig(1);
    rig.dont_want(fd(0), Read);
    assert!(!sleeps(&rig));
    assert_eq!(calls(&kernel), (0, 0));
}

#[test]
fn so_many_new_readers_that_a_probe_would_be_long_are_watched_at_once() {
    let many = 8001;
    let (rig, kernel) = rig(many);
    (0..many).for_each(|n| set_ready(&kernel, n, Interest::READ));
    assert!(!sleeps(&rig));
    assert_eq!(kernel.script().watched.len(), many as usize);
}
