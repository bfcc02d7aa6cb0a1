//! Random programs against a model that is too simple to be wrong: after a wait call exactly the wanted and ready
//! directions are pending, and what was queued; nothing else makes one so but the hint; popping, withdrawing and
//! closing take one away.
//!
//! The unit tests draw the programs at random; the fuzz target `machine` looks for those that reach new code.

mod rig;
mod run;
pub(crate) mod scripted;

pub(super) use rig::Rig;
pub(crate) use run::run;

use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use std::collections::BTreeSet;

/// One step of a program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Want(usize, Direction),
    DontWant(usize, Direction),
    /// The program's own read or write answered "again".
    Eagain(usize, Direction),
    Pop(Direction),
    Wait,
    /// A read of so many bytes through the library.
    Read(usize, usize),
    /// A write of so many bytes through the library.
    Write(usize, usize),
    /// A transfer through the library fails, or ends for want of a file's bytes.
    Fail(usize, Direction),
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
    ReplaceBehind(usize),
    /// `io_queueforread`, `io_queueforwrite`.
    Queue(usize, Direction),
    /// `io_fd` or `io_fd_canwrite` of what is registered already.
    Again(usize, bool),
    /// From now on a child process has copies of the descriptors.
    Fork,
}

/// The file that is put under a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer {
    hint: bool,
    /// Its mode was set just before, as servers do after accept(2).
    connection: bool,
    /// Not a regular file, or the like.
    can_be_watched: bool,
}

pub(crate) const PLACES: usize = 4;

impl Op {
    /// Any three bytes are a step. The numbers are weights.
    pub(crate) fn decode([kind, which, n]: [u8; 3]) -> Op {
        let p = usize::from(which) % PLACES;
        let bit = |i: u8| which >> i & 1 != 0;
        let dir = if bit(2) { Direction::Write } else { Direction::Read };
        let few = 1 + usize::from(n) % 39;
        match kind % 37 {
            0..4 => Op::Want(p, dir),
            4..6 => Op::DontWant(p, dir),
            6 if bit(3) => Op::Fail(p, dir),
            6 => Op::Eagain(p, dir),
            7..11 => Op::Pop(dir),
            11..15 => Op::Wait,
            15..20 => Op::World(p, n),
            20..23 => Op::Read(p, few),
            23..26 => Op::Write(p, few),
            26..30 => Op::Turn(p),
            30 => Op::Deadline(p, n),
            31 => Op::Sweep,
            32 => Op::Replace(p, Newcomer { hint: bit(2), connection: bit(3), can_be_watched: !bit(4) }),
            33 => Op::ReplaceBehind(p),
            34 => Op::Queue(p, dir),
            35 => Op::Again(p, bit(2)),
            _ => Op::Fork,
        }
    }
}

/// Where the descriptors come from and what happens to them.
pub(crate) trait World {
    fn fd(&self, place: usize) -> Fd;
    fn ready(&self, place: usize) -> Interest;
    fn happen(&mut self, place: usize, what: u8);
    /// Reads up to `n` bytes and says whether there were fewer, or none.
    fn read_short(&mut self, place: usize, n: usize) -> bool;
    /// Writes `n` bytes and says whether fewer were taken, or none.
    fn write_short(&mut self, place: usize, n: usize) -> bool;
    /// Puts another file under the place's number; the old one has been, or is thereby, closed.
    fn replace(&mut self, place: usize, can_be_watched: bool);
}

#[derive(Default, Clone)]
struct Place {
    want: Interest,
    hint: bool,
    expired: bool,
    /// Pending events that the program queued itself.
    queued: Interest,
    /// The last wait call found that it can be written to, and nothing has been written since.
    writable: bool,
}

/// The naive model.
struct Model {
    places: Vec<Place>,
    pending: [BTreeSet<usize>; 2],
}

impl Model {
    fn new() -> Model {
        Model { places: vec![Place::default(); PLACES], pending: Default::default() }
    }

    fn clear(&mut self, p: usize) {
        self.places[p] = Place::default();
        self.pending.iter_mut().for_each(|s| {
            s.remove(&p);
        });
    }

    fn withdraw(&mut self, p: usize, dir: Direction) {
        self.pending[dir.index()].remove(&p);
        self.places[p].queued -= dir.into();
    }

    /// What was found of a file that may be another one now.
    fn doubt(&mut self, p: usize) {
        self.places[p].hint = false;
        for dir in [Direction::Read, Direction::Write] {
            if !self.places[p].queued.has(dir) {
                self.pending[dir.index()].remove(&p);
            }
        }
    }

    fn wait(&mut self, world: &dyn World) {
        for p in 0..PLACES {
            self.places[p].writable = world.ready(p).has(Direction::Write);
        }
        for dir in [Direction::Read, Direction::Write] {
            self.pending[dir.index()] = (0..PLACES)
                .filter(|&p| {
                    let place = &self.places[p];
                    let told = dir == Direction::Write && place.hint && self.pending[1].contains(&p);
                    place.queued.has(dir) || (place.want.has(dir) && (world.ready(p).has(dir) || told))
                })
                .collect();
        }
    }
}
