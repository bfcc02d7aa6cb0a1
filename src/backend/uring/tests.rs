//! What the suite on top cannot arrange: a full queue, lost completions, threads that end.

use super::Uring;
use crate::backend::{Asked, Backend, EVENTS, Events, Token};
use crate::fd::Fd;
use crate::interest::{Interest, Watch};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, recv, shutdown, socketpair};
use nix::unistd::{read, write};
use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);
/// Long enough that a wait sleeps, which puts everything into the ring.
const MOMENT: Duration = Duration::from_millis(1);

/// `None` where the system refuses io_uring: a trial of the C suite says so.
fn ring() -> Option<Arc<Uring>> {
    Uring::open().map(Arc::new).inspect_err(|e| eprintln!("no io_uring here: {e}")).ok()
}

fn token(fd: &impl AsRawFd) -> Token {
    let fd = Fd::new(i64::from(fd.as_raw_fd())).unwrap();
    Token { fd, generation: 7 }
}

fn set(ring: &Uring, fd: &impl AsRawFd, interest: Interest) {
    ring.set(token(fd), Watch::default(), Watch::level(interest)).unwrap();
}

fn wait(ring: &Uring, timeout: Duration) -> Vec<(Fd, Interest)> {
    look(ring, &[], Some(timeout)).unwrap()
}

fn look(ring: &Uring, asked: &[Asked], timeout: Option<Duration>) -> Result<Vec<(Fd, Interest)>, Errno> {
    let mut events = Events::NONE;
    events.make_room(EVENTS)?;
    ring.wait(&mut events, asked, timeout)?;
    let report = |i| events.get(i).map(|e| (e.token().unwrap().fd, e.ready()));
    Ok((0..).map_while(report).collect())
}

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_NONBLOCK).unwrap()
}

/// A pair whose first end is in the ring.
fn armed_pair(ring: &Uring) -> (OwnedFd, OwnedFd) {
    let (a, b) = pair();
    set(ring, &a, Interest::READ);
    assert_eq!(wait(ring, MOMENT), []);
    assert_eq!(ring.state.lock().hot(), 0);
    (a, b)
}

fn is_at_end(peer: &OwnedFd) -> bool {
    recv(peer.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT) == Ok(0)
}

fn counter() -> EventFd {
    EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).unwrap()
}

fn ring_up(counter: &EventFd) {
    counter.write(1).unwrap();
}

#[test]
fn more_completions_than_the_queue_holds_lose_nobody() {
    let Some(ring) = ring() else { return };
    let counters: Vec<EventFd> = (0..3000).map(|_| counter()).collect();
    counters.iter().for_each(|c| set(&ring, c, Interest::READ));
    assert_eq!(wait(&ring, MOMENT), []);
    counters.iter().for_each(ring_up);
    assert!(ring.state.lock().ring.has_overflow());
    let mut reported = BTreeSet::new();
    while reported.len() < counters.len() {
        let events = wait(&ring, Duration::ZERO);
        assert_eq!(events.len(), EVENTS.min(counters.len() - reported.len()), "each its turn");
        for (fd, ready) in events {
            assert_eq!(ready, Interest::READ);
            assert!(reported.insert(fd), "{fd:?} took the turn of another");
            let counter = counters.iter().find(|&c| token(c).fd == fd).unwrap();
            read(counter, &mut [0; 8]).unwrap();
        }
    }
    assert_eq!(wait(&ring, Duration::ZERO), []);
}

#[test]
fn lost_completions_are_made_up_for() {
    let Some(ring) = ring() else { return };
    let (a, b) = armed_pair(&ring);
    write(&b, b"x").unwrap();
    {
        let mut state = ring.state.lock();
        while state.ring.pop().is_some() {}
        state.lost = state.lost.wrapping_sub(1);
    }
    assert_eq!(wait(&ring, LONG), [(token(&a).fd, Interest::READ)]);
}

#[test]
fn a_stale_completion_is_no_report() {
    let Some(ring) = ring() else { return };
    let (a, b) = armed_pair(&ring);
    write(&b, b"x").unwrap();
    assert!(ring.state.lock().ring.has_completion());
    read(&a, &mut [0; 8]).unwrap();
    assert_eq!(wait(&ring, Duration::ZERO), []);
    assert_eq!(wait(&ring, MOMENT), []);
    write(&b, b"x").unwrap();
    assert_eq!(wait(&ring, LONG), [(token(&a).fd, Interest::READ)]);
}

