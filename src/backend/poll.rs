//! poll(2): everywhere, and O(descriptors) for each wait.

use super::numbers::ByNumber;
use super::shut::Shut;
use super::waker::Waker;
use super::{Asked, Backend, Event, Events, Token};
use crate::fd::Fd;
use crate::grow::{Grow, take_out, try_extend};
use crate::interest::{Interest, Watch};
use crate::sys::lock::ForkLock;
use crate::sys::mode::{Identity, identity, is_still};
use crate::sys::poll::{flags, poll};
use crate::time::timeout_ms;
use libc::{POLLNVAL, pollfd};
use nix::errno::Errno;
use std::time::Duration;

pub(crate) struct Poll {
    watched: ForkLock<Watched>,
    waker: Waker,
    shut: Shut,
}

/// Entries of the vectors belong together. They stand in no order, so that a change moves one at most.
struct Watched {
    questions: Vec<pollfd>,
    generations: Vec<u32>,
    files: Vec<Identity>,
    /// The entry of a number, counted from 1; 0 if it has none.
    places: ByNumber<u32>,
    /// Threads inside poll(2) with a copy of the questions.
    sleepers: usize,
    /// Counts the changes that they were woken for.
    changes: u32,
    /// How many of them have slept since before the last one: the bell rings until each has come to look.
    unheard: usize,
    /// Where the next wait begins to look, so that a full house starves nobody.
    start: usize,
}

impl Poll {
    pub(super) fn open() -> Result<Poll, Errno> {
        Ok(Poll { watched: ForkLock::new(Watched::new()), waker: Waker::open()?, shut: Shut::new() })
    }

    /// Applies a change, and shows it to those who sleep on the slots as they were.
    fn change(&self, f: impl FnOnce(&mut Watched) -> Result<(), Errno>) -> Result<(), Errno> {
        let mut w = self.watched.lock();
        f(&mut w)?;
        if w.sleepers > 0 {
            w.changes = w.changes.wrapping_add(1);
            w.unheard = w.sleepers;
            self.waker.ring();
        }
        Ok(())
    }
}

impl Watched {
    fn new() -> Watched {
        Watched {
            questions: Vec::new(),
            generations: Vec::new(),
            files: Vec::new(),
            places: ByNumber::new(),
            sleepers: 0,
            changes: 0,
            unheard: 0,
            start: 0,
        }
    }

    fn place(&self, fd: Fd) -> Option<usize> {
        (self.places.get(fd.index() as u32) as usize).checked_sub(1)
    }

    /// The entry of that registration, and not of an earlier one under the number.
    fn find(&self, token: Token) -> Option<usize> {
        self.place(token.fd).filter(|&i| self.generations.get(i) == Some(&token.generation))
    }

    fn put(&mut self, token: Token, interest: Interest) -> Result<(), Errno> {
        if let Some(i) = self.find(token) {
            if let Some(question) = self.questions.get_mut(i) {
                *question = request(token.fd, interest);
            }
            return Ok(());
        }
        self.remove(token.fd);
        let file = identity(token.fd)?;
        self.questions.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.generations.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.files.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        *self.places.get_or_new(token.fd)? = self.questions.len() as u32 + 1;
        self.questions.try_push(request(token.fd, interest))?;
        self.generations.try_push(token.generation)?;
        self.files.try_push(file)
    }

    fn remove(&mut self, fd: Fd) {
        let Some(i) = self.place(fd) else { return };
        take_out(&mut self.questions, i);
        take_out(&mut self.generations, i);
        take_out(&mut self.files, i);
        self.move_to(fd, 0);
        if let Some(moved) = self.questions.get(i) {
            self.move_to(Fd::from_index(moved.fd as u32), i as u32 + 1);
        }
    }

    fn move_to(&mut self, fd: Fd, place: u32) {
        if let Some(p) = self.places.get_mut(fd.index() as u32) {
            *p = place;
        }
    }
}

impl Backend for Poll {
    fn name(&self) -> &'static str {
        "poll"
    }

    fn set(&self, token: Token, _: Watch, new: Watch) -> Result<(), Errno> {
        self.change(|w| {
            if new.is_none() {
                w.remove(token.fd);
                return Ok(());
            }
            w.put(token, new.interest)
        })
    }

    fn same_file(&self, token: Token, _: Watch) -> bool {
        let w = self.watched.lock();
        w.find(token).and_then(|i| w.files.get(i)).is_some_and(|&file| is_still(token.fd, file))
    }

    fn closing(&self, token: Token) {
        self.watched.lock().remove(token.fd);
    }

    fn keeps_ghosts(&self) -> bool {
        false
    }

    fn wait(&self, events: &mut Events, asked: &[Asked], timeout: Option<Duration>) -> Result<(), Errno> {
        let (start, changes) = {
            let mut w = self.watched.lock();
            events.begin(w.questions.len() + asked.len() + 1)?;
            try_extend(&mut events.polled, &w.questions)?;
            try_extend(&mut events.generations, &w.generations)?;
            w.sleepers += 1;
            (w.start, w.changes)
        };
        asked.iter().for_each(|a| events.ask(a.token, a.interest));
        events.polled.put(request(self.waker.fd(), Interest::READ));
        let result = poll(&mut events.polled, timeout_ms(timeout));
        let mut w = self.watched.lock();
        w.sleepers -= 1;
        w.unheard -= usize::from(w.changes != changes);
        let mut answers = result?;
        let rung = events.polled.last().map_or(0, |p| p.revents);
        if rung & POLLNVAL != 0 {
            return Err(Errno::EBADF);
        }
        if rung != 0 {
            answers -= 1;
            if w.unheard == 0 {
                self.shut.silence(|| self.waker.silence(), || self.waker.ring());
            }
        }
        w.start = events.take_polled(start, answers).full_at.unwrap_or(0);
        Ok(())
    }

    fn wake(&self) {
        self.waker.ring();
    }

    fn shut(&self) {
        self.shut.shut(|| self.waker.ring());
    }

    fn abandon(&self) {
        self.waker.abandon();
    }
}

