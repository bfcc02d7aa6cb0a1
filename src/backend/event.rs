//! What goes into a backend and what comes out of it.

use crate::fd::Fd;
use crate::interest::Interest;
use crate::sys::poll::{ERR, HUP, NVAL, RDHUP, ready};
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

/// When a registration reports.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Trigger {
    /// As long as it is ready.
    #[default]
    Level,
    /// As `Level`; but of several sets that watch the same file, one is told (a listening socket shared by
    /// processes). A backend that cannot do it takes it for `Level`.
    Exclusive,
    /// When something has changed, and then with every direction that is ready. Only for a backend that
    /// has [`Backend::edges`](super::Backend::edges).
    Edge,
}

/// What is watched, and how.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Watch {
    pub(crate) interest: Interest,
    pub(crate) trigger: Trigger,
}

impl Watch {
    pub(crate) fn level(interest: Interest) -> Watch {
        Watch { interest, trigger: Trigger::Level }
    }

    pub(crate) fn is_none(self) -> bool {
        self.interest.is_none()
    }
}

/// One ready descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    /// As poll(2) reports, in bits that epoll and io_uring share.
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

    /// The directions in which a transfer will not block. An error or a hang-up is both.
    #[inline]
    pub(crate) fn ready(self) -> Interest {
        ready(self.flags)
    }

    /// An error or a notice in the error queue is there.
    #[inline]
    pub(crate) fn is_error(self) -> bool {
        self.flags & ERR != 0
    }

    /// The peer has said its last word, or all is over: readiness to read lasts.
    #[inline]
    pub(crate) fn is_last(self) -> bool {
        self.flags & (ERR | HUP | RDHUP) != 0
    }

    /// The number is not open any more.
    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        self.flags & NVAL != 0
    }
}

/// The most that one wait takes.
pub(crate) const EVENTS: usize = 256;

/// Room for what a wait reports, and for what it asks `poll(2)`; kept from wait to wait.
#[derive(Debug)]
pub(crate) struct Events {
    /// In the form of epoll, which is the default and then writes here itself.
    pub(super) list: Vec<libc::epoll_event>,
    pub(super) polled: Vec<libc::pollfd>,
    pub(super) tokens: Vec<Token>,
}

impl Events {
    pub(crate) fn new() -> Result<Events, Errno> {
        let mut list = Vec::new();
        list.try_reserve_exact(EVENTS).map_err(|_| Errno::ENOMEM)?;
        Ok(Events { list, polled: Vec::new(), tokens: Vec::new() })
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= EVENTS
    }

    /// Adds an event; the backend has checked for room.
    pub(super) fn push(&mut self, event: Event) {
        debug_assert!(!self.is_full());
        self.list.push(libc::epoll_event { events: event.flags, u64: event.data });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        self.list.iter().map(|raw| Event { flags: raw.events, data: raw.u64 })
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
    use crate::sys::poll::{IN, OUT};

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
        assert!(event(IN | RDHUP).is_last() && event(HUP).is_last() && !event(IN | OUT).is_last());
        assert!(event(NVAL).is_closed() && event(NVAL).ready().is_none());
    }
}
