//! What is reported, and how often.

use super::super::{EventLoop, used};
use super::*;
use crate::interest::Direction;

#[test]
fn what_is_ready_is_reported_by_every_wait_until_it_is_read() {
    let (rig, kernel) = watching_rig(1);
    set_ready(&kernel, 0, Interest::READ);
    for _ in 0..3 {
        assert!(!sleeps(&rig));
        assert_eq!(rig.drain(Read), [0]);
    }
    set_ready(&kernel, 0, Interest::NONE);
    assert!(sleeps(&rig));
    assert_eq!(rig.pop(Read), None);
}

#[test]
fn a_report_that_was_not_taken_is_asked_about_anew() {
    let (rig, kernel) = watching_rig(2);
    set_ready(&kernel, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    set_ready(&kernel, 0, Interest::NONE);
    set_ready(&kernel, 1, Interest::READ);
    assert_eq!(readers(&rig), [1]);
}

#[test]
fn a_wait_that_a_signal_ends_drops_what_was_not_taken() {
    let (rig, kernel) = watching_rig(1);
    set_ready(&kernel, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    set_ready(&kernel, 0, Interest::NONE);
    assert!(sleeps(&rig));
    assert_eq!(rig.pop(Read), None, "it is not ready any more");
}

#[test]
fn a_wait_with_nothing_to_wait_for_drops_what_was_not_taken() {
    let (rig, kernel) = watching_rig(1);
    set_ready(&kernel, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    rig.dont_want(fd(0), Read);
    set_ready(&kernel, 0, Interest::NONE);
    assert!(!sleeps(&rig));
    rig.want(fd(0), Read);
    assert_eq!(rig.pop(Read), None, "it is not ready any more");
}

#[test]
fn each_direction_is_reported_once_a_wait() {
    let (rig, kernel) = watching_rig(1);
    rig.want(fd(0), Write);
    set_ready(&kernel, 0, Interest::BOTH);
    for _ in 0..3 {
        rig.wait(Limit::Never).unwrap();
        assert_eq!((rig.drain(Read), rig.drain(Write)), (vec![0], vec![0]));
        rig.dont_want(fd(0), Read);
        rig.want(fd(0), Read);
        assert_eq!((rig.pop(Read), rig.pop(Write)), (None, None));
    }
}

#[test]
fn a_transfer_through_the_library_uses_a_report_up_also_one_that_moved_all() {
    for whole in [false, true] {
        let (rig, kernel) = watching_rig(2);
        rig.want(fd(0), Write);
        (0..2).for_each(|n| set_ready(&kernel, n, Interest::BOTH));
        rig.wait(Limit::Never).unwrap();
        used(fd(0), Read, whole);
        assert_eq!((rig.drain(Read), rig.drain(Write)), (vec![1], vec![0]));
        rig.wait(Limit::Never).unwrap();
        used(fd(0), Write, whole);
        assert_eq!((rig.drain(Read).len(), rig.pop(Write)), (2, None));
        rig.wait(Limit::Never).unwrap();
        assert_eq!(rig.drain(Write), [0], "the next look says so again");
    }
}

#[test]
fn what_the_program_does_to_one_descriptor_takes_back_its_report_alone() {
    let changes: [fn(&mut EventLoop); 4] = [
        |it| it.eagain(1, Read),
        |it| it.dont_want(slot(1), Read),
        |it| it.unregister(fd(1)),
        |it| {
            it.unregister(fd(1));
            it.register(fd(1), file(1, 1), false).unwrap();
            it.want(1, slot(1), Read);
        },
    ];
    for (i, change) in changes.into_iter().enumerate() {
        for taken in 0..2 {
            let (rig, kernel) = watching_rig(3);
            (0..3).for_each(|n| set_ready(&kernel, n, Interest::READ));
            rig.wait(Limit::Never).unwrap();
            (0..taken).for_each(|n| assert_eq!(rig.pop(Read), Some(n)));
            change(&mut rig.state());
            let rest: Vec<u32> = (taken..3).filter(|&n| n != 1).collect();
            assert_eq!(rig.drain(Read), rest, "change {i}");
        }
    }
}

#[test]
fn what_is_withdrawn_and_wanted_again_before_it_is_taken_is_reported() {
    let (rig, kernel) = watching_rig(1);
    set_ready(&kernel, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    rig.dont_want(fd(0), Read);
    rig.want(fd(0), Read);
    assert_eq!(rig.drain(Read), [0]);
}

#[test]
fn a_hang_up_is_reported_in_each_wanted_direction_by_every_wait() {
    let (rig, kernel) = watching_rig(2);
    kernel.script().hung_up.insert(fd(0));
    rig.dont_want(fd(0), Read);
    for wanted in [vec![Read], vec![Write], vec![Read, Write]] {
        wanted.iter().for_each(|&dir| rig.want(fd(0), dir));
        for _ in 0..2 {
            assert!(!sleeps(&rig));
            let reported = [Read, Write].map(|dir| rig.drain(dir).len());
            assert_eq!(reported, [Read, Write].map(|dir| usize::from(wanted.contains(&dir))));
        }
        wanted.iter().for_each(|&dir| rig.dont_want(fd(0), dir));
    }
}

#[test]
fn looks_whose_numbers_come_round_neither_lose_nor_repeat_a_report() {
    table::set_look(u32::MAX - 4);
    let (rig, kernel) = rig(1);
    set_ready(&kernel, 0, Interest::READ);
    for _ in 0..10 {
        assert!(!sleeps(&rig));
        assert_eq!(rig.drain(Read), [0]);
        rig.wait(Limit::Never).unwrap();
        used(fd(0), Read, true);
        assert_eq!(rig.pop(Read), None);
        rig.state().unregister(fd(0));
        register(&rig, 0);
        rig.want(fd(0), Read);
    }
    assert!(table::look() < 100, "they came round");
}

#[test]
fn the_word_that_a_descriptor_can_be_written_to_serves_once() {
    let (rig, kernel) = rig(0);
    rig.register(fd(0), file(0, 0), true);
    rig.want(fd(0), Write);
    assert!(!sleeps(&rig), "no kernel has to be asked");
    assert_eq!(rig.drain(Write), [0]);
    assert!(sleeps(&rig));
    set_ready(&kernel, 0, Interest::WRITE);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Write), [0]);
}

#[test]
fn a_write_that_finds_no_room_voids_the_word_that_there_is() {
    for (whole, reported) in [(true, vec![0]), (false, vec![])] {
        let (rig, _kernel) = rig(0);
        rig.register(fd(0), file(0, 0), true);
        rig.want(fd(0), Write);
        used(fd(0), Write, whole);
        assert_eq!(rig.drain(Write), reported);
    }
}

#[test]
fn a_queued_event_is_reported_once_without_interest_and_readiness() {
    let (rig, _kernel) = rig(1);
    rig.dont_want(fd(0), Read);
    for dir in [Read, Write] {
        assert!(rig.state().queue_for(0, dir));
        assert!(rig.state().queue_for(0, dir));
        assert!(!sleeps(&rig));
        assert!(!sleeps(&rig), "it stands until it is taken");
        assert_eq!(rig.drain(dir), [0]);
    }
    assert!(!rig.state().queue_for(9, Read), "that is not registered");
}

#[test]
fn a_queued_event_ends_with_eagain_and_with_the_registration() {
    let ends: [fn(&mut EventLoop); 2] = [|it| it.eagain(0, Write), |it| it.unregister(fd(0))];
    for end in ends {
        let (rig, _kernel) = rig(2);
        rig.state().queue_for(0, Write);
        end(&mut rig.state());
        assert!(sleeps(&rig));
        assert_eq!(rig.pop(Write), None);
    }
}

#[test]
fn what_is_queued_and_ready_too_is_reported_once_a_wait() {
    let (rig, kernel) = watching_rig(3);
    (0..3).for_each(|n| set_ready(&kernel, n, Interest::READ));
    for _ in 0..2 {
        rig.state().queue_for(2, Read);
        rig.wait(Limit::Never).unwrap();
        let mut reported = rig.drain(Read);
        reported.sort_unstable();
        assert_eq!(reported, [0, 1, 2]);
    }
}

/// Each takes one event a wait, and queues it again or leaves it ready.
#[test]
fn neither_queued_nor_ready_descriptors_wait_for_ever_for_the_other() {
    let (rig, kernel) = watching_rig(2);
    set_ready(&kernel, 0, Interest::READ);
    rig.state().queue_for(1, Read);
    let mut reported = [0; 2];
    for _ in 0..10 {
        rig.wait(Limit::Never).unwrap();
        let number = rig.pop(Read).unwrap();
        reported[number as usize] += 1;
        rig.state().queue_for(1, Read);
    }
    assert!(reported.iter().all(|&n| n >= 3), "{reported:?}");
}

#[test]
fn a_descriptor_is_pending_as_long_as_it_would_be_reported() {
    let (rig, kernel) = watching_rig(1);
    let pending = |dir: Direction| rig.state().pending(0).has(dir);
    set_ready(&kernel, 0, Interest::BOTH);
    rig.wait(Limit::Never).unwrap();
    assert!(pending(Read) && !pending(Write));
    rig.pop(Read);
    assert!(!pending(Read));
    rig.state().queue_for(0, Write);
    assert!(pending(Write));
    rig.pop(Write);
    assert!(!pending(Write));
}

/// The hint is claimed, withdrawn, passed over, and interest stated again.
#[test]
fn a_hint_that_is_not_reported_any_more_is_not_pending() {
    let (rig, _kernel) = rig(0);
    rig.register(fd(0), file(0, 0), true);
    rig.want(fd(0), Write);
    rig.dont_want(fd(0), Write);
    assert_eq!(rig.pop(Write), None);
    rig.want(fd(0), Write);
    let pending = rig.state().pending(0).has(Write);
    assert_eq!(pending, rig.pop(Write) == Some(0));
}