/// Asks poll(2) about `asked` and about `set`, which is readable when more events wait there. Returns
/// whether it is.
pub(super) fn ask(
    events: &mut Events,
    asked: &[Asked],
    set: Fd,
    timeout: Option<Duration>,
) -> Result<bool, Errno> {
    events.begin(asked.len() + 1)?;
    asked.iter().for_each(|a| events.ask(a.token, a.interest));
    events.polled.put(request(set, Interest::READ));
    let answers = poll(&mut events.polled, timeout_ms(timeout))?;
    match events.polled.last() {
        Some(p) if p.revents & POLLNVAL != 0 => Err(Errno::EBADF),
        last => {
            let more = last.is_some_and(|p| p.revents != 0);
            events.take_polled(0, answers - usize::from(more));
            Ok(more)
        }
    }
}

impl Events {
    /// Empties the list of questions and makes room for `n`.
    pub(super) fn begin(&mut self, n: usize) -> Result<(), Errno> {
        self.polled.clear();
        self.generations.clear();
        self.polled.try_reserve(n).map_err(|_| Errno::ENOMEM)?;
        self.generations.try_reserve(n).map_err(|_| Errno::ENOMEM)
    }

    pub(super) fn ask(&mut self, token: Token, interest: Interest) {
        self.polled.put(request(token.fd, interest));
        self.generations.put(token.generation);
    }

    /// Turns so many answers into events, beginning with question `start`, while there is room.
    pub(super) fn take_polled(&mut self, start: usize, mut answers: usize) -> Taken {
        let n = self.generations.len();
        let start = if start < n { start } else { 0 };
        let mut looked_at = 0;
        for i in (start..n).chain(0..start) {
            if answers == 0 {
                break;
            }
            if self.is_full() {
                return Taken { full_at: Some(i), looked_at };
            }
            looked_at += 1;
            let (Some(&p), Some(&generation)) = (self.polled.get(i), self.generations.get(i)) else { break };
            if p.revents != 0 {
                answers -= 1;
                let token = Token { fd: Fd::from_index(p.fd as u32), generation };
                self.push(Event::new(token, p.revents as u32));
            }
        }
        Taken { full_at: None, looked_at }
    }
}

/// How far [`Events::take_polled`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Taken {
    /// The first question that was not looked at for want of room.
    pub(super) full_at: Option<usize>,
    looked_at: usize,
}

fn request(fd: Fd, interest: Interest) -> pollfd {
    pollfd { fd: fd.raw(), events: flags(interest) as i16, revents: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::EVENTS;

    fn token(n: u32) -> Token {
        Token { fd: Fd::from_index(n), generation: n }
    }

    /// `n` questions, of which `ready` were answered.
    fn questions(n: u32, ready: impl Iterator<Item = u32>) -> Events {
        let mut e = Events::NONE;
        e.make_room(EVENTS).unwrap();
        e.begin(n as usize).unwrap();
        (0..n).for_each(|i| e.ask(token(i), Interest::READ));
        ready.for_each(|i| e.polled[i as usize].revents = libc::POLLIN);
        e
    }

    #[test]
    fn rule5_a_full_house_is_taken_in_turns() {
        let n = EVENTS as u32 + 10;
        let mut e = questions(n, 0..n);
        let first = e.take_polled(0, n as usize);
        assert_eq!(first, Taken { full_at: Some(EVENTS), looked_at: EVENTS });
        e.clear();
        e.take_polled(EVENTS, n as usize);
        let first = |i| e.get(i).and_then(Event::token);
        assert_eq!((first(0), first(10)), (Some(token(n - 10)), Some(token(0))));
    }

    #[test]
    fn the_search_ends_with_the_last_answer() {
        let mut e = questions(10_000, [3, 7].into_iter());
        assert_eq!(e.take_polled(0, 2), Taken { full_at: None, looked_at: 8 });
        assert_eq!(e.len(), 2);
        let mut e = questions(10_000, [3].into_iter());
        assert_eq!(e.take_polled(9_999, 1).looked_at, 5, "round the end");
        assert_eq!(questions(10_000, [].into_iter()).take_polled(0, 0).looked_at, 0);
    }

    #[test]
    fn entries_keep_together_when_one_is_removed() {
        let mut w = Watched::new();
        let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        let fds = [std::os::fd::AsRawFd::as_raw_fd(&a), std::os::fd::AsRawFd::as_raw_fd(&b), 0, 1, 2];
        let all = fds.map(|n| token(n as u32));
        all.iter().for_each(|&t| w.put(t, Interest::READ).unwrap());
        w.remove(all[1].fd);
        w.remove(all[4].fd);
        w.put(all[2], Interest::WRITE).unwrap();
        let left: Vec<Token> = all.into_iter().filter(|&t| w.find(t).is_some()).collect();
        assert_eq!(left, [all[0], all[2], all[3]]);
        for t in left {
            let i = w.find(t).unwrap();
            let interest = if t == all[2] { Interest::WRITE } else { Interest::READ };
            assert_eq!((w.questions[i], w.files[i]), (request(t.fd, interest), identity(t.fd).unwrap()));
        }
        assert_eq!((w.questions.len(), w.generations.len(), w.files.len()), (3, 3, 3));
        let later = Token { generation: 99, ..all[0] };
        w.put(later, Interest::READ).unwrap();
        assert_eq!((w.find(all[0]), w.questions.len()), (None, 3), "a new registration takes the place");
    }
}
