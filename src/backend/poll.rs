//! poll(2): everywhere, and O(descriptors) for each wait.

use super::waker::Waker;
use super::{Asked, Backend, Event, Events, Token};
use crate::fd::Fd;
use crate::interest::{Interest, Watch};
use crate::sys::mode::{Identity, identity};
use crate::sys::poll::{flags, poll};
use crate::time::timeout_ms;
use libc::{POLLNVAL, pollfd};
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(super) struct Poll {
    watched: Mutex<Watched>,
    waker: Waker,
    shut: AtomicBool,
}

#[derive(Default)]
struct Watched {
    /// By ascending number.
    slots: Vec<Slot>,
    /// Threads inside poll(2) with a copy of the slots.
    sleepers: usize,
    /// Where the next wait begins to look, so that a full house starves nobody.
    start: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    token: Token,
    interest: Interest,
    file: Identity,
}

impl Poll {
    pub(super) fn open() -> Result<Poll, Errno> {
        Ok(Poll { watched: Mutex::default(), waker: Waker::open()?, shut: AtomicBool::new(false) })
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a change, and shows it to those who sleep on the slots as they were.
    fn change(&self, f: impl FnOnce(&mut Watched) -> Result<(), Errno>) -> Result<(), Errno> {
        let mut w = self.watched();
        f(&mut w)?;
        if w.sleepers > 0 {
            self.waker.ring();
        }
        Ok(())
    }
}

impl Watched {
    fn find(&self, fd: Fd) -> Result<usize, usize> {
        self.slots.binary_search_by_key(&fd, |s| s.token.fd)
    }

    fn put(&mut self, token: Token, interest: Interest) -> Result<(), Errno> {
        match self.find(token.fd) {
            Ok(i) => {
                self.slots[i].token = token;
                self.slots[i].interest = interest;
            }
            Err(i) => {
                let file = identity(token.fd)?;
                self.slots.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.slots.insert(i, Slot { token, interest, file });
            }
        }
        Ok(())
    }

    fn remove(&mut self, fd: Fd) {
        if let Ok(i) = self.find(fd) {
            self.slots.remove(i);
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
        let w = self.watched();
        w.find(token.fd).is_ok_and(|i| identity(token.fd) == Ok(w.slots[i].file))
    }

    fn closing(&self, token: Token) {
        self.watched().remove(token.fd);
    }

    fn keeps_ghosts(&self) -> bool {
        false
    }

    fn wait(&self, events: &mut Events, asked: &[Asked], timeout: Option<Duration>) -> Result<(), Errno> {
        let start = {
            let mut w = self.watched();
            events.begin(w.slots.len() + asked.len() + 1)?;
            w.slots.iter().for_each(|s| events.ask(s.token, s.interest));
            asked.iter().for_each(|a| events.ask(a.token, a.interest));
            events.polled.push(request(self.waker.fd(), Interest::READ));
            w.sleepers += 1;
            w.start
        };
        let result = poll(&mut events.polled, timeout_ms(timeout));
        let mut w = self.watched();
        w.sleepers -= 1;
        result?;
        if events.polled.last().is_some_and(|p| p.revents != 0) && !self.shut.load(Ordering::Acquire) {
            self.waker.silence();
        }
        w.start = events.take_polled(start);
        Ok(())
    }

    fn wake(&self) {
        self.waker.ring();
    }

    fn shut(&self) {
        self.shut.store(true, Ordering::Release);
        self.waker.ring();
    }

    fn abandon(&self) {
        // There is no descriptor whose loss poll(2) would notice; the waker's is only ever rung.
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
    events.polled.push(request(set, Interest::READ));
    poll(&mut events.polled, timeout_ms(timeout))?;
    match events.polled.last() {
        Some(p) if p.revents & POLLNVAL != 0 => Err(Errno::EBADF),
        last => {
            let more = last.is_some_and(|p| p.revents != 0);
            events.take_polled(0);
            Ok(more)
        }
    }
}

impl Events {
    /// Empties the list of questions and makes room for `n`.
    pub(super) fn begin(&mut self, n: usize) -> Result<(), Errno> {
        self.polled.clear();
        self.tokens.clear();
        self.polled.try_reserve(n).map_err(|_| Errno::ENOMEM)?;
        self.tokens.try_reserve(n).map_err(|_| Errno::ENOMEM)
    }

    pub(super) fn ask(&mut self, token: Token, interest: Interest) {
        self.polled.push(request(token.fd, interest));
        self.tokens.push(token);
    }

    /// Turns answers into events, beginning with question `start`, while there is room. Returns where to
    /// begin the next time.
    pub(super) fn take_polled(&mut self, start: usize) -> usize {
        let n = self.tokens.len();
        let start = if start < n { start } else { 0 };
        for i in (start..n).chain(0..start) {
            if self.is_full() {
                return i;
            }
            if self.polled[i].revents != 0 {
                self.push(Event::new(self.tokens[i], self.polled[i].revents as u32));
            }
        }
        0
    }
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

    #[test]
    fn rule5_a_full_house_is_taken_in_turns() {
        let mut e = Events::NONE;
        e.make_room(EVENTS).unwrap();
        let n = EVENTS as u32 + 10;
        e.begin(n as usize).unwrap();
        for i in 0..n {
            e.ask(token(i), Interest::READ);
            e.polled[i as usize].revents = libc::POLLIN;
        }
        let next = e.take_polled(0);
        assert!(e.is_full());
        e.clear();
        e.take_polled(next);
        let first = |i| e.get(i).and_then(Event::token);
        assert_eq!((first(0), first(10)), (Some(token(n - 10)), Some(token(0))));
    }
}
