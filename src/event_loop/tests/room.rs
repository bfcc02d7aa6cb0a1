//! How many events a look takes.

use super::*;
use crate::backend::open_named;
use crate::sys::pair::stream_sockets;
use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

/// A rig whose `n` descriptors are always ready.
fn busy_rig(n: u32) -> (Rig, Arc<Scripted>) {
    let (rig, kernel) = watching_rig(n);
    (0..n).for_each(|n| set_ready(&kernel, n, Interest::READ));
    (rig, kernel)
}

/// Waits and takes up to `n` events.
fn take(rig: &Rig, n: usize) -> Vec<u32> {
    rig.wait(Limit::Never).unwrap();
    (0..n).map_while(|_| rig.pop(Read)).collect()
}

#[test]
fn a_look_takes_as_many_events_as_the_program_took_of_the_last_one() {
    for taken in [1, 7, 30] {
        let (rig, kernel) = busy_rig(300);
        for _ in 0..3 {
            assert_eq!(take(&rig, taken).len(), taken);
        }
        assert_eq!(kernel.script().room, taken);
    }
}

#[test]
fn a_program_that_asks_for_more_than_a_full_look_had_gets_twice_as_many() {
    let (rig, kernel) = busy_rig(1000);
    take(&rig, 3);
    assert_eq!(take(&rig, 3).len(), 3);
    let mut had = 3;
    for _ in 0..8 {
        let got = take(&rig, usize::MAX).len();
        assert!(got == had || got == 2 * had, "{got} after {had}");
        had = got;
    }
    assert!(had > 300, "{had}");
    for _ in 0..3 {
        take(&rig, usize::MAX);
    }
    assert_eq!(take(&rig, usize::MAX).len(), 1000, "there is room for all of them at last");
    assert!(kernel.script().room < 2048, "and it grows no more");
}

#[test]
fn a_program_that_does_not_ask_for_events_keeps_its_room() {
    let (rig, kernel) = busy_rig(100);
    take(&rig, 7);
    for _ in 0..4 {
        rig.wait(Limit::Never).unwrap();
        assert_eq!(kernel.script().room, 7);
    }
    assert_eq!(rig.drain(Read).len(), 7);
}

#[test]
fn an_idle_program_keeps_its_room() {
    let (rig, kernel) = busy_rig(10);
    take(&rig, usize::MAX);
    let room = kernel.script().room;
    for _ in 0..3 {
        assert_eq!(take(&rig, usize::MAX).len(), 10);
    }
    assert_eq!(kernel.script().room, room);
}

#[test]
fn the_slower_of_the_two_cursors_says_how_many_were_taken() {
    let (rig, kernel) = busy_rig(60);
    (0..60).for_each(|n| {
        rig.want(fd(n), Write);
        set_ready(&kernel, n, Interest::BOTH);
    });
    // Until writing is watched, too.
    for _ in 0..3 {
        rig.wait(Limit::Never).unwrap();
        assert_eq!((rig.drain(Read).len(), rig.drain(Write).len()), (60, 60));
    }
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read).len(), 60);
    assert_eq!((0..5).map_while(|_| rig.pop(Write)).count(), 5);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(kernel.script().room, 5);
}

#[test]
fn nobody_starves_however_few_a_turn_are_taken() {
    const ALL: u32 = 300;
    for taken in [1, 7, 100] {
        let (rig, _kernel) = busy_rig(ALL);
        let mut reports = vec![0; ALL as usize];
        let rounds = 4 * (ALL as usize).div_ceil(taken);
        for _ in 0..rounds {
            take(&rig, taken).into_iter().for_each(|n| reports[n as usize] += 1);
        }
        let (least, most) = (*reports.iter().min().unwrap(), *reports.iter().max().unwrap());
        assert!(least >= 2 && most <= 3 * least, "from {least} to {most} with {taken} a turn");
    }
}

#[test]
fn nobody_starves_in_the_kernel() {
    const ALL: usize = 90;
    for name in ["epoll", "poll"] {
        let rig = Rig::new(open_named(name).unwrap());
        let sockets: Vec<_> = (0..ALL).map(|_| stream_sockets().unwrap()).collect();
        for [ours, peer] in &sockets {
            nix::unistd::write(peer, b"x").unwrap();
            let n = ours.as_raw_fd() as u32;
            register(&rig, n);
            rig.want(fd(n), Read);
        }
        for taken in [1, 7] {
            let mut reports = BTreeMap::new();
            for _ in 0..4 * ALL.div_ceil(taken) {
                take(&rig, taken).into_iter().for_each(|n| *reports.entry(n).or_insert(0) += 1);
            }
            assert_eq!(reports.len(), ALL, "{name}, {taken} a turn");
            assert!(reports.values().all(|&n| n >= 2), "{name}, {taken} a turn: {reports:?}");
        }
    }
}

#[test]
fn a_late_comer_is_reported_beside_descriptors_that_are_always_ready() {
    let (rig, kernel) = busy_rig(100);
    set_ready(&kernel, 50, Interest::NONE);
    assert!((0..10).all(|_| take(&rig, 1) != [50]));
    set_ready(&kernel, 50, Interest::READ);
    let reported: Vec<u32> = (0..110).flat_map(|_| take(&rig, 1)).collect();
    assert!(reported.contains(&50));
}

/// Descriptors whose readiness nobody wants take the only place of a small look.
#[test]
fn a_check_finds_what_is_wanted_although_something_unwanted_is_ready_too() {
    let (rig, kernel) = busy_rig(4);
    // Its turn comes behind the others.
    while take(&rig, 1) != [3] {}
    assert_eq!(kernel.script().room, 1);
    (0..3).for_each(|n| rig.dont_want(fd(n), Read));
    assert_eq!(readers(&rig), [3]);
}