#[test]
fn the_peer_hears_of_a_close_at_once() {
    let Some(ring) = ring() else { return };
    let ends: [fn(&Uring, Token); 2] = [
        |ring, token| ring.closing(token),
        |ring, token| ring.set(token, Watch::level(Interest::READ), Watch::default()).unwrap(),
    ];
    for end in ends {
        let (a, b) = armed_pair(&ring);
        end(&ring, token(&a));
        drop(a);
        assert!(is_at_end(&b));
        // More interest leaves a request behind that has to be taken back.
        let (a, b) = armed_pair(&ring);
        set(&ring, &a, Interest::BOTH);
        assert_eq!(wait(&ring, Duration::ZERO), [(token(&a).fd, Interest::WRITE)]);
        end(&ring, token(&a));
        drop(a);
        assert!(is_at_end(&b));
    }
}

#[test]
fn a_number_that_changed_hands_holds_its_file_until_it_is_noticed() {
    let Some(ring) = ring() else { return };
    let (mut a, b) = armed_pair(&ring);
    let watch = Watch::level(Interest::READ);
    assert!(ring.same_file(token(&a), watch));
    let (c, _d) = pair();
    nix::unistd::dup2(&c, &mut a).unwrap();
    assert!(!is_at_end(&b), "if the kernel tells of a close by now, so can we");
    assert!(!ring.same_file(token(&a), watch));
    ring.closing(token(&a));
    assert!(is_at_end(&b));
}

#[test]
fn requests_outlive_the_thread_that_made_them() {
    let Some(ring) = ring() else { return };
    let (a, b) = std::thread::scope(|s| s.spawn(|| armed_pair(&ring)).join().unwrap());
    for _ in 0..2 {
        write(&b, b"x").unwrap();
        assert_eq!(wait(&ring, LONG), [(token(&a).fd, Interest::READ)]);
        read(&a, &mut [0; 8]).unwrap();
    }
}

#[test]
fn other_threads_reach_the_sleepers() {
    let Some(ring) = ring() else { return };
    let begun = Instant::now();
    let asleep = |n: usize| {
        while ring.state.lock().sleepers < n {
            std::thread::yield_now();
        }
    };
    std::thread::scope(|s| {
        let (a, _b) = pair();
        let sleeper = s.spawn(|| wait(&ring, LONG));
        asleep(1);
        set(&ring, &a, Interest::WRITE);
        assert_eq!(sleeper.join().unwrap(), [(token(&a).fd, Interest::WRITE)]);
        ring.closing(token(&a));

        let sleeper = s.spawn(|| wait(&ring, LONG));
        asleep(1);
        ring.wake();
        assert_eq!(sleeper.join().unwrap(), []);
        ring.wake();
        assert_eq!(wait(&ring, LONG), []);

        let (c, d) = armed_pair(&ring);
        let sleepers: Vec<_> = (0..3).map(|_| s.spawn(|| wait(&ring, LONG))).collect();
        asleep(3);
        ring.closing(token(&c));
        drop(c);
        while !is_at_end(&d) {
            assert!(begun.elapsed() < LONG);
            std::thread::yield_now();
        }
        assert!(sleepers.iter().all(|t| !t.is_finished()), "nothing happened to what is watched");
        ring.shut();
        sleepers.into_iter().for_each(|t| assert_eq!(t.join().unwrap(), []));
        assert_eq!(wait(&ring, LONG), []);
        assert!(begun.elapsed() < LONG);
    });
}

#[test]
fn what_is_idle_costs_a_wait_nothing() {
    let Some(ring) = ring() else { return };
    let counters: Vec<EventFd> = (0..1000).map(|_| counter()).collect();
    counters.iter().for_each(|c| set(&ring, c, Interest::READ));
    let report = |i: usize| (token(&counters[i]).fd, Interest::READ);
    ring_up(&counters[500]);
    assert_eq!(ring.state.lock().hot(), 1000);
    for _ in 0..20 {
        assert_eq!(wait(&ring, Duration::ZERO), [report(500)]);
    }
    assert_eq!(ring.state.lock().hot(), 1);
    ring_up(&counters[999]);
    assert_eq!(wait(&ring, Duration::ZERO), [report(500), report(999)]);
}

#[test]
fn rule5_who_found_no_room_comes_first() {
    let Some(ring) = ring() else { return };
    let counters: Vec<EventFd> = (0..400).map(|_| counter()).collect();
    counters.iter().for_each(ring_up);
    let (asked, watched) = counters.split_at(100);
    let asked: Vec<_> = asked.iter().map(|c| Asked { token: token(c), interest: Interest::READ }).collect();
    watched.iter().for_each(|c| set(&ring, c, Interest::READ));
    let mut reported = BTreeSet::new();
    for _ in 0..2 {
        reported.extend(look(&ring, &asked, None).unwrap().into_iter().map(|(fd, _)| fd));
    }
    assert_eq!(reported.len(), 400);
}

