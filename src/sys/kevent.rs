//! What kevent(2) is told and what it tells, in one form for all systems that have it. No system call is made here, so
//! that the tests run everywhere.

use super::poll::{ERR, IN, OUT, RDHUP};
use crate::fd::Fd;
use crate::interest::Direction;
use nix::errno::Errno;

// The same on all systems that have a kqueue; `sys/kqueue.rs` holds them against the system's own.
pub(crate) const ADD: u32 = 0x1;
pub(crate) const DELETE: u32 = 0x2;
pub(crate) const CLEAR: u32 = 0x20;
pub(crate) const RECEIPT: u32 = 0x40;
pub(crate) const ERROR: u32 = 0x4000;
pub(crate) const EOF: u32 = 0x8000;

/// Changes told in one call.
pub(crate) const CHANGES: usize = 64;

/// A change of a filter, or an entry of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kevent {
    pub(crate) fd: Fd,
    /// Each has a filter of its own.
    pub(crate) dir: Direction,
    pub(crate) flags: u32,
    /// With [`EOF`], the error of the socket.
    pub(crate) fflags: u32,
    /// With [`ERROR`], what became of the change.
    pub(crate) data: i64,
    /// Of the registration; comes back with each of its events.
    pub(crate) mark: u32,
}

/// What an entry of an answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// To a change. Without [`RECEIPT`], or where the kernel does not know it, only of one that failed.
    Change(Result<(), Errno>),
    /// Something happened, in the flags of poll(2).
    Event(u32),
}

impl Kevent {
    pub(crate) fn change(fd: Fd, dir: Direction, flags: u32, mark: u32) -> Kevent {
        Kevent { fd, dir, flags, fflags: 0, data: 0, mark }
    }

    pub(crate) fn answer(self) -> Answer {
        if self.flags & ERROR == 0 {
            return Answer::Event(self.meaning());
        }
        match i32::try_from(self.data) {
            Ok(0) => Answer::Change(Ok(())),
            errno => Answer::Change(Err(errno.map_or(Errno::EINVAL, Errno::from_raw))),
        }
    }

    /// The end of one direction says nothing about the other: a peer that writes no more may still read, and a program
    /// that has shut down writing still reads. An error of the socket ends both. With the end there may be data that is
    /// still unread; whoever reads it must read on, for nothing else will tell of the end.
    fn meaning(self) -> u32 {
        let end = self.flags & EOF != 0;
        let error = if end && self.fflags != 0 { ERR } else { 0 };
        match self.dir {
            Direction::Read if end => IN | RDHUP | error,
            Direction::Read => IN,
            Direction::Write => OUT | error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(dir: Direction, flags: u32, fflags: u32, data: i64) -> Answer {
        Kevent { fd: Fd::from_index(7), dir, flags, fflags, data, mark: 1 }.answer()
    }

    #[test]
    fn each_direction_is_told_by_its_own_filter() {
        assert_eq!(entry(Direction::Read, CLEAR, 0, 100), Answer::Event(IN));
        assert_eq!(entry(Direction::Write, ADD, 0, 4096), Answer::Event(OUT));
    }

    #[test]
    fn the_end_comes_with_what_is_unread_and_ends_one_direction() {
        for unread in [0, 5] {
            assert_eq!(entry(Direction::Read, EOF, 0, unread), Answer::Event(IN | RDHUP));
        }
        assert_eq!(entry(Direction::Write, EOF, 0, 0), Answer::Event(OUT), "reading may go on");
    }

    #[test]
    fn an_error_of_the_socket_ends_both_directions() {
        let reset = Errno::ECONNRESET as u32;
        assert_eq!(entry(Direction::Read, EOF, reset, 3), Answer::Event(IN | RDHUP | ERR));
        assert_eq!(entry(Direction::Write, EOF, reset, 0), Answer::Event(OUT | ERR));
        // Without an end they are flags of the filter.
        assert_eq!(entry(Direction::Read, 0, 1, 3), Answer::Event(IN));
        assert_eq!(entry(Direction::Write, 0, 1, 3), Answer::Event(OUT));
    }

    #[test]
    fn an_error_entry_is_no_event() {
        let bad = Answer::Change(Err(Errno::EBADF));
        assert_eq!(entry(Direction::Read, ERROR, 0, Errno::EBADF as i64), bad);
        assert_eq!(entry(Direction::Read, ERROR | EOF | ADD, 0, Errno::EBADF as i64), bad);
        assert_eq!(entry(Direction::Write, ERROR | RECEIPT, 0, 0), Answer::Change(Ok(())));
        assert_eq!(entry(Direction::Write, ERROR, 0, i64::MAX), Answer::Change(Err(Errno::EINVAL)));
    }
}
