//! What the library knows about one descriptor.
//!
//! The methods are the only transitions of an entry's own bits. Membership in the ready queues, the timer
//! and the list of unarmed descriptors is the reactor's business; the entry only carries their links.

use crate::interest::{Direction, Interest};
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

/// One descriptor. Fits one cache line.
#[repr(align(64))]
#[derive(Debug)]
pub(crate) struct Entry {
    /// The program's pointer, as a number: it is carried, never followed.
    pub(crate) cookie: usize,
    pub(crate) deadline: Deadline,
    pub(crate) place: Place,
    /// Links in the ready queues, by direction.
    pub(crate) ready: [Link; 2],
    /// Counts the registrations of this number, so that events of an earlier one are told apart.
    pub(crate) generation: u32,
    /// Forks of the process that had happened when this was registered: a later fork shares the file.
    pub(crate) forks: u32,
    /// What the program wants.
    pub(crate) want: Interest,
    /// What the backend watches. May exceed `want`: interest is withdrawn late.
    pub(crate) watched: Interest,
    /// Events handed to the program by the next `io_canread`, `io_canwrite`.
    pub(crate) pending: Interest,
    /// Pending events that the running wait call has not confirmed yet.
    pub(crate) unconfirmed: Interest,
    /// Pending events that the program queued itself: they need neither want nor readiness.
    pub(crate) queued: Interest,
    pub(crate) kind: FileKind,
    pub(crate) mode: Mode,
    registered: bool,
    /// The program said that the descriptor can be written to, and nothing has shown otherwise.
    pub(crate) can_write_hint: bool,
    /// In the reactor's list of unarmed descriptors.
    pub(crate) listed_unarmed: bool,
    /// The open file may live on elsewhere (passed on), so that closing does not end its registration.
    pub(crate) shared: bool,
    /// The kernel said that the number is closed: the next registration starts clean.
    pub(crate) dead: bool,
}

const _: () = assert!(size_of::<Entry>() == 64);

impl Default for Entry {
    fn default() -> Entry {
        Entry {
            cookie: 0,
            deadline: Deadline::NEVER,
            place: Place::Nowhere,
            ready: [Link::ALONE; 2],
            generation: 0,
            forks: 0,
            want: Interest::NONE,
            watched: Interest::NONE,
            pending: Interest::NONE,
            unconfirmed: Interest::NONE,
            queued: Interest::NONE,
            kind: FileKind::Unknown,
            mode: Mode::Blocking,
            registered: false,
            can_write_hint: false,
            listed_unarmed: false,
            shared: false,
            dead: false,
        }
    }
}

impl Entry {
    pub(crate) fn is_registered(&self) -> bool {
        self.registered
    }

    /// Starts a registration on a vacant entry.
    pub(crate) fn register(&mut self, mode: Mode, forks: u32) {
        debug_assert!(!self.registered);
        self.registered = true;
        self.mode = mode;
        self.forks = forks;
    }

    /// Ends a registration whose queue, timer and backend membership has already been taken back. The
    /// number may still stand in the list of unarmed descriptors, which skips it.
    pub(crate) fn vacate(&mut self) {
        *self = Entry {
            generation: self.generation.wrapping_add(1),
            listed_unarmed: self.listed_unarmed,
            ..Entry::default()
        };
    }

    /// Directions that the program wants and the backend does not watch.
    pub(crate) fn unarmed(&self) -> Interest {
        self.want - self.watched
    }

    /// Whether an event makes `dir` pending only because of the program's word, not the kernel's.
    pub(crate) fn needs_no_confirmation(&self, dir: Direction) -> bool {
        self.queued.has(dir) || (dir == Direction::Write && self.can_write_hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vacating_forgets_everything_but_counts() {
        let mut e = Entry::default();
        e.register(Mode::Nonblocking, 3);
        e.cookie = 7;
        e.want = Interest::BOTH;
        e.watched = Interest::READ;
        e.can_write_hint = true;
        e.listed_unarmed = true;
        assert_eq!(e.unarmed(), Interest::WRITE);
        e.vacate();
        assert!(!e.is_registered() && e.listed_unarmed && !e.can_write_hint);
        assert_eq!((e.cookie, e.want, e.watched, e.generation), (0, Interest::NONE, Interest::NONE, 1));
    }
}
