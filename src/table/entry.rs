//! What the library knows about one descriptor.
//!
//! The methods are the only transitions of an entry's own bits. Membership in the ready queues, the timer
//! and the list of unsettled descriptors is the reactor's business; the entry only carries their links.

use crate::interest::{Direction, Interest, Trigger, Watch};
use crate::mode::{FileKind, Mode};
use crate::time::Deadline;

/// Neighbours in an intrusive list, by descriptor number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub(crate) prev: u32,
    pub(crate) next: u32,
}

impl Link {
    /// No neighbour. No descriptor has this number.
    pub(crate) const NIL: u32 = u32::MAX;
    pub(crate) const ALONE: Link = Link { prev: Link::NIL, next: Link::NIL };
}

/// Where the timer keeps the entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Nowhere,
    /// Index in the heap of deadlines to come.
    Heap(u32),
    /// In the list of expired deadlines that the running sweep has still to name.
    Expired(Link),
    /// In the list of expired deadlines that the running sweep has named.
    Named(Link),
}

/// How a descriptor came to be registered, and what has become of it since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arrival {
    Any,
    /// As a new connection: right after its mode was set.
    Connection,
    /// A wait has asked about that connection without having it watched.
    AskedAbout,
}

/// What has been seen of how the program works with the descriptor. One that takes turns, reading a request
/// whole and then writing the answer after a report, is worth watching for edges in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rhythm {
    Unknown,
    /// It was told that it can write.
    Answering,
    /// It has written a whole answer after that.
    TakesTurns,
    /// It has left an edge unused. Never again.
    Irregular,
}

/// One descriptor. Fits one cache line.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Entry {
    /// What the program wants.
    pub(crate) want: Interest,
    /// What the backend watches. May exceed `want`: interest is withdrawn late.
    pub(crate) watched: Interest,
    /// Events handed to the program by the next `io_canread`, `io_canwrite`.
    pub(crate) pending: Interest,
    /// Pending events that the running wait call has not confirmed yet.
    pub(crate) unconfirmed: Interest,
    pub(crate) trigger: Trigger,
    pub(crate) rhythm: Rhythm,
    pub(crate) kind: FileKind,
    registered: bool,
    /// The program's pointer, as a number: it is carried, never followed.
    pub(crate) cookie: usize,
    pub(crate) deadline: Deadline,
    pub(crate) place: Place,
    /// Counts the registrations of this number, so that events of an earlier one are told apart.
    pub(crate) generation: u32,
    /// Forks of the process that had happened when this was registered: a later fork shares the file.
    pub(crate) forks: u32,
    /// The wait call in which an edge last said that it can be written to, if nothing has been written since.
    pub(crate) fresh: u32,
    /// Directions whose last edge may not be used up: no event will tell that they are ready.
    pub(crate) open: Interest,
    /// Has a place in the ready queues, be it pending or not any more.
    pub(crate) placed: Interest,
    /// Pending events that the program queued itself: they need neither want nor readiness.
    pub(crate) queued: Interest,
    pub(crate) mode: Mode,
    /// The program said that the descriptor can be written to, and nothing has shown otherwise.
    pub(crate) can_write_hint: bool,
    /// In the reactor's list of unsettled descriptors.
    pub(crate) listed: bool,
    pub(crate) arrival: Arrival,
    /// The last edge came when nothing was wanted.
    pub(crate) knocked: bool,
    /// The open file may live on elsewhere (passed on), so that closing does not end its registration.
    pub(crate) shared: bool,
    /// The kernel said that the number is closed: the next registration starts clean.
    pub(crate) dead: bool,
    /// Pending events whose directions the backend was told not to watch meanwhile; only with event-loop threads.
    pub(crate) parked: Interest,
    /// A thread was told of it and has not asked for the next one; only with event-loop threads. Nothing is wanted or
    /// pending then.
    pub(crate) in_hand: bool,
    /// What is wanted once it is not in hand any more.
    pub(crate) want_later: Interest,
    /// The look that was under way, or the last one, when it was put down.
    pub(crate) put_down_in: u16,
}

const _: () = assert!(size_of::<Entry>() == 64);

impl Default for Entry {
    fn default() -> Entry {
        Entry::VACANT
    }
}

impl Entry {
    /// Of a number that was never registered.
    pub(crate) const VACANT: Entry = Entry {
        want: Interest::NONE,
        watched: Interest::NONE,
        pending: Interest::NONE,
        unconfirmed: Interest::NONE,
        trigger: Trigger::Level,
        rhythm: Rhythm::Unknown,
        kind: FileKind::Unknown,
        registered: false,
        cookie: 0,
        deadline: Deadline::NEVER,
        place: Place::Nowhere,
        generation: 0,
        forks: 0,
        fresh: 0,
        open: Interest::NONE,
        placed: Interest::NONE,
        queued: Interest::NONE,
        mode: Mode::Blocking,
        can_write_hint: false,
        listed: false,
        arrival: Arrival::Any,
        knocked: false,
        shared: false,
        dead: false,
        parked: Interest::NONE,
        in_hand: false,
        want_later: Interest::NONE,
        put_down_in: 0,
    };

    #[inline]
    pub(crate) fn is_registered(&self) -> bool {
        self.registered
    }

    /// Starts a registration on a vacant entry.
    pub(crate) fn register(&mut self, forks: u32) {
        debug_assert!(!self.registered);
        self.registered = true;
        self.forks = forks;
    }

