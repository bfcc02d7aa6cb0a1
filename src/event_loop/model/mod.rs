//! Random programs against a naive model of the event loop.
//!
//! In the model a wait call drops the reports that were not taken and asks the kernel again. What it found is reported, once
//! in each direction, as long as there is interest and it was not used since. Queued events and the hint stay until they
//! are reported.
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
    /// Withdraws interest in both directions.
    DontWantAnything,
    /// `io_eagain_read`, `io_eagain_write`.
    Eagain(usize, Direction),
    Pop(Direction),
    /// Takes everything that is reported in both directions.
    Drain,
    /// A wait call that does not sleep.
    Check,
    /// A wait call without limit, if the world can end its sleep.
    Wait,
    /// A read of so many bytes through the library.
    Read(usize, usize),
    /// A write of so many bytes through the library.
    Write(usize, usize),
    /// Works as many servers do: takes the request, wants to write, writes the answer, wants to read.
    Turn(usize),
    /// A deadline that has passed, one that is far, or none.
    Deadline(usize, u8),
    /// `io_timeouted` until it says -1.
    Sweep,
    /// Something happens in the kernel, or the program calls plain read(2).
    World(usize, u8),
    /// `io_close`, and another file under the number, registered.
    Replace(usize, Newcomer),
    /// close(2), another file under the number, and `io_fd`.
    ReplaceBehind(usize, Newcomer),
    /// `io_queueforread`, `io_queueforwrite`.
    Queue(usize, Direction),
    /// `io_fd` or `io_fd_canwrite` of what is registered already.
    Again(usize, bool),
    /// The loop is told that the number has a duplicate.
    Share(usize),
    /// From now on a child process has duplicates of the descriptors.
    Fork,
}

/// The file that is put under a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer {
    pub(super) hint: bool,
    /// A file that epoll refuses, for example a character device.
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

/// Makes the descriptors, and changes their readiness.
pub(super) trait World {
    fn fd(&self, place: usize) -> Fd;
    /// What the kernel says about the number.
    fn file(&self, place: usize) -> File;
    fn ready(&self, place: usize) -> Interest;
    fn happen(&mut self, place: usize, what: u8);
    /// Reads up to `n` bytes and says whether it got as many.
    fn read(&mut self, place: usize, n: usize) -> bool;
    /// Writes `n` bytes and says whether all were taken.
    fn write(&mut self, place: usize, n: usize) -> bool;
    /// Puts another file under the place's number; the old one has been, or is thereby, closed.
    fn replace(&mut self, place: usize, can_be_watched: bool);
    /// Whether a sleep ends, as by a signal, even if nothing is ready.
    fn ends_sleeps(&self) -> bool {
        false
    }
    /// What the backend watches, if that is known.
    fn watched(&self, _: usize) -> Option<Interest> {
        None
    }
}

/// The naive model of one descriptor.
#[derive(Clone)]
struct Place {
    want: Interest,
    /// What was ready when the last wait call looked.
    found: Interest,
    /// What the last wait call surely found, and what was wanted ever since.
    sure: Interest,
    /// What was reported, read, written or declared not ready since then.
    used: Interest,
    /// What the program queued.
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

    /// The directions in which a report is true.
    fn may(&self) -> Interest {
        let hinted = if self.claims_hint() { Interest::WRITE } else { Interest::NONE };
        self.queued | hinted | ((self.want & self.found) - self.used)
    }

    /// The directions that must be reported.
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
