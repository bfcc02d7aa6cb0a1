//! Registrations that outlive their descriptor or their file, and how the loop replaces its backend.

use super::*;
use crate::backend::{Backend, Token, open_named};
use crate::sys::pair::stream_sockets;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

fn token(n: u32) -> Token {
    Token { fd: fd(n), generation: slot(n).generation() }
}

fn close(rig: &Rig, n: u32) {
    rig.state().unregister(fd(n));
}

#[test]
fn closing_tells_the_backend_nothing_as_long_as_closing_ends_what_it_watches() {
    let (rig, kernel) = watching_rig(2);
    let before = calls(&kernel).0;
    close(&rig, 0);
    assert_eq!(calls(&kernel).0, before);
}

#[test]
fn a_descriptor_with_a_copy_elsewhere_is_removed_before_it_is_closed() {
    let copies: [fn(&Rig); 2] = [|_| slot(0).shared.set(true), |rig| rig.fork()];
    for copy in copies {
        let (rig, kernel) = watching_rig(2);
        copy(&rig);
        let before = calls(&kernel).0;
        close(&rig, 0);
        assert_eq!((calls(&kernel).0, watched(&kernel, 0)), (before + 1, Interest::NONE));
    }
}

#[test]
fn an_event_of_a_registration_that_ended_before_the_look_has_every_close_told_and_the_set_rebuilt() {
    let (rig, kernel) = watching_rig(2);
    let ended = token(0);
    close(&rig, 0);
    kernel.script().stale.push(ended);
    assert_eq!(readers(&rig), [0; 0]);
    let mut state = rig.state();
    // As the next wait begins.
    state.narrow();
    assert!(state.removes_explicitly && state.is_stale);
}

#[test]
fn an_event_of_a_registration_that_ended_after_the_look_says_nothing() {
    let (rig, kernel) = watching_rig(2);
    set_ready(&kernel, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    close(&rig, 0);
    assert!(sleeps(&rig));
    let state = rig.state();
    assert!(!state.removes_explicitly && !state.is_stale);
}

#[test]
fn an_event_of_a_registration_that_ended_after_another_thread_began_to_look_says_nothing() {
    let (rig, kernel) = watching_rig(2);
    set_ready(&kernel, 0, Interest::READ);
    rig.wait(Limit::Never).unwrap();
    table::begin_look();
    close(&rig, 0);
    let mut state = rig.state();
    state.narrow();
    assert!(!state.removes_explicitly && !state.is_stale);
}

/// One number of ours, which the kernel watches, and a copy of the file under another.
fn copied() -> (Rig, [OwnedFd; 2], OwnedFd) {
    let rig = Rig::new(open_named("epoll").unwrap());
    let [ours, peer] = stream_sockets().unwrap();
    let copy = ours.try_clone().unwrap();
    (rig, [ours, peer], copy)
}

fn watch(rig: &Rig, n: u32, version: u64) {
    rig.register(fd(n), file(n, version), false);
    rig.want(fd(n), Read);
    rig.wait(Limit::Now).unwrap();
}

#[test]
fn the_set_is_rebuilt_once_and_then_nothing_stale_is_left() {
    let (rig, [ours, peer], copy) = copied();
    let [other, other_peer] = stream_sockets().unwrap();
    watch(&rig, other.as_raw_fd() as u32, 0);
    let n = ours.into_raw_fd() as u32;
    watch(&rig, n, 0);
    close(&rig, n);
    // SAFETY: the number is this test's, and is given up here.
    drop(unsafe { OwnedFd::from_raw_fd(n as i32) });
    nix::unistd::write(&peer, b"x").unwrap();
    let first = rig.state().live_backend().cloned().unwrap();
    rig.wait(Limit::Now).unwrap();
    assert_eq!(rig.wait(Limit::Now), Ok(0), "the copy is not watched any more");
    let second = rig.state().live_backend().cloned().unwrap();
    assert!(!second.is(&first) && rig.state().removes_explicitly);
    assert_eq!(rig.pop(Read), None);
    for _ in 0..3 {
        assert_eq!(rig.wait(Limit::Now), Ok(0));
        assert!(rig.state().live_backend().is_some_and(|b| b.is(&second)), "rebuilt once");
    }
    drop(copy);
    nix::unistd::write(&other_peer, b"x").unwrap();
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read), [other.as_raw_fd() as u32], "what is open is watched again");
}

