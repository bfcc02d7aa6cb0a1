//! Runs a program on the reactor and on the model, side by side.

use super::super::Limit;
use super::{Model, Op, PLACES, Rig, World};
use crate::backend::Opened;
use crate::interest::{Direction, Interest, Trigger};
use crate::outcome::Readiness;
use crate::table::Entry;
use crate::time::Deadline;
use std::collections::BTreeSet;

use Direction::{Read, Write};

/// Panics where reactor and model differ. Returns how often a descriptor was found watched for edges.
pub(crate) fn run(ops: &[Op], backend: impl Into<Opened>, world: &mut dyn World) -> usize {
    let mut run = Run { rig: Rig::new(backend), model: Model::new(), world, edges: 0 };
    (0..PLACES).for_each(|p| run.rig.register(run.world.fd(p), false));
    ops.iter().for_each(|op| run.step(*op));
    run.step(Op::Wait);
    for dir in [Read, Write] {
        let reported: BTreeSet<u32> = run.rig.drain(dir).into_iter().collect();
        let expected = run.model.pending[dir.index()].iter().map(|&p| run.number(p)).collect();
        assert_eq!(reported, expected, "{dir:?}");
    }
    assert!(!run.rig.state().has_pending(), "a wait would not sleep");
    run.edges
}

fn used_up(short: bool) -> Readiness {
    if short { Readiness::UsedUp } else { Readiness::Stands }
}

struct Run<'w> {
    rig: Rig,
    model: Model,
    world: &'w mut dyn World,
    /// Steps that found a descriptor watched for edges.
    edges: usize,
}