#[test]
fn a_request_that_was_replaced_is_not_taken_for_its_successor() {
    let Some(ring) = ring() else { return };
    let (a, b) = pair();
    fill(&a);
    set(&ring, &a, Interest::WRITE);
    assert_eq!(wait(&ring, MOMENT), []);
    set(&ring, &a, Interest::BOTH);
    for _ in 0..3 {
        assert_eq!(wait(&ring, MOMENT), []);
    }
    ring.closing(token(&a));
    drop(a);
    // Reading would let a forgotten request complete.
    let mut end = [PollFd::new(b.as_fd(), PollFlags::empty())];
    poll(&mut end, PollTimeout::ZERO).unwrap();
    assert!(end[0].revents().unwrap().contains(PollFlags::POLLHUP));
}

fn fill(end: &OwnedFd) {
    while write(end, &[0; 4096]).is_ok() {}
}

fn drain(end: &OwnedFd) {
    while read(end, &mut [0; 4096]).is_ok_and(|n| n > 0) {}
}

/// A pair whose first end is full and waits for room, while the other one sends no more.
fn half_closed_pair(ring: &Uring) -> (OwnedFd, OwnedFd) {
    let (a, b) = pair();
    fill(&a);
    shutdown(b.as_raw_fd(), Shutdown::Write).unwrap();
    set(ring, &a, Interest::WRITE);
    assert_eq!(wait(ring, MOMENT), []);
    (a, b)
}

#[test]
fn rule3_a_peer_that_sends_no_more_is_told_of_once() {
    let Some(ring) = ring() else { return };
    let (a, b) = half_closed_pair(&ring);
    for _ in 0..3 {
        assert_eq!(wait(&ring, 50 * MOMENT), []);
        let taken = ring.state.lock().taken;
        assert!(taken < 50, "{taken} completions");
        drain(&b);
        assert_eq!(wait(&ring, LONG), [(token(&a).fd, Interest::WRITE)]);
        fill(&a);
    }
    ring.closing(token(&a));
    drop(a);
    drain(&b);
    assert!(is_at_end(&b));
}

#[test]
fn a_request_that_stays_hides_no_readiness_from_others() {
    let Some(ring) = ring() else { return };
    let (a, b) = half_closed_pair(&ring);
    drain(&b);
    assert_eq!(wait(&ring, LONG), [(token(&a).fd, Interest::WRITE)]);
    // As when a wait returns while others sleep.
    ring.state.lock().arm_all().unwrap();
    assert_eq!(wait(&ring, LONG), [(token(&a).fd, Interest::WRITE)]);
}

#[test]
fn a_change_that_one_thread_hears_of_while_another_asks_is_not_lost() {
    let Some(ring) = ring() else { return };
    let (a, b) = half_closed_pair(&ring);
    while !ring.state.lock().ring.has_completion() {
        read(&b, &mut [0; 4096]).unwrap();
    }
    fill(&a);
    let mut events = Events::NONE;
    events.make_room(EVENTS).unwrap();
    {
        let mut state = ring.state.lock();
        assert!(state.reap().unwrap());
        events.begin(1).unwrap();
        assert_eq!(state.ask(&mut events, 1), 1);
        drain(&b);
        assert!(state.reap().unwrap());
        state.put_back(&events, 0..1, true, None).unwrap();
    }
    assert_eq!(wait(&ring, LONG), [(token(&a).fd, Interest::WRITE)]);
}

#[test]
fn what_was_told_when_nobody_wanted_it_is_looked_at_when_somebody_does() {
    let Some(ring) = ring() else { return };
    let (a, _b) = half_closed_pair(&ring);
    set(&ring, &a, Interest::BOTH);
    assert_eq!(wait(&ring, LONG), [(token(&a).fd, Interest::READ)]);
    ring.state.lock().arm_all().unwrap();
    set(&ring, &a, Interest::WRITE);
    assert_eq!(wait(&ring, MOMENT), []);
    set(&ring, &a, Interest::BOTH);
    assert_eq!(wait(&ring, LONG), [(token(&a).fd, Interest::READ)]);
}

#[test]
fn a_ring_that_the_program_closed_says_so() {
    let Some(ring) = ring() else { return };
    let (_a, _b) = armed_pair(&ring);
    let number = ring.state.lock().ring.fd();
    // Another test may get the number meanwhile, which makes no difference.
    crate::sys::mode::close(number).unwrap();
    assert_eq!(look(&ring, &[], Some(LONG)), Err(Errno::EBADF));
    ring.abandon();
}