#[test]
fn a_copy_that_is_removed_when_it_is_closed_leaves_the_set_as_it_is() {
    let (rig, [ours, peer], _copy) = copied();
    let n = ours.into_raw_fd() as u32;
    watch(&rig, n, 0);
    slot(n).shared.set(true);
    close(&rig, n);
    // SAFETY: the number is this test's, and is given up here.
    drop(unsafe { OwnedFd::from_raw_fd(n as i32) });
    nix::unistd::write(&peer, b"x").unwrap();
    rig.wait(Limit::Now).unwrap();
    rig.wait(Limit::Now).unwrap();
    let state = rig.state();
    assert!(!state.removes_explicitly && !state.is_stale);
}

#[test]
fn what_was_known_of_a_number_goes_when_it_is_closed() {
    let (rig, kernel) = watching_rig(2);
    (0..2).for_each(|n| set_ready(&kernel, n, Interest::READ));
    slot(0).cookie.set(7);
    rig.wait(Limit::Never).unwrap();
    close(&rig, 0);
    assert_eq!(rig.drain(Read), [1]);
    register(&rig, 0);
    assert_eq!((slot(0).cookie.get(), slot(0).want.get()), (0, Interest::NONE));
    assert_eq!(readers(&rig), [1]);
}

#[test]
fn a_number_that_was_closed_behind_our_back_starts_clean_watched_or_not() {
    for is_watched in [false, true] {
        let (rig, kernel) = rig(1);
        slot(0).cookie.set(7);
        if is_watched {
            assert!(sleeps(&rig));
        }
        register(&rig, 0);
        assert_eq!((slot(0).cookie.get(), slot(0).want.get()), (7, Interest::READ), "the same file");
        rig.register(fd(0), file(0, 1), false);
        assert_eq!((slot(0).cookie.get(), slot(0).want.get()), (0, Interest::NONE));
        assert_eq!(watched(&kernel, 0), Interest::NONE);
    }
}

/// As eventfds, which all have one identity: what the kernel watches is one of them.
#[test]
fn a_file_of_the_same_identity_that_is_not_watched_is_another_file() {
    let (rig, kernel) = watching_rig(1);
    slot(0).cookie.set(7);
    kernel.script().watched.clear();
    register(&rig, 0);
    assert_eq!((slot(0).cookie.get(), slot(0).want.get()), (0, Interest::NONE));
}

#[test]
fn a_new_backend_is_told_of_all_that_is_wanted_and_only_once_asked_to() {
    let [ours, peer] = stream_sockets().unwrap();
    let rig = Rig::new(open_named("epoll").unwrap());
    let n = ours.as_raw_fd() as u32;
    watch(&rig, n, 0);
    slot(n).cookie.set(7);
    rig.state().lose_backend();
    assert!(rig.state().live_backend().is_none());
    nix::unistd::write(&peer, b"x").unwrap();
    rig.wait(Limit::Never).unwrap();
    assert_eq!(rig.drain(Read), [n]);
    assert_eq!(slot(n).cookie.get(), 7);
    assert_eq!(slot(n).watched.get(), Interest::READ);
}

#[test]
fn a_backend_whose_descriptors_the_program_closed_is_replaced() {
    for name in ["epoll", "poll"] {
        let [ours, peer] = stream_sockets().unwrap();
        let backend = open_named(name).unwrap();
        let rig = Rig::new(backend.clone());
        let n = ours.as_raw_fd() as u32;
        watch(&rig, n, 0);
        let own = (0..1024).map(fd).filter(|&fd| backend.has_number(fd)).collect::<Vec<_>>();
        assert!(!own.is_empty(), "{name}");
        // Other files under its numbers: closing them would tempt the tests that run beside.
        let null = std::fs::File::open("/dev/null").unwrap();
        for fd in own {
            // SAFETY: the number is the backend's, which nobody else uses; it is not closed twice.
            let mut number = unsafe { OwnedFd::from_raw_fd(fd.raw()) };
            nix::unistd::dup2(&null, &mut number).unwrap();
            std::mem::forget(number);
        }
        nix::unistd::write(&peer, b"x").unwrap();
        rig.wait(Limit::Now).unwrap();
        rig.wait(Limit::Now).unwrap();
        assert_eq!(rig.drain(Read), [n], "{name}");
    }
}

#[test]
fn a_shutdown_forgets_everything_and_the_next_registration_begins_anew() {
    let (rig, kernel) = watching_rig(2);
    (0..2).for_each(|n| set_ready(&kernel, n, Interest::READ));
    rig.state().set_deadline(0, crate::time::Deadline::from_nanos(1)).unwrap();
    rig.wait(Limit::Never).unwrap();
    drop(rig.state().shut_down());
    assert!((0..2).all(|n| !slot(n).is_registered()));
    assert_eq!((rig.pop(Read), rig.state().next_expired(crate::time::Deadline::now)), (None, None));
    assert!(!sleeps(&rig), "nothing is wanted");
}
