//! The readiness rules against a scripted kernel, and as a state machine against a naive model.

mod anew;
mod machine;

use super::wait::{Waiter, wait_on};
use super::{Flags, Limit, Reactor};
use crate::backend::{Backend, Token, fake::Fake};
use crate::fd::Fd;
use crate::interest::{Direction, Interest, Trigger};
use crate::mode::Mode;
use crate::sys::lock::{ForkLock, Guard};
use crate::time::Deadline;
use std::sync::Arc;
use std::time::Duration;

use Direction::{Read, Write};

/// A loop of its own on some backend.
pub(super) struct Rig {
    lock: ForkLock<Reactor>,
}

impl Rig {
    pub(super) fn new(backend: Arc<dyn Backend>) -> Rig {
        let mut r = Reactor::new();
        r.backend = Some(backend);
        Rig { lock: ForkLock::new(r) }
    }

    pub(super) fn state(&self) -> Guard<'_, Reactor> {
        self.lock.lock()
    }

    pub(super) fn register(&self, fd: Fd, can_write: bool) {
        self.state().register(fd, Flags { can_write, mode: Some(Mode::Nonblocking) }).unwrap();
    }

    pub(super) fn wait(&self, limit: Limit) -> Result<usize, nix::errno::Errno> {
        wait_on(&self.lock, limit, Waiter::Program)
    }

    pub(super) fn pop(&self, dir: Direction) -> Option<u32> {
        self.state().next(dir)
    }

    pub(super) fn drain(&self, dir: Direction) -> Vec<u32> {
        std::iter::from_fn(|| self.pop(dir)).collect()
    }
}

fn fd(n: u32) -> Fd {
    Fd::from_index(n)
}

/// A rig with descriptors 0 to `n` - 1 registered and wanted for reading.
fn rig(n: u32) -> (Rig, Arc<Fake>) {
    let fake = Fake::new();
    let rig = Rig::new(fake.clone());
    for i in 0..n {
        rig.register(fd(i), false);
        rig.state().want(fd(i), Read);
    }
    (rig, fake)
}

fn set_ready(fake: &Fake, n: u32, interest: Interest) {
    fake.script().happen(fd(n), interest);
}

/// Waits without limit and says whether it slept.
fn sleeps(rig: &Rig, fake: &Fake) -> bool {
    fake.script().slept = None;
    let _ = rig.wait(Limit::Never);
    fake.script().slept.is_some()
}

#[test]
fn rule4_a_request_answer_cycle_changes_no_registration() {
    let (rig, fake) = rig(1);
    for round in 0..10 {
        set_ready(&fake, 0, Interest::BOTH);
        rig.wait(Limit::Never).unwrap();
        assert_eq!(rig.drain(Read), [0]);
        set_ready(&fake, 0, Interest::WRITE);
        rig.state().moved(fd(0), Read, false);
        rig.state().dont_want(fd(0), Read);
        rig.state().want(fd(0), Write);
        rig.wait(Limit::Never).unwrap();
        assert_eq!(rig.drain(Write), [0]);
        rig.state().dont_want(fd(0), Write);
        rig.state().want(fd(0), Read);
        assert_eq!(fake.script().sets, 1, "round {round}");
    }
}

#[test]
fn rule3_d7_an_unwanted_hangup_ends_one_wait_and_no_more() {
    let (rig, fake) = rig(2);
    assert!(sleeps(&rig, &fake));
    rig.state().dont_want(fd(0), Read);
    fake.script().hung_up.insert(fd(0), true);
    let before = fake.script().looks;
    for _ in 0..10 {
        assert!(sleeps(&rig, &fake));
    }
    assert_eq!(fake.script().looks, before + 11);
    assert!(!fake.script().watched.contains_key(&fd(0)));
    rig.state().want(fd(0), Read);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read), [0], "wanted again, the hang-up is reported");
}

