//! What goes into a backend and what comes out of it.

use crate::fd::Fd;
use crate::grow::Grow;
use crate::interest::Interest;
use crate::sys::poll::{ERR, HUP, IN, NVAL, OUT, PRI, RDHUP, ready};
use libc::epoll_event;
use nix::errno::Errno;

/// Names one registration of a descriptor number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) fd: Fd,
    pub(crate) generation: u32,
}

impl Token {
    /// The form in which the kernel carries a token. No token becomes [`Token::NOBODY`], because no
    /// descriptor has that low half.
    pub(super) fn to_data(self) -> u64 {
        u64::from(self.generation) << 32 | self.fd.index() as u64
    }

    /// Data of a registration that the backend makes for itself.
    pub(super) const NOBODY: u64 = u64::MAX;
}

/// One ready descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    /// As poll(2) reports, in bits that epoll shares.
    flags: u32,
    /// As [`Token::to_data`] makes it.
    data: u64,
}

impl Event {
    pub(super) fn new(token: Token, flags: u32) -> Event {
        Event { flags, data: token.to_data() }
    }

    /// `None` for a registration of the backend's own.
    #[inline]
    pub(crate) fn token(self) -> Option<Token> {
        let fd = Fd::new((self.data as u32).into()).ok()?;
        Some(Token { fd, generation: (self.data >> 32) as u32 })
    }

    /// The halves of the token, not checked for [`Token::NOBODY`].
    #[inline(always)]
    pub(crate) fn number_and_generation(self) -> (u32, u32) {
        (self.data as u32, (self.data >> 32) as u32)
    }

    /// The directions in which a transfer will not block. An error or a hang-up is both.
    #[inline]
    pub(crate) fn ready(self) -> Interest {
        ready(self.flags)
    }

    /// An error condition: a pending error, or something in the error queue of a socket.
    #[inline]
    pub(crate) fn is_error(self) -> bool {
        self.flags & ERR != 0
    }

    /// There is data to read and nothing else to say.
    #[inline]
    pub(crate) fn is_plain_read(self) -> bool {
        self.flags == IN
    }

    /// There is data to read, room to write, and nothing else to say.
    #[inline]
    pub(crate) fn is_plain_read_and_write(self) -> bool {
        self.flags == IN | OUT
    }

    /// A short read will not have read everything: behind the data is the end, an error, or urgent data.
    #[inline]
    pub(crate) fn has_more(self) -> bool {
        self.flags & (ERR | HUP | RDHUP | PRI) != 0
    }

    /// The number is not open any more.
    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        self.flags & NVAL != 0
    }
}

/// The most that a wait takes, unless more have been found ready at once.
pub(crate) const EVENTS: usize = 256;

/// Room for what a wait reports, and for what it asks `poll(2)`; kept from wait to wait.
#[derive(Debug)]
pub(crate) struct Events {
    /// In the form of epoll, which is the default and then writes here itself.
    pub(super) list: Vec<epoll_event>,
    /// How many may come.
    pub(super) room: usize,
    pub(super) polled: Vec<libc::pollfd>,
    /// Of the tokens; their numbers stand in `polled`.
    pub(super) generations: Vec<u32>,
}

impl Events {
    /// No events, and no room yet.
    pub(crate) const NONE: Events =
        Events { list: Vec::new(), room: 0, polled: Vec::new(), generations: Vec::new() };

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// Makes room for `n` events, or for fewer if memory is short.
    pub(crate) fn make_room(&mut self, n: usize) -> Result<(), Errno> {
        self.clear();
        if self.list.try_reserve_exact(n).is_err() && self.list.capacity() == 0 {
            return Err(Errno::ENOMEM);
        }
        self.room = n.min(self.list.capacity());
        Ok(())
    }

    /// Exchanges the events, and nothing of what it took to find them.
    pub(crate) fn swap_list(&mut self, other: &mut Events) {
        std::mem::swap(&mut self.list, &mut other.list);
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= self.room
    }

    /// Adds an event; the backend has checked for room.
    pub(super) fn push(&mut self, event: Event) {
        debug_assert!(!self.is_full());
        self.list.put(epoll_event { events: event.flags, u64: event.data });
    }

    #[inline]
    pub(crate) fn get(&self, i: usize) -> Option<Event> {
        self.list.get(i).map(|raw| Event { flags: raw.events, data: raw.u64 })
    }
}

/// A descriptor to look at in this wait only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(crate) token: Token,
    pub(crate) interest: Interest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_set_of_flags_serves_all() {
        let epoll = [libc::EPOLLIN, libc::EPOLLOUT, libc::EPOLLERR, libc::EPOLLHUP, libc::EPOLLRDHUP];
        assert_eq!(epoll.map(|f| f as u32), [IN, OUT, ERR, HUP, RDHUP]);
    }

    #[test]
    fn tokens_survive_the_kernel() {
        let token = Token { fd: Fd::new(i64::from(i32::MAX)).unwrap(), generation: u32::MAX };
        assert_eq!(Event::new(token, IN).token(), Some(token));
        assert_ne!(token.to_data(), Token::NOBODY);
        assert_eq!(Event { flags: IN, data: Token::NOBODY }.token(), None);
    }

    #[test]
    fn m6_errors_and_hangups_make_both_directions_ready() {
        let token = Token { fd: Fd::from_index(1), generation: 1 };
        let event = |flags| Event::new(token, flags);
        assert_eq!(event(ERR).ready(), Interest::BOTH);
        assert_eq!(event(HUP).ready(), Interest::BOTH);
        assert_eq!(event(OUT).ready(), Interest::WRITE);
        assert_eq!(event(IN | RDHUP).ready(), Interest::READ);
        assert!(event(ERR).is_error() && !event(HUP).is_error());
        assert!(event(IN | RDHUP).has_more() && event(IN | PRI).has_more() && !event(IN | OUT).has_more());
        assert!(event(NVAL).is_closed() && event(NVAL).ready().is_none());
    }
}
