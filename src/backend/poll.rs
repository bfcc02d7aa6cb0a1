//! The backend for systems without epoll: poll(2). Each wait costs time in proportion to the number of descriptors.

use super::{Backend, Event, Events, Found, Probe, Refusal, Token, Watch};
use crate::fd::Fd;
use crate::interest::Interest;
use crate::sorted::Sorted;
use crate::sys::lock::ForkLock;
use crate::sys::poll::NVAL;
use crate::sys::waker::Waker;
use crate::time::Span;
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct Poll {
    watched: ForkLock<Watched>,
    waker: Waker,
    closed: AtomicBool,
}

struct Watched {
    list: Sorted<Fd, Registration>,
    /// A thread is in poll(2), with a copy of the list.
    is_asleep: bool,
    /// The next wait begins with this number, so that nobody starves if more are ready than there is room for.
    start: Fd,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Registration {
    generation: u32,
    /// Empty once it has ended. The entry stays until the next look, because most numbers come back soon.
    watch: Watch,
}

const ENDED: Watch = Watch { interest: Interest::NONE, once: false };

impl Poll {
    pub(super) fn open() -> Result<Poll, Errno> {
        let watched = Watched { list: Sorted::new(), is_asleep: false, start: Fd::from_index(0) };
        Ok(Poll {
            watched: ForkLock::new(watched),
            waker: Waker::open_pipe().map_err(|e| match e {
                Errno::EMFILE | Errno::ENFILE => e,
                _ => Errno::ENOMEM,
            })?,
            closed: AtomicBool::new(false),
        })
    }

    /// Applies a change. If a thread sleeps on a copy of the old list, wakes it.
    fn change(&self, f: impl FnOnce(&mut Watched) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let mut w = self.watched.lock();
        f(&mut w)?;
        let is_asleep = w.is_asleep;
        drop(w);
        if is_asleep {
            self.wake();
        }
        Ok(())
    }
}

impl Watched {
    /// The registration of that generation, if it has not ended.
    fn get(&mut self, token: Token) -> Option<&mut Registration> {
        let r = self.list.get_mut(token.fd)?;
        (r.generation == token.generation && !r.watch.interest.is_none()).then_some(r)
    }

    fn end(&mut self, token: Token) {
        if let Some(r) = self.get(token) {
            r.watch = ENDED;
        }
    }

    /// Removes what has ended, and fills `probe` with what is watched, from `start` on.
    fn ask(&mut self, probe: &mut Probe) -> Result<(), Errno> {
        self.list.retain(|_, r| !r.watch.interest.is_none());
        probe.begin(self.list.len())?;
        for (fd, r) in self.list.iter_from(self.start) {
            probe.add(Token { fd, generation: r.generation }, r.watch.interest);
        }
        Ok(())
    }

    /// Turns the answers into events while there is room.
    fn report(&mut self, probe: &Probe, events: &mut Events, room: usize) {
        for (token, flags) in probe.answers() {
            // Another thread may have ended or replaced the registration since.
            let Some(watch) = self.get(token).map(|r| r.watch) else { continue };
            if events.len() >= room {
                self.start = token.fd;
                return;
            }
            if flags & NVAL == 0 {
                events.push(Event::new(token, flags));
            }
            if watch.once || flags & NVAL != 0 {
                self.end(token);
            }
        }
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.close();
    }
}

impl Backend for Poll {
    fn name(&self) -> &'static str {
        "poll"
    }

    fn set(&self, token: Token, _: Interest, new: Watch) -> Result<(), Refusal> {
        self.change(|w| {
            if new.interest.is_none() {
                w.end(token);
                return Ok(());
            }
            let r = Registration { generation: token.generation, watch: new };
            let place = w.list.get_or_insert_with(token.fd, || r);
            place.map(|place| *place = r).map_err(|_| Refusal::Unable)
        })
    }

    fn is_same_file(&self, _: Token, _: Watch) -> bool {
        // poll(2) is asked by number, so it always asks about the current file.
        true
    }

    fn closing(&self, token: Token) {
        // A thread in poll(2) holds the file open, so it has to return.
        let _ = self.set(token, Interest::NONE, ENDED);
    }

