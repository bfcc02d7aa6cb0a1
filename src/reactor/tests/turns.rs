//! Programs that take turns, and connections that come together.

use super::*;
use crate::interest::Trigger;
use crate::outcome::Readiness;

/// A rig whose descriptor 0 is watched for edges, because its program takes turns.
fn turn_taker() -> (Rig, Arc<Fake>) {
    let (rig, fake) = rig(1);
    for _ in 0..3 {
        set_ready(&fake, 0, Interest::BOTH);
        rig.wait(Limit::Never).unwrap();
        assert_eq!(rig.drain(Read), [0]);
        take(&rig, &fake);
        rig.state().dont_want(fd(0), Read);
        rig.state().want(fd(0), Write);
        if rig.state().writable.is_empty() {
            rig.wait(Limit::Never).unwrap();
        }
        assert_eq!(rig.drain(Write), [0]);
        rig.state().moved(fd(0), Write, Readiness::Stands);
        rig.state().dont_want(fd(0), Write);
        rig.state().want(fd(0), Read);
    }
    assert_eq!(rig.state().table.get(fd(0)).unwrap().trigger, Trigger::Edge);
    (rig, fake)
}

/// A read that takes all there is.
fn take(rig: &Rig, fake: &Fake) {
    fake.script().ready.insert(fd(0), Interest::WRITE);
    rig.state().moved(fd(0), Read, Readiness::UsedUp);
}

#[test]
fn rule1_after_a_write_an_edge_says_nothing_of_writing() {
    let (rig, fake) = turn_taker();
    set_ready(&fake, 0, Interest::BOTH);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read), [0]);
    take(&rig, &fake);
    rig.state().moved(fd(0), Write, Readiness::Stands);
    rig.state().want(fd(0), Write);
    assert_eq!(rig.drain(Write), [], "the write may have used up the room");
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Write), [0]);
}

#[test]
fn rule1_an_edge_says_nothing_of_what_an_earlier_one_said() {
    let (rig, fake) = turn_taker();
    set_ready(&fake, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read), [0]);
    rig.state().want(fd(0), Write);
    assert_eq!(rig.drain(Write), []);
}

#[test]
fn m3_an_edge_is_reported_once_a_wait() {
    let (rig, fake) = turn_taker();
    set_ready(&fake, 0, Interest::BOTH);
    rig.wait(Limit::Never).unwrap();
    take(&rig, &fake);
    for expected in [vec![0], vec![]] {
        rig.state().want(fd(0), Write);
        assert_eq!(rig.drain(Write), expected);
        rig.state().dont_want(fd(0), Write);
    }
}

#[test]
fn rule2_what_an_edge_left_is_reported_again() {
    for leave in [
        |_: &Rig| (),
        |rig: &Rig| assert_eq!(rig.pop(Read), Some(0)),
        |rig: &Rig| rig.state().eagain(fd(0), Read),
    ] {
        let (rig, fake) = turn_taker();
        set_ready(&fake, 0, Interest::BOTH);
        rig.wait(Limit::Never).unwrap();
        leave(&rig);
        rig.wait(Limit::Never).unwrap();
        assert_eq!(rig.drain(Read), [0]);
    }
}

#[test]
fn rule3_edges_that_nobody_wants_end_two_waits_and_no_more() {
    let (rig, fake) = turn_taker();
    rig.register(fd(1), false);
    rig.state().want(fd(1), Read);
    rig.state().dont_want(fd(0), Read);
    assert!(sleeps(&rig, &fake));
    let before = fake.script().looks;
    for _ in 0..10 {
        set_ready(&fake, 0, Interest::BOTH);
        assert!(sleeps(&rig, &fake));
    }
    assert!(fake.script().looks <= before + 13, "{} looks", fake.script().looks - before);
}

#[test]
fn rule4_connections_that_come_together_and_go_at_once_are_never_watched() {
    let (rig, fake) = rig(0);
    for n in 0..3 {
        rig.state().just_set = Some(fd(n));
        rig.state().register(fd(n), Flags::default()).unwrap();
        rig.state().want(fd(n), Read);
    }
    (0..2).for_each(|n| set_ready(&fake, n, Interest::READ));
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read), [0, 1]);
    (0..2).for_each(|n| rig.state().unregister(fd(n)));
    assert!(sleeps(&rig, &fake));
    assert_eq!(fake.script().sets, 1, "only the one that has nothing to say is watched");
}

#[test]
fn rule2_a_connection_that_was_only_asked_about_keeps_what_was_set_when_it_is_set_up_again() {
    let (rig, fake) = rig(0);
    let set_up = |n| {
        rig.state().just_set = Some(fd(n));
        rig.state().register(fd(n), Flags::default()).unwrap();
    };
    (0..2).for_each(set_up);
    (0..2).for_each(|n| rig.state().want(fd(n), Read));
    rig.state().table.get(fd(0)).unwrap().cookie = 7;
    set_ready(&fake, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    set_up(0);
    assert_eq!(rig.drain(Read), [0; 0], "it may be another file that is not ready");
    assert_eq!(rig.state().table.get(fd(0)).unwrap().cookie, 7);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read), [0]);
}

#[test]
fn rule2_a_transfer_that_fails_uses_up_no_edge() {
    for dir in [Read, Write] {
        let (rig, fake) = turn_taker();
        set_ready(&fake, 0, Interest::BOTH);
        rig.state().want(fd(0), Write);
        rig.wait(Limit::Never).unwrap();
        assert_eq!((rig.drain(Read), rig.drain(Write)), (vec![0], vec![0]));
        rig.state().moved(fd(0), dir, Readiness::Unclear);
        for _ in 0..2 {
            rig.wait(Limit::Never).unwrap();
            assert_eq!(rig.drain(dir), [0], "{dir:?}");
        }
    }
}