    /// Ends a registration whose events, timer and backend membership have already been taken back. The
    /// number may still stand in the queues and in the list of unsettled descriptors, which skip it.
    pub(crate) fn vacate(&mut self) {
        *self = Entry {
            generation: self.generation.wrapping_add(1),
            placed: self.placed,
            listed: self.listed,
            ..Entry::VACANT
        };
    }

    pub(crate) fn is_no_socket(&self) -> bool {
        !matches!(self.kind, FileKind::Unknown | FileKind::Socket)
    }

    /// What the backend has been told.
    pub(crate) fn watch(&self) -> Watch {
        Watch { interest: self.watched, trigger: self.trigger }
    }

    /// The usual case: a socket that is watched for reading alone and wanted for it, and nothing to remember
    /// of an event or of what comes of it.
    #[inline(always)]
    pub(crate) fn is_plain_reader(&self) -> bool {
        self.is(Interest::READ, Interest::READ, Trigger::Level, Rhythm::Unknown)
    }

    /// The other usual case: a socket whose every edge is used up, wanted for reading.
    #[inline(always)]
    pub(crate) fn is_turn_taker(&self) -> bool {
        self.is(Interest::READ, Interest::BOTH, Trigger::Edge, Rhythm::TakesTurns)
    }

    /// Whether this is a registered socket in such a state and with nothing pending. One comparison.
    #[inline(always)]
    fn is(&self, want: Interest, watched: Interest, trigger: Trigger, rhythm: Rhythm) -> bool {
        let state = [
            self.want.bits(),
            self.watched.bits(),
            self.pending.bits(),
            self.unconfirmed.bits(),
            self.trigger as u8,
            self.rhythm as u8,
            self.kind as u8,
            u8::from(self.registered),
        ];
        let (trigger, rhythm, kind) = (trigger as u8, rhythm as u8, FileKind::Socket as u8);
        let asked = [want.bits(), watched.bits(), 0, 0, trigger, rhythm, kind, 1];
        u64::from_ne_bytes(state) == u64::from_ne_bytes(asked)
    }

    /// Directions that the program wants and the backend will not report by itself.
    #[inline(always)]
    pub(crate) fn unknown(&self) -> Interest {
        self.unknown_with(self.want)
    }

    /// [`Entry::unknown`] for another `want`.
    #[inline(always)]
    pub(crate) fn unknown_with(&self, want: Interest) -> Interest {
        match self.trigger {
            Trigger::Edge => want & self.open,
            Trigger::Level => want - self.watched - self.parked,
        }
    }

    /// Whether the backend has to be told, or asked, something before the next sleep.
    #[inline]
    pub(crate) fn is_unsettled(&self) -> bool {
        !self.unknown().is_none()
    }

    /// Whether the last word on writing is that it can be done: the program's, or the kernel's in wait call
    /// `cycle`, the latest.
    #[inline]
    pub(crate) fn can_be_written_to(&self, cycle: u32) -> bool {
        self.can_write_hint
            || (self.fresh == cycle && self.trigger == Trigger::Edge && self.open.has(Direction::Write))
    }

    /// Whether the kernel has been asked about it and knows nothing of it, so that it cannot tell whether the number
    /// still stands for the same file.
    pub(crate) fn was_only_asked_about(&self) -> bool {
        self.arrival == Arrival::AskedAbout && self.watched.is_none()
    }

    /// Whether the program has shown that it takes turns, and has read all of the last request.
    pub(crate) fn uses_edges_up(&self) -> bool {
        self.rhythm == Rhythm::TakesTurns && self.watched == Interest::READ && !self.open.has(Direction::Read)
    }

    /// Whether the outcome of a transfer matters beyond the descriptor's own state in the kernel.
    #[inline]
    pub(crate) fn follows(&self, dir: Direction) -> bool {
        self.pending.has(dir)
            || matches!(self.rhythm, Rhythm::Answering | Rhythm::TakesTurns)
            || self.trigger == Trigger::Edge
            || (dir == Direction::Write && self.can_write_hint)
    }

    /// Whether an event makes `dir` pending only because of the program's word, not the kernel's.
    pub(crate) fn needs_no_confirmation(&self, dir: Direction) -> bool {
        self.queued.has(dir) || (dir == Direction::Write && self.can_write_hint)
    }

    /// A transfer has found `dir` not ready, or used all of it up.
    #[inline]
    pub(crate) fn close(&mut self, dir: Direction) {
        // After the peer's last word readiness does not end.
        if self.rhythm != Rhythm::Irregular {
            self.open -= dir.into();
        }
        self.come_up_short(dir);
    }

    /// A transfer has not moved all of what it was asked to. Whether an edge is used up is another question.
    #[inline]
    pub(crate) fn come_up_short(&mut self, dir: Direction) {
        if dir == Direction::Write {
            self.can_write_hint = false;
            if self.rhythm == Rhythm::Answering {
                self.rhythm = Rhythm::Unknown;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vacating_forgets_everything_but_counts() {
        let mut e = Entry::default();
        e.register(3);
        e.cookie = 7;
        e.want = Interest::BOTH;
        e.watched = Interest::READ;
        e.can_write_hint = true;
        e.listed = true;
        e.placed = Interest::WRITE;
        assert_eq!(e.unknown(), Interest::WRITE);
        e.vacate();
        assert!(!e.is_registered() && e.listed && !e.can_write_hint);
        assert_eq!(e.placed, Interest::WRITE);
        assert_eq!((e.cookie, e.want, e.watched, e.generation), (0, Interest::NONE, Interest::NONE, 1));
    }
}