    fn wait(&self, events: &mut Events, probe: &mut Probe, room: usize, timeout: Span) -> Result<(), Errno> {
        // A look without sleep may run beside the thread that sleeps.
        let sleeps = timeout != Span::ZERO;
        let mut w = self.watched.lock();
        w.ask(probe)?;
        w.is_asleep |= sleeps;
        drop(w);
        let found = probe.ask(Some(self.waker.fd()), timeout);
        let mut w = self.watched.lock();
        w.is_asleep &= !sleeps;
        if found?.first {
            if !self.waker.is_pipe() {
                return Err(Errno::EBADF);
            }
            events.push(Event::WAKE);
        }
        w.report(probe, events, room);
        Ok(())
    }

    fn probe(&self, probe: &mut Probe) -> Result<Found, Errno> {
        probe.ask(None, Span::ZERO).map(|found| Found { first: true, ..found })
    }

    fn waker(&self) -> Option<&Waker> {
        Some(&self.waker)
    }

    fn has_number(&self, fd: Fd) -> bool {
        self.waker.has_number(fd)
    }

    fn is_whole(&self) -> bool {
        !self.closed.load(Ordering::Relaxed) && self.waker.is_pipe()
    }

    fn close(&self) {
        if !self.closed.swap(true, Ordering::Relaxed) {
            self.waker.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pair::stream_sockets;
    use std::os::fd::{AsRawFd, OwnedFd};

    const READ: Watch = Watch { interest: Interest::READ, once: false };

    /// Has `p` watch `n` sockets that can be read from. Returns also what keeps them open.
    fn watch_ready(p: &Poll, n: usize, watch: Watch) -> (Vec<Token>, Vec<[OwnedFd; 2]>) {
        let pairs: Vec<_> = (0..n).map(|_| stream_sockets().unwrap()).collect();
        let tokens: Vec<_> = pairs
            .iter()
            .map(|[a, b]| {
                nix::unistd::write(b, b"x").unwrap();
                Token { fd: Fd::new(a.as_raw_fd().into()).unwrap(), generation: 1 }
            })
            .collect();
        tokens.iter().for_each(|&t| p.set(t, Interest::NONE, watch).unwrap());
        (tokens, pairs)
    }

    fn reported(p: &Poll, room: usize) -> Vec<u32> {
        let mut events = Events::NONE;
        events.make_room(room).unwrap();
        p.wait(&mut events, &mut Probe::new(), room, Span::ZERO).unwrap();
        let mut numbers: Vec<u32> = (0..events.len()).map(|i| events.get(i).unwrap().number()).collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn more_ready_descriptors_than_a_look_has_room_for_are_reported_in_turns() {
        let p = Poll::open().unwrap();
        let (tokens, _open) = watch_ready(&p, 10, READ);
        let mut numbers: Vec<u32> = tokens.iter().map(|t| t.fd.index() as u32).collect();
        numbers.sort_unstable();
        let turns: Vec<u32> = (0..5).flat_map(|_| reported(&p, 2)).collect();
        assert_eq!(turns, numbers);
        assert_eq!(reported(&p, 3), numbers[..3]);
    }

    #[test]
    fn what_is_watched_once_is_reported_once() {
        let p = Poll::open().unwrap();
        let (tokens, _open) = watch_ready(&p, 2, Watch { once: true, ..READ });
        assert_eq!(reported(&p, 8).len(), 2);
        assert_eq!(reported(&p, 8), [0; 0]);
        p.set(tokens[1], Interest::READ, READ).unwrap();
        assert_eq!(reported(&p, 8), [tokens[1].fd.index() as u32]);
    }

    #[test]
    fn an_ended_registration_reports_nothing() {
        let p = Poll::open().unwrap();
        let (tokens, _open) = watch_ready(&p, 2, READ);
        p.closing(Token { generation: 9, ..tokens[0] });
        assert_eq!(reported(&p, 8).len(), 2, "that was another registration");
        p.closing(tokens[0]);
        assert_eq!(reported(&p, 8), [tokens[1].fd.index() as u32]);
    }
}