impl Run<'_> {
    fn number(&self, p: usize) -> u32 {
        self.world.fd(p).index() as u32
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Want(p, dir) => self.want(p, dir),
            Op::DontWant(p, dir) => {
                self.rig.state().dont_want(self.world.fd(p), dir);
                self.model.places[p].want -= dir.into();
                if !self.model.places[p].queued.has(dir) {
                    self.model.withdraw(p, dir);
                }
            }
            Op::Eagain(p, dir) => {
                self.rig.state().eagain(self.world.fd(p), dir);
                self.model.withdraw(p, dir);
                self.model.places[p].hint &= dir != Write;
            }
            Op::Pop(dir) => drop(self.pop(dir)),
            Op::Wait => {
                self.rig.wait(Limit::Now).unwrap();
                self.model.wait(self.world);
                let mut state = self.rig.state();
                let edge = |e: &mut Entry| e.trigger == Trigger::Edge;
                self.edges +=
                    (0..PLACES).filter(|&p| state.table.get(self.world.fd(p)).is_some_and(edge)).count();
            }
            Op::World(p, what) => self.world.happen(p, what),
            Op::Read(p, n) => {
                let short = self.world.read_short(p, n);
                self.moved(p, Read, used_up(short));
            }
            Op::Write(p, n) => {
                let short = self.world.write_short(p, n);
                self.moved(p, Write, used_up(short));
                self.model.places[p].writable = false;
            }
            Op::Fail(p, dir) => self.moved(p, dir, Readiness::Unclear),
            Op::Turn(p) => self.turn(p),
            Op::Deadline(p, what) => {
                let at = match what % 3 {
                    0 => Deadline::from_nanos(1),
                    1 => Deadline::from_nanos(i64::MAX - 1),
                    _ => Deadline::NEVER,
                };
                self.rig.state().set_deadline(self.world.fd(p), at).unwrap();
                self.model.places[p].expired = what % 3 == 0;
            }
            Op::Sweep => {
                let named: BTreeSet<u32> =
                    std::iter::from_fn(|| self.rig.state().next_expired(Deadline::now)).collect();
                let quiet = |p: &usize| self.model.pending.iter().all(|set| !set.contains(p));
                let expected = (0..PLACES).filter(|&p| self.model.places[p].expired).filter(quiet);
                assert_eq!(named, expected.map(|p| self.number(p)).collect());
            }
            Op::Replace(p, newcomer) => {
                let fd = self.world.fd(p);
                self.rig.state().unregister(fd);
                self.world.replace(p, newcomer.can_be_watched);
                if newcomer.connection {
                    self.rig.state().just_set = Some(fd);
                }
                self.rig.register(fd, newcomer.hint);
                self.model.clear(p);
                self.model.places[p].hint = newcomer.hint;
            }
            Op::ReplaceBehind(p) => {
                // A number that never got to the kernel cannot be told from its successor.
                let fd = self.world.fd(p);
                let known = self.rig.state().table.get(fd).is_some_and(|e| !e.watched.is_none());
                if known {
                    self.world.replace(p, true);
                    self.rig.register(fd, false);
                    self.model.clear(p);
                }
            }
            Op::Queue(p, dir) => {
                assert!(self.rig.state().queue_for(self.world.fd(p), dir));
                self.model.places[p].queued |= dir.into();
                self.model.pending[dir.index()].insert(p);
            }
            Op::Again(p, hint) => {
                let fd = self.world.fd(p);
                if self.rig.state().table.get(fd).is_some_and(|e| e.watched.is_none()) {
                    self.model.doubt(p);
                }
                self.rig.register(fd, hint);
                self.model.places[p].hint |= hint;
            }
            Op::Fork => self.rig.state().forks += 1,
        }
    }

    fn want(&mut self, p: usize, dir: Direction) {
        let fd = self.world.fd(p);
        self.rig.state().want(fd, dir);
        let place = &mut self.model.places[p];
        let new = !place.want.has(dir) && dir == Write && !place.queued.has(dir);
        place.want |= dir.into();
        if new && place.hint {
            self.model.pending[1].insert(p);
        } else if new && self.rig.state().table.get(fd).is_some_and(|e| e.pending.has(dir)) {
            // It may be reported at once if the last wait call saw it.
            assert!(place.writable, "place {p} is reported without a reason");
            self.model.pending[1].insert(p);
        }
    }

    /// A transfer is over.
    fn moved(&mut self, p: usize, dir: Direction, readiness: Readiness) {
        self.rig.state().moved(self.world.fd(p), dir, readiness);
        // What the program queued stands.
        if readiness != Readiness::Stands && !self.model.places[p].queued.has(dir) {
            self.model.withdraw(p, dir);
            self.model.places[p].hint &= dir != Write;
        }
    }

    fn pop(&mut self, dir: Direction) -> Option<usize> {
        let set = &mut self.model.pending[dir.index()];
        let Some(number) = self.rig.pop(dir) else {
            assert!(set.is_empty(), "{set:?} was not reported");
            let state = self.rig.state();
            let none_left = [state.readable.is_empty(), state.writable.is_empty()][dir.index()];
            assert!(none_left, "a wait would not sleep");
            return None;
        };
        let p = (0..PLACES).find(|&p| self.world.fd(p).index() as u32 == number).unwrap();
        assert!(set.remove(&p), "place {p} is a false report");
        let place = &mut self.model.places[p];
        place.queued -= Interest::from(dir);
        if dir == Write {
            place.hint = false;
            place.writable = false;
        }
        Some(p)
    }

    fn turn(&mut self, p: usize) {
        for op in [Op::DontWant(p, Write), Op::Want(p, Read), Op::World(p, 0), Op::Wait] {
            self.step(op);
        }
        while self.pop(Read).is_some_and(|q| q != p) {}
        for op in [Op::Read(p, 1000), Op::DontWant(p, Read), Op::Want(p, Write)] {
            self.step(op);
        }
        if !self.model.pending[1].contains(&p) {
            self.step(Op::Wait);
        }
        while self.pop(Write).is_some_and(|q| q != p) {}
        self.step(Op::Write(p, 1));
    }
}
