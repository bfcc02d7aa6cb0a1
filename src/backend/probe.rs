//! A probe: one question to poll(2) about descriptors that the backend does not watch.

use super::{Event, Events, Token};
use crate::fd::Fd;
use crate::grow::Grow;
use crate::interest::Interest;
use crate::sys::poll::{NVAL, flags, poll};
use crate::time::Span;
use libc::pollfd;
use nix::errno::Errno;

/// Descriptors to ask about, with their tokens. The event loop never sleeps in a probe: the call would hold files open that
/// another thread closes, and answer for numbers that are other files by then.
#[derive(Debug)]
pub(crate) struct Probe {
    /// The first is a descriptor of the backend's own, or a number that poll(2) ignores.
    questions: Vec<pollfd>,
    /// The generations of all but the first.
    generations: Vec<u32>,
}

/// What a probe has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// Descriptors that are ready.
    pub(crate) ready: usize,
    /// Whether the first descriptor, the backend's own, is ready.
    pub(crate) first: bool,
}

/// poll(2) ignores negative numbers.
const NO_QUESTION: pollfd = pollfd { fd: -1, events: 0, revents: 0 };

impl Probe {
    pub(crate) const fn new() -> Probe {
        Probe { questions: Vec::new(), generations: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.questions.clear();
        self.generations.clear();
    }

    /// Empties it and makes room for `n` descriptors.
    pub(crate) fn begin(&mut self, n: usize) -> Result<(), Errno> {
        self.clear();
        self.questions.try_reserve(n + 1).map_err(|_| Errno::ENOMEM)?;
        self.generations.try_reserve(n).map_err(|_| Errno::ENOMEM)?;
        self.questions.put(NO_QUESTION);
        Ok(())
    }

    #[inline]
    pub(crate) fn add(&mut self, token: Token, interest: Interest) {
        self.questions.put(pollfd { fd: token.fd.raw(), events: flags(interest) as i16, revents: 0 });
        self.generations.put(token.generation);
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.generations.len()
    }

    /// Asks, also about `first`, and waits up to `timeout` for an answer.
    pub(crate) fn ask(&mut self, first: Option<Fd>, timeout: Span) -> Result<Found, Errno> {
        if let (Some(question), Some(fd)) = (self.questions.first_mut(), first) {
            *question = pollfd { fd: fd.raw(), events: flags(Interest::READ) as i16, revents: 0 };
        }
        let answers = poll(&mut self.questions, timeout.to_ms())?;
        let first = self.questions.first().is_some_and(|p| p.revents != 0);
        Ok(Found { ready: answers - usize::from(first), first })
    }

    /// Which of the descriptors are ready, and the flags of poll(2).
    pub(crate) fn answers(&self) -> impl Iterator<Item = (Token, u32)> {
        let asked = self.questions.iter().skip(1).zip(&self.generations);
        asked.filter(|(p, _)| p.revents != 0).map(|(p, &generation)| {
            (Token { fd: Fd::from_index(p.fd as u32), generation }, u32::from(p.revents as u16))
        })
    }

    /// For tests: answers in place of poll(2). Returns how many are ready.
    #[cfg(any(test, fuzzing))]
    pub(super) fn answer(&mut self, f: impl Fn(Token, Interest) -> Option<Event>) -> usize {
        let mut ready = 0;
        for (p, &generation) in self.questions.iter_mut().skip(1).zip(&self.generations) {
            let token = Token { fd: Fd::from_index(p.fd as u32), generation };
            let asked = crate::sys::poll::ready(u32::from(p.events as u16));
            p.revents = f(token, asked).map_or(0, |event| event.flags() as i16);
            ready += usize::from(p.revents != 0);
        }
        ready
    }

    /// Adds what is ready to `events`. A number that is not open is not ready.
    pub(crate) fn report(&self, events: &mut Events) {
        for (token, flags) in self.answers().filter(|(_, flags)| flags & NVAL == 0) {
            events.push(Event::new(token, flags));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    fn token(s: &UnixStream, generation: u32) -> Token {
        Token { fd: Fd::new(s.as_raw_fd().into()).unwrap(), generation }
    }

    #[test]
    fn what_is_ready_is_reported_with_its_token() {
        let (mut a, b) = UnixStream::pair().unwrap();
        let (c, _d) = UnixStream::pair().unwrap();
        let mut probe = Probe::new();
        let mut events = Events::NONE;
        events.make_room(8).unwrap();
        let mut ask = |events: &mut Events| {
            probe.begin(2).unwrap();
            probe.add(token(&b, 7), Interest::READ);
            probe.add(token(&c, 9), Interest::READ);
            let found = probe.ask(Some(token(&c, 0).fd), Span::ZERO).unwrap();
            probe.report(events);
            found
        };
        assert_eq!(ask(&mut events), Found { ready: 0, first: false });
        a.write_all(b"x").unwrap();
        assert_eq!(ask(&mut events), Found { ready: 1, first: false });
        assert_eq!(events.len(), 1);
        assert_eq!(events.get(0).map(|e| (e.number(), e.generation())), Some((b.as_raw_fd() as u32, 7)));
    }
}
