//! Events: what a backend reports, and the token that says which registration an event belongs to.

use crate::fd::Fd;
use crate::grow::{Grow, take_out};
use crate::interest::{Direction, Interest};
use crate::sys::poll::{ERR, HUP, IN, OUT, ready};
#[cfg(not(owfat_portable))]
use libc::epoll_event as Report;
use nix::errno::Errno;

/// Has the fields of epoll's structure.
#[cfg(owfat_portable)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    events: u32,
    u64: u64,
}

/// One registration of a descriptor number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) fd: Fd,
    pub(crate) generation: u32,
}

impl Token {
    /// The token as epoll's user data. It is never [`Token::NOBODY`], because no descriptor has that lower half.
    pub(super) fn to_data(self) -> u64 {
        u64::from(self.generation) << 32 | self.fd.index() as u64
    }

    /// User data of the waker.
    pub(super) const NOBODY: u64 = u64::MAX;
}

/// One ready descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    /// In the bits of poll(2), which epoll shares.
    flags: u32,
    /// As [`Token::to_data`] makes it.
    data: u64,
}

impl Event {
    pub(super) fn new(token: Token, flags: u32) -> Event {
        Event { flags, data: token.to_data() }
    }

    /// The waker's, which has no token.
    pub(super) const WAKE: Event = Event { flags: IN, data: Token::NOBODY };

    /// Whether it is the waker's event.
    #[inline]
    pub(crate) fn is_wake(self) -> bool {
        self.data == Token::NOBODY
    }

    /// Whether it was cleared.
    pub(crate) fn is_cleared(self) -> bool {
        self.flags == 0
    }

    /// The descriptor number.
    #[inline(always)]
    pub(crate) fn number(self) -> u32 {
        self.data as u32
    }

    #[inline(always)]
    pub(crate) fn generation(self) -> u32 {
        (self.data >> 32) as u32
    }

    /// Whether a transfer in that direction will not block. An error or a hang-up makes both directions ready.
    #[inline(always)]
    pub(crate) fn is_ready(self, dir: Direction) -> bool {
        let mask = match dir {
            Direction::Read => IN | ERR | HUP,
            Direction::Write => OUT | ERR | HUP,
        };
        self.flags & mask != 0
    }

    /// The directions in which a transfer will not block.
    #[inline]
    pub(crate) fn ready(self) -> Interest {
        ready(self.flags)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn flags(self) -> u32 {
        self.flags
    }

    /// For a trace: the ready directions, or "error".
    pub(crate) fn word(self) -> &'static str {
        let ready = self.ready();
        match (ready.has(Direction::Read), ready.has(Direction::Write)) {
            _ if self.flags & ERR != 0 => "error",
            (true, true) => "rw",
            (true, false) => "r",
            (false, _) => "w",
        }
    }
}

/// The events of one look, in the structure that epoll_wait(2) fills.
#[derive(Debug)]
pub(crate) struct Events {
    pub(super) list: Vec<Report>,
}

impl Events {
    pub(crate) const NONE: Events = Events { list: Vec::new() };

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// Empties the list and makes room for `n` events, or for fewer if memory is short.
    #[inline]
    pub(crate) fn make_room(&mut self, n: usize) -> Result<(), Errno> {
        self.clear();
        if self.list.capacity() < n && self.list.try_reserve_exact(n).is_err() && self.list.capacity() == 0 {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds an event. Drops it if there is no room; the next look finds it again.
    pub(super) fn push(&mut self, event: Event) {
        if self.list.len() < self.list.capacity() {
            self.list.put(Report { events: event.flags, u64: event.data });
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, i: usize) -> Option<Event> {
        self.list.get(i).map(|raw| Event { flags: raw.events, data: raw.u64 })
    }

    /// Leaves the event at `i` in its place, ready in no direction.
    pub(crate) fn clear_at(&mut self, i: usize) {
        if let Some(raw) = self.list.get_mut(i) {
            raw.events = 0;
        }
    }

    /// Removes the event at `i`. The last one takes its place.
    pub(crate) fn take_out(&mut self, i: usize) {
        take_out(&mut self.list, i);
    }

    /// Makes room for `n` events more.
    pub(crate) fn reserve(&mut self, n: usize) -> Result<(), Errno> {
        self.list.try_reserve(n).map_err(|_| Errno::ENOMEM)
    }

    /// Adds all events of `other`, for which room was made.
    pub(crate) fn append(&mut self, other: &Events) {
        other.list.iter().for_each(|raw| self.list.put(*raw));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_set_of_flags_serves_epoll_and_poll() {
        let epoll = [libc::EPOLLIN, libc::EPOLLOUT, libc::EPOLLERR, libc::EPOLLHUP];
        assert_eq!(epoll.map(|f| f as u32), [IN, OUT, ERR, HUP]);
    }

    #[test]
    fn a_token_comes_back_from_the_kernel_unchanged() {
        let token = Token { fd: Fd::new(i64::from(i32::MAX)).unwrap(), generation: u32::MAX };
        let event = Event::new(token, IN);
        assert_eq!((event.number(), event.generation()), (i32::MAX as u32, u32::MAX));
        assert!(!event.is_wake() && Event::WAKE.is_wake());
    }

    #[test]
    fn errors_and_hang_ups_make_both_directions_ready() {
        let token = Token { fd: Fd::from_index(1), generation: 1 };
        for (flags, ready) in [
            (ERR, Interest::BOTH),
            (HUP, Interest::BOTH),
            (OUT, Interest::WRITE),
            (IN, Interest::READ),
            (0, Interest::NONE),
        ] {
            let event = Event::new(token, flags);
            assert_eq!(event.ready(), ready);
            for dir in [Direction::Read, Direction::Write] {
                assert_eq!(event.is_ready(dir), ready.has(dir));
            }
        }
    }
}