#[test]
fn rule5_d4_d5_what_is_always_ready_starves_nobody() {
    let (rig, fake) = rig(3);
    (0..3).for_each(|n| set_ready(&fake, n, Interest::READ));
    let order: Vec<u32> = (0..6)
        .map(|_| {
            rig.wait(Limit::Never).unwrap();
            rig.pop(Read).unwrap()
        })
        .collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn m4_d23_a_report_left_over_is_verified_by_the_next_wait() {
    let (rig, fake) = rig(2);
    set_ready(&fake, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    set_ready(&fake, 0, Interest::NONE);
    set_ready(&fake, 1, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read), [1]);
}

#[test]
fn m5_events_left_over_keep_a_wait_from_sleeping() {
    let (rig, fake) = rig(1);
    set_ready(&fake, 0, Interest::READ);
    assert!(!sleeps(&rig, &fake));
    assert!(!sleeps(&rig, &fake));
    rig.state().moved(fd(0), Read, false);
    set_ready(&fake, 0, Interest::NONE);
    assert!(sleeps(&rig, &fake));
}

#[test]
fn m9_d3_d22_the_hint_serves_once_and_a_full_socket_voids_it() {
    let (rig, fake) = rig(0);
    rig.register(fd(0), true);
    rig.register(fd(1), true);
    rig.state().want(fd(0), Write);
    rig.state().want(fd(1), Write);
    rig.state().moved(fd(1), Write, false);
    assert!(!sleeps(&rig, &fake), "a hinted event needs no kernel");
    assert_eq!(rig.drain(Write), [0]);
    assert!(sleeps(&rig, &fake));
    set_ready(&fake, 0, Interest::WRITE);
    set_ready(&fake, 1, Interest::WRITE);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Write), [0, 1]);
}

#[test]
fn q4_what_cannot_be_watched_is_asked_about() {
    let (rig, fake) = rig(2);
    fake.script().unwatchable.push(fd(0));
    set_ready(&fake, 0, Interest::READ);
    for _ in 0..3 {
        rig.wait(Limit::Never).unwrap();
        assert_eq!(rig.drain(Read), [0]);
    }
}

#[test]
fn q8_a_queued_event_is_delivered_once_without_want() {
    let (rig, fake) = rig(1);
    rig.state().dont_want(fd(0), Read);
    assert!(rig.state().queue_for(fd(0), Read));
    assert!(!rig.state().queue_for(fd(9), Read));
    rig.state().dont_want(fd(0), Read);
    assert!(!sleeps(&rig, &fake));
    assert_eq!(rig.drain(Read), [0]);
    rig.state().queue_for(fd(0), Write);
    rig.state().eagain(fd(0), Write);
    assert_eq!(rig.drain(Write), []);
}

#[test]
fn rule6_closing_is_final() {
    let (rig, fake) = rig(2);
    (0..2).for_each(|n| set_ready(&fake, n, Interest::READ));
    rig.state().table.get(fd(0)).unwrap().cookie = 7;
    rig.state().set_deadline(fd(0), Deadline::from_nanos(1)).unwrap();
    rig.wait(Limit::Never).unwrap();
    rig.state().unregister(fd(0));
    assert_eq!(rig.drain(Read), [1]);
    assert_eq!(rig.state().next_expired(Deadline::now), None);
    rig.register(fd(0), false);
    assert_eq!(rig.state().table.get(fd(0)).unwrap().cookie, 0);
    rig.wait(Limit::Now).unwrap();
    assert_eq!(rig.drain(Read), [1]);
}

#[test]
fn d12_a_number_closed_behind_our_back_starts_clean() {
    let (rig, fake) = rig(1);
    rig.state().table.get(fd(0)).unwrap().cookie = 7;
    assert!(sleeps(&rig, &fake));
    rig.register(fd(0), false);
    assert_eq!(rig.state().table.get(fd(0)).unwrap().cookie, 7, "the same file keeps everything");
    fake.script().watched.clear();
    rig.register(fd(0), false);
    let mut state = rig.state();
    let e = state.table.get(fd(0)).unwrap();
    assert_eq!((e.cookie, e.want), (0, Interest::NONE));
}

#[test]
fn ghosts_of_closed_descriptors_bring_a_new_backend() {
    let (rig, fake) = rig(1);
    fake.script().ghosts.push(Token { fd: fd(0), generation: 99 });
    rig.wait(Limit::Now).unwrap();
    assert!(!rig.state().stale, "one can be a race");
    rig.wait(Limit::Now).unwrap();
    assert!(rig.state().stale);
}

