//! Random programs against a model that is too simple to be wrong.
//!
//! A wait call drops what was not taken and asks anew. What it found is reported, once in each direction, as long as it
//! is wanted and was not used since. What the program queued itself, and the hint, stand until they are reported.
//!
//! The unit tests draw the programs at random; the fuzz target `machine` looks for those that reach new code.

mod rig;
mod run;
pub(crate) mod scripted;

pub(super) use super::register::File;
pub(super) use rig::Rig;
pub(super) use run::run;

use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::slot::Hint;

/// One step of a program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Want(usize, Direction),
    DontWant(usize, Direction),
    /// Withdraws everything.
    DontWantAnything,
    /// The program's own read or write answered "again".
    Eagain(usize, Direction),
    Pop(Direction),
    /// Takes everything that is reported in both directions.
    Drain,
    /// A wait call that does not sleep.
    Check,
    /// A wait call without limit, where the world can end its sleep.
    Wait,
    /// A read of so many bytes through the library.
    Read(usize, usize),
    /// A write of so many bytes through the library.
    Write(usize, usize),
    /// As many servers work: take the request, want to write, write the answer, want to read.
    Turn(usize),
    /// A deadline that has passed, one that is far, or none.
    Deadline(usize, u8),
    /// `io_timeouted` until it says -1.
    Sweep,
    /// Something happens in the kernel, or a plain read(2) behind the library's back.
    World(usize, u8),
    /// `io_close`, and another file under the number, registered.
    Replace(usize, Newcomer),
    /// close(2), another file under the number, and `io_fd`.
    ReplaceBehind(usize, Newcomer),
    /// `io_queueforread`, `io_queueforwrite`.
    Queue(usize, Direction),
    /// `io_fd` or `io_fd_canwrite` of what is registered already.
    Again(usize, bool),
    /// The number is said to have a copy elsewhere.
    Share(usize),
    /// From now on a child process has copies of the descriptors.
    Fork,
}

/// The file that is put under a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer {
    pub(super) hint: bool,
    /// A character device that epoll refuses, or the like.
    pub(super) can_be_watched: bool,
}

pub(crate) const PLACES: usize = 4;

impl Op {
    /// Any three bytes are a step. The numbers are weights.
    pub(crate) fn decode([kind, which, n]: [u8; 3]) -> Op {
        let p = usize::from(which) % PLACES;
        let bit = |i: u8| which >> i & 1 != 0;
        let dir = if bit(2) { Direction::Write } else { Direction::Read };
        let few = 1 + usize::from(n) % 39;
        let newcomer = Newcomer { hint: bit(2), can_be_watched: !bit(3) };
        match kind % 43 {
            0..5 => Op::Want(p, dir),
            5..8 => Op::DontWant(p, dir),
            8 => Op::Eagain(p, dir),
            9..12 => Op::Pop(dir),
            12..15 => Op::Drain,
            15..18 => Op::Check,
            18..21 => Op::Wait,
            21..26 => Op::World(p, n),
            26..28 => Op::Read(p, few),
            28..30 => Op::Write(p, few),
            30..33 => Op::Turn(p),
            33 => Op::Deadline(p, n),
            34 => Op::Sweep,
            35 => Op::Replace(p, newcomer),
            36 => Op::ReplaceBehind(p, newcomer),
            37..39 => Op::Queue(p, dir),
            39 => Op::Again(p, bit(2)),
            40 => Op::Share(p),
            41 => Op::DontWantAnything,
            _ => Op::Fork,
        }
    }
}

/// Where the descriptors come from and what happens to them.
pub(super) trait World {
    fn fd(&self, place: usize) -> Fd;
    /// What the kernel says of the number.
    fn file(&self, place: usize) -> File;
    fn ready(&self, place: usize) -> Interest;
    fn happen(&mut self, place: usize, what: u8);
    /// Reads up to `n` bytes and says whether it got as many.
    fn read(&mut self, place: usize, n: usize) -> bool;
    /// Writes `n` bytes and says whether all were taken.
    fn write(&mut self, place: usize, n: usize) -> bool;
    /// Puts another file under the place's number; the old one has been, or is thereby, closed.
    fn replace(&mut self, place: usize, can_be_watched: bool);
    /// Whether a sleep that nothing in the world ends is ended all the same, as by a signal.
    fn ends_sleeps(&self) -> bool {
        false
    }
    /// What the backend was told to watch, if that can be seen.
    fn watched(&self, _: usize) -> Option<Interest> {
        None
    }
}

/// The naive model of one descriptor.
#[derive(Clone)]
struct Place {
    want: Interest,
    /// Ready when the last wait call looked.
    found: Interest,
    /// Surely in what the last wait call brought, and wanted ever since.
    sure: Interest,
    /// Reported, read or written, or said to be not ready since then.
    used: Interest,
    /// What the program queued itself.
    queued: Interest,
    hint: Hint,
    /// The hint was claimed and writing wanted ever since.
    hint_is_sure: bool,
    expired: bool,
}

impl Place {
    const fn new(hint: bool) -> Place {
        Place {
            want: Interest::NONE,
            found: Interest::NONE,
            sure: Interest::NONE,
            used: Interest::NONE,
            queued: Interest::NONE,
            hint: if hint { Hint::Given } else { Hint::None },
            hint_is_sure: false,
            expired: false,
        }
    }

    fn claims_hint(&self) -> bool {
        self.hint == Hint::Claimed && self.want.has(Direction::Write)
    }

    /// What a report would not be false for.
    fn may(&self) -> Interest {
        let hinted = if self.claims_hint() { Interest::WRITE } else { Interest::NONE };
        self.queued | hinted | ((self.want & self.found) - self.used)
    }

    /// What is lost if it is not reported.
    fn must(&self) -> Interest {
        let hinted = if self.claims_hint() && self.hint_is_sure { Interest::WRITE } else { Interest::NONE };
        self.queued | hinted | ((self.sure & self.found) - self.used)
    }

    fn want(&mut self, dir: Direction) {
        if !self.want.has(dir) && dir == Direction::Write && self.hint == Hint::Given {
            (self.hint, self.hint_is_sure) = (Hint::Claimed, true);
        }
        self.want |= dir.into();
    }

    fn dont_want(&mut self, dir: Direction) {
        self.want -= dir.into();
        self.sure -= dir.into();
        self.hint_is_sure &= dir != Direction::Write;
    }

    fn is_used(&mut self, dir: Direction) {
        self.used |= dir.into();
    }

    fn void_hint(&mut self, dir: Direction) {
        if dir == Direction::Write {
            self.hint = Hint::None;
        }
    }

    /// A wait call looked; `all`: what it found is all there was.
    fn looked(&mut self, ready: Interest, all: bool) {
        self.found = ready;
        self.sure = if all { self.want } else { Interest::NONE };
        self.used = Interest::NONE;
    }
}
