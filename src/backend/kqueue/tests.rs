use super::changes::{Changes, can_wait};
use super::report::report;
use crate::backend::numbers::ByNumber;
use crate::backend::{EVENTS, Event, Events, Token};
use crate::fd::Fd;
use crate::interest::{Direction, Interest, Trigger, Watch};
use crate::sys::kevent::{ADD, CHANGES, CLEAR, DELETE, EOF, ERROR, Kevent, RECEIPT};
use crate::sys::poll::{IN, OUT, RDHUP};
use nix::errno::Errno;

const NONE: Watch = Watch { interest: Interest::NONE, trigger: Trigger::Level };
const READ: Watch = Watch { interest: Interest::READ, trigger: Trigger::Level };
const WRITE: Watch = Watch { interest: Interest::WRITE, trigger: Trigger::Level };
const BOTH: Watch = Watch { interest: Interest::BOTH, trigger: Trigger::Level };
const EDGES: Watch = Watch { interest: Interest::BOTH, trigger: Trigger::Edge };

fn token(n: u32) -> Token {
    Token { fd: Fd::from_index(n), generation: n + 1000 }
}

fn change(n: u32, dir: Direction, flags: u32) -> Kevent {
    Kevent::change(token(n).fd, dir, flags, token(n).generation)
}

/// What a change from `old` to `new` tells a kernel that takes everything.
fn told(old: Watch, new: Watch) -> Vec<Kevent> {
    let (mut changes, mut told) = (Changes::new(), Vec::new());
    changes.add(token(7), old, new).unwrap();
    let take = |piece: &[Kevent], _: &mut dyn FnMut(Kevent)| {
        told.extend_from_slice(piece);
        Ok(())
    };
    assert_eq!(changes.tell(Some(token(7).fd), take), Ok(()));
    assert!(changes.is_empty());
    told
}

const R: Direction = Direction::Read;
const W: Direction = Direction::Write;

#[test]
fn each_direction_is_a_filter_of_its_own() {
    assert_eq!(told(NONE, READ), [change(7, R, ADD)]);
    assert_eq!(told(NONE, BOTH), [change(7, R, ADD), change(7, W, ADD)]);
    assert_eq!(told(BOTH, READ), [change(7, W, DELETE)]);
    assert_eq!(told(BOTH, NONE), [change(7, R, DELETE), change(7, W, DELETE)]);
    assert_eq!(told(READ, WRITE), [change(7, R, DELETE), change(7, W, ADD)]);
    assert_eq!(
        told(READ, BOTH),
        [change(7, R, ADD), change(7, W, ADD)],
        "all of it: the number may be another file's"
    );
    assert_eq!(told(READ, READ), []);
}

#[test]
fn a_filter_is_for_edges_from_its_beginning() {
    let begin = [change(7, R, ADD | CLEAR), change(7, W, ADD | CLEAR)];
    assert_eq!(told(NONE, EDGES), begin);
    assert_eq!(told(READ, EDGES), [change(7, R, DELETE), begin[0], begin[1]]);
    let end = [change(7, R, DELETE), change(7, W, DELETE)];
    assert_eq!(told(EDGES, READ), [end[0], end[1], change(7, R, ADD)]);
    assert_eq!(told(EDGES, NONE), end);
    let exclusive = Watch { trigger: Trigger::Exclusive, ..READ };
    assert_eq!(told(NONE, exclusive), [change(7, R, ADD)]);
    assert_eq!(told(exclusive, READ), []);
}

#[test]
fn only_what_ends_can_wait() {
    assert!(can_wait(BOTH, READ) && can_wait(BOTH, NONE) && can_wait(EDGES, NONE));
    assert!(
        !can_wait(NONE, READ) && !can_wait(READ, BOTH) && !can_wait(READ, WRITE) && !can_wait(EDGES, READ)
    );
}

/// A kernel that answers each change with `errno`, if that is not 0, or with `receipts` in any case.
fn answering(
    errno: i32,
    receipts: bool,
) -> impl FnMut(&[Kevent], &mut dyn FnMut(Kevent)) -> Result<(), Errno> {
    move |piece, hear| {
        let answer = |c: &Kevent| Kevent { flags: ERROR | RECEIPT, data: errno.into(), ..*c };
        piece.iter().filter(|_| receipts || errno != 0).for_each(|c| hear(answer(c)));
        Ok(())
    }
}

#[test]
fn refusals_are_told_to_who_asked_with_and_without_receipts() {
    let (asker, other) = (Some(token(7).fd), Some(token(8).fd));
    for (errno, verdict) in [
        (0, Ok(())),
        (Errno::EBADF as i32, Err(Errno::EBADF)),
        (Errno::ENOMEM as i32, Err(Errno::ENOMEM)),
        (Errno::EPIPE as i32, Err(Errno::EPERM)),
        (Errno::ENOENT as i32, Ok(())),
    ] {
        for receipts in [true, false] {
            let mut changes = Changes::new();
            changes.add(token(7), NONE, BOTH).unwrap();
            assert_eq!(changes.tell(asker, answering(errno, receipts)), verdict, "{errno} {receipts}");
            changes.add(token(7), NONE, BOTH).unwrap();
            assert_eq!(changes.tell(other, answering(errno, receipts)), Ok(()), "nobody waits for it");
            assert!(changes.is_empty());
        }
    }
}