#[test]
fn d28_a_copy_elsewhere_is_unregistered_before_close() {
    let (rig, fake) = rig(2);
    assert!(sleeps(&rig, &fake));
    let before = fake.script().sets;
    rig.state().unregister(fd(0));
    assert_eq!(fake.script().sets, before, "closing does it");
    rig.state().forks += 1;
    rig.state().unregister(fd(1));
    assert_eq!(fake.script().sets, before + 1, "the child's copy would keep it");
}

#[test]
fn rule7_k6_d36_deadlines_bound_the_sleep_once() {
    let (rig, fake) = rig(1);
    let now = Deadline::now();
    let soon = Deadline::from_nanos(
        i64::try_from(now.since(Deadline::from_nanos(0)).as_nanos()).unwrap() + 200_000_000,
    );
    rig.state().set_deadline(fd(0), soon).unwrap();
    assert!(sleeps(&rig, &fake));
    let slept = fake.script().slept.flatten().unwrap();
    assert!(slept <= Duration::from_millis(200) && slept > Duration::from_millis(100), "{slept:?}");
    rig.state().dont_want(fd(0), Read);
    rig.state().set_deadline(fd(0), Deadline::from_nanos(1)).unwrap();
    assert!(!sleeps(&rig, &fake), "an expired deadline ends one wait");
    assert!(sleeps(&rig, &fake), "and only one");
    assert_eq!(rig.state().next_expired(Deadline::now), Some(0));
}

#[test]
fn t29_nothing_wanted_returns_at_once() {
    let (rig, fake) = rig(1);
    rig.state().dont_want(fd(0), Read);
    assert!(!sleeps(&rig, &fake));
    assert_eq!(fake.script().looks, 0);
}

#[test]
fn what_is_withdrawn_before_the_wait_costs_nothing() {
    let (rig, fake) = rig(3);
    rig.state().unregister(fd(0));
    rig.state().dont_want(fd(1), Read);
    assert!(sleeps(&rig, &fake));
    assert_eq!(fake.script().sets, 1);
}

#[test]
fn m4_events_that_were_put_off_do_not_outlive_what_the_program_does() {
    let changes: [fn(&mut Reactor); 4] = [
        |r| r.moved(fd(1), Read, false),
        |r| r.eagain(fd(1), Read),
        |r| r.dont_want(fd(1), Read),
        |r| r.unregister(fd(1)),
    ];
    for change in changes {
        let (rig, fake) = rig(3);
        (0..3).for_each(|n| set_ready(&fake, n, Interest::READ));
        rig.wait(Limit::Never).unwrap();
        assert_eq!(rig.pop(Read), Some(0));
        assert!(rig.state().has_rest());
        change(&mut rig.state());
        assert_eq!(rig.drain(Read), [2]);
    }
}

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
        rig.state().moved(fd(0), Write, true);
        rig.state().dont_want(fd(0), Write);
        rig.state().want(fd(0), Read);
    }
    assert_eq!(rig.state().table.get(fd(0)).unwrap().trigger, Trigger::Edge);
    (rig, fake)
}

/// A read that takes all there is.
fn take(rig: &Rig, fake: &Fake) {
    fake.script().ready.insert(fd(0), Interest::WRITE);
    rig.state().moved(fd(0), Read, false);
}

#[test]
fn rule1_after_a_write_an_edge_says_nothing_of_writing() {
    let (rig, fake) = turn_taker();
    set_ready(&fake, 0, Interest::BOTH);
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read), [0]);
    take(&rig, &fake);
    rig.state().moved(fd(0), Write, true);
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
fn rule6_a_connection_that_was_only_asked_about_is_new_when_it_is_set_up_again() {
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
    rig.register(fd(0), false);
    assert_eq!(rig.state().table.get(fd(0)).unwrap().cookie, 7, "nothing says that it is another");
    set_up(0);
    assert_eq!(rig.state().table.get(fd(0)).unwrap().cookie, 0);
}