#[test]
fn an_event_among_the_answers_is_no_refusal() {
    let mut changes = Changes::new();
    changes.add(token(7), NONE, READ).unwrap();
    let r = changes.tell(Some(token(7).fd), |piece, hear| {
        hear(Kevent { flags: EOF, fflags: Errno::ECONNRESET as u32, data: Errno::EIO as i64, ..piece[0] });
        Ok(())
    });
    assert_eq!(r, Ok(()));
}

/// More changes than two calls can tell.
fn many() -> Changes {
    let mut changes = Changes::new();
    (0..2 * CHANGES as u32 + 5).for_each(|n| changes.add(token(n), READ, NONE).unwrap());
    changes
}

#[test]
fn a_call_that_fails_half_way_leaves_what_it_was_to_tell() {
    let mut changes = many();
    let mut told = Vec::new();
    let mut calls = 0;
    let failing = |piece: &[Kevent], _: &mut dyn FnMut(Kevent)| {
        calls += 1;
        match calls {
            1 => {
                told.push(piece.len());
                Ok(())
            }
            // May have been told: once more.
            2 => Err(Errno::EINTR),
            _ => Err(Errno::ENOMEM),
        }
    };
    assert_eq!(changes.tell(None, failing), Err(Errno::ENOMEM));
    assert_eq!((calls, told), (3, vec![CHANGES]));
    let mut rest = Vec::new();
    let ok = |piece: &[Kevent], _: &mut dyn FnMut(Kevent)| {
        rest.extend_from_slice(piece);
        Ok(())
    };
    assert_eq!(changes.tell(None, ok), Ok(()));
    let expected: Vec<_> = (CHANGES as u32..2 * CHANGES as u32 + 5).map(|n| change(n, R, DELETE)).collect();
    assert_eq!(rest, expected);
}

#[test]
fn a_wait_tells_as_much_as_one_call_can() {
    let mut changes = many();
    assert_eq!(changes.rest().len(), CHANGES);
    changes.told(CHANGES);
    assert_eq!(changes.rest()[0], change(CHANGES as u32, R, DELETE));
    changes.told(CHANGES);
    assert_eq!(changes.rest().len(), 5);
    changes.told(5);
    assert!(changes.is_empty() && changes.rest().is_empty());
}

#[test]
fn what_could_not_begin_does_not_go_on() {
    let mut changes = Changes::new();
    changes.add(token(1), READ, NONE).unwrap();
    changes.add(token(7), READ, BOTH).unwrap();
    let refuse = |_: &[Kevent], _: &mut dyn FnMut(Kevent)| Err(Errno::ENOMEM);
    assert_eq!(changes.tell(Some(token(7).fd), refuse), Err(Errno::ENOMEM));
    changes.give_up(token(7), READ, BOTH);
    assert_eq!(changes.rest(), [change(1, R, DELETE), change(7, W, DELETE)], "what was put off stays");
}

fn list(entries: &[Kevent]) -> (Events, ByNumber<u32>) {
    let (mut events, mut places) = (Events::NONE, ByNumber::new());
    events.make_room(EVENTS).unwrap();
    for entry in entries {
        places.get_or_new(entry.fd).unwrap();
    }
    entries.iter().for_each(|&e| report(&mut events, &mut places, e));
    (events, places)
}

fn all(events: &Events) -> Vec<Event> {
    (0..events.len()).filter_map(|i| events.get(i)).collect()
}

#[test]
fn two_entries_of_a_descriptor_are_one_event() {
    let entries = [change(8, R, 0), change(7, R, EOF), change(9, W, 0), change(7, W, 0)];
    let (events, mut places) = list(&entries);
    let event = |n, flags| Event::new(token(n), flags);
    assert_eq!(all(&events), [event(8, IN), event(7, IN | RDHUP | OUT), event(9, OUT)]);
    // The next wait has a list of its own, where other events stand in the places.
    let mut next = Events::NONE;
    next.make_room(EVENTS).unwrap();
    for n in [9, 7, 8] {
        report(&mut next, &mut places, change(n, R, 0));
    }
    assert_eq!(all(&next), [event(9, IN), event(7, IN), event(8, IN)]);
}

#[test]
fn entries_of_two_registrations_stay_apart() {
    let later = Kevent { mark: 5, ..change(7, W, 0) };
    let (events, _) = list(&[change(7, R, 0), later]);
    assert_eq!(all(&events).len(), 2);
    assert_eq!(events.get(1).and_then(Event::token), Some(Token { generation: 5, ..token(7) }));
}

#[test]
fn answers_to_changes_are_no_events() {
    let gone = Kevent { data: Errno::ENOENT as i64, ..change(7, R, ERROR) };
    let (events, _) = list(&[gone, change(8, R, ERROR | RECEIPT), change(9, R, 0)]);
    assert_eq!(all(&events), [Event::new(token(9), IN)]);
}
