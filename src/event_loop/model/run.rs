//! Runs a program on the loop and on the model, side by side.

use super::super::{Limit, used};
use super::{Op, PLACES, Place, Rig, World};
use crate::backend::Opened;
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::slot::{Dirty, Hint, Slot};
use crate::table;
use crate::time::Deadline;
use nix::errno::Errno;
use std::collections::BTreeSet;

use Direction::{Read, Write};

/// After so many rounds each of a few ready descriptors has had its turn, even with the smallest looks.
const ENOUGH: usize = 12;

/// Counts what happened in a program.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    /// Looks that found everything that was ready, and at least one.
    pub(crate) whole: usize,
    /// Looks that found as many as they had room for.
    pub(crate) full: usize,
    pub(crate) reports: usize,
    pub(crate) sleeps: usize,
}

/// Panics where the loop and the model differ.
pub(in crate::event_loop) fn run(ops: &[Op], backend: impl Into<Opened>, world: &mut dyn World) -> Tally {
    let places = vec![Place::new(false); PLACES];
    let mut run = Run { rig: Rig::new(backend), places, world, tally: Tally::default() };
    for p in 0..PLACES {
        run.rig.register(run.world.fd(p), run.world.file(p), false);
    }
    for &op in ops {
        run.step(op);
        run.check_books();
    }
    run.everything_has_its_turn();
    run.tally
}

struct Run<'w> {
    rig: Rig,
    places: Vec<Place>,
    world: &'w mut dyn World,
    tally: Tally,
}

impl Run<'_> {
    fn fd(&self, p: usize) -> Fd {
        self.world.fd(p)
    }

    /// As C passes it.
    fn d(&self, p: usize) -> i64 {
        self.fd(p).raw().into()
    }

    fn number(&self, p: usize) -> u32 {
        self.fd(p).index() as u32
    }

    fn slot(&self, p: usize) -> &'static Slot {
        table::slot(self.number(p)).unwrap()
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Want(p, dir) => {
                self.rig.want(self.fd(p), dir);
                self.places[p].want(dir);
            }
            Op::DontWant(p, dir) => {
                self.rig.dont_want(self.fd(p), dir);
                self.places[p].dont_want(dir);
            }
            Op::DontWantAnything => {
                (0..PLACES).for_each(|p| {
                    Direction::BOTH.into_iter().for_each(|dir| self.step(Op::DontWant(p, dir)))
                });
            }
            Op::Eagain(p, dir) => {
                self.rig.state().eagain(self.d(p), dir);
                self.places[p].is_used(dir);
                self.places[p].queued -= dir.into();
                self.places[p].void_hint(dir);
            }
            Op::Pop(dir) => drop(self.pop(dir)),
            Op::Drain => drop(self.drain()),
            Op::Check => self.wait(Limit::Now),
            Op::Wait if self.world.ends_sleeps() => self.wait(Limit::Never),
            Op::Wait => self.wait(Limit::Now),
            Op::World(p, what) => self.world.happen(p, what),
            Op::Read(p, n) => {
                let whole = self.world.read(p, n);
                self.moved(p, Read, whole);
            }
            Op::Write(p, n) => {
                let whole = self.world.write(p, n);
                self.moved(p, Write, whole);
            }
            Op::Turn(p) => self.turn(p),
            Op::Deadline(p, what) => {
                let at = match what % 3 {
                    0 => Deadline::from_nanos(1),
                    1 => Deadline::from_nanos(i64::MAX - 1),
                    _ => Deadline::NEVER,
                };
                self.rig.state().set_deadline(self.d(p), at).unwrap();
                self.places[p].expired = what % 3 == 0;
            }
            Op::Sweep => self.sweep(),
            Op::Replace(p, newcomer) => {
                self.rig.state().unregister(self.fd(p));
                self.world.replace(p, newcomer.can_be_watched);
                self.rig.register(self.fd(p), self.world.file(p), newcomer.hint);
                self.places[p] = Place::new(newcomer.hint);
            }
            Op::ReplaceBehind(p, newcomer) => {
                self.world.replace(p, newcomer.can_be_watched);
                self.rig.register(self.fd(p), self.world.file(p), newcomer.hint);
                self.places[p] = Place::new(newcomer.hint);
            }
            Op::Queue(p, dir) => {
                assert!(self.rig.state().queue_for(self.d(p), dir));
                self.places[p].queued |= dir.into();
            }
            Op::Again(p, hint) => {
                self.rig.register(self.fd(p), self.world.file(p), hint);
                if hint && self.places[p].hint == Hint::None {
                    self.places[p].hint = Hint::Given;
                }
            }
            Op::Share(p) => self.slot(p).shared.set(true),
            Op::Fork => self.rig.fork(),
        }
    }

    /// A transfer through the library is over.
    fn moved(&mut self, p: usize, dir: Direction, whole: bool) {
        used(self.fd(p), dir, whole);
        self.places[p].is_used(dir);
        if !whole {
            self.places[p].void_hint(dir);
        }
    }

    fn wait(&mut self, limit: Limit) {
        let result = self.rig.wait(limit);
        let state = self.rig.state();
        let slept = result == Err(Errno::EINTR);
        let is_full = !slept && state.events.len() >= state.room;
        drop(state);
        for (p, place) in self.places.iter_mut().enumerate() {
            place.looked(self.world.ready(p), !is_full);
            assert!(!slept || place.must().is_none(), "a wait slept over place {p}");
        }
        self.tally.sleeps += usize::from(slept);
        match result {
            Err(e) => assert_eq!(e, Errno::EINTR),
            Ok(_) if is_full => self.tally.full += 1,
            Ok(_) => {
                self.tally.whole += usize::from(self.places.iter().any(|place| !place.must().is_none()));
            }
        }
    }

    fn pop(&mut self, dir: Direction) -> Option<usize> {
        let Some(number) = self.rig.pop(dir) else {
            for (p, place) in self.places.iter().enumerate() {
                assert!(!place.must().has(dir), "place {p} was not reported, {dir:?}");
            }
            return None;
        };
        let p = (0..PLACES).find(|&p| self.number(p) == number).unwrap();
        let place = &mut self.places[p];
        assert!(place.may().has(dir), "place {p} is a false report, {dir:?}");
        place.queued -= dir.into();
        place.is_used(dir);
        place.void_hint(dir);
        self.tally.reports += 1;
        Some(p)
    }

    /// The directions in which each place was reported.
    fn drain(&mut self) -> [Interest; PLACES] {
        let mut reported = [Interest::NONE; PLACES];
        for dir in Direction::BOTH {
            while let Some(p) = self.pop(dir) {
                reported[p] |= dir.into();
            }
        }
        reported
    }

    /// Checks the sweep: it names what has expired, except descriptors with a pending report.
    fn sweep(&mut self) {
        let named: BTreeSet<u32> =
            std::iter::from_fn(|| self.rig.state().next_expired(Deadline::now)).collect();
        let mut left_out = Vec::new();
        for (p, place) in self.places.iter().enumerate() {
            let is_named = named.contains(&self.number(p));
            assert!(!is_named || (place.expired && place.must().is_none()), "place {p} has not expired");
            if place.expired && !is_named {
                left_out.push(p);
            }
        }
        if !left_out.is_empty() {
            let reported = self.drain();
            for p in left_out {
                assert!(!reported[p].is_none(), "place {p} was neither reported nor named");
            }
        }
    }

    fn turn(&mut self, p: usize) {
        for op in [Op::DontWant(p, Write), Op::Want(p, Read), Op::World(p, 0), Op::Check] {
            self.step(op);
        }
        while self.pop(Read).is_some_and(|q| q != p) {}
        for op in [Op::Read(p, 1000), Op::DontWant(p, Read), Op::Want(p, Write)] {
            self.step(op);
        }
        if !self.places[p].must().has(Write) {
            self.step(Op::Check);
        }
        while self.pop(Write).is_some_and(|q| q != p) {}
        for op in [Op::Write(p, 1), Op::DontWant(p, Write), Op::Want(p, Read)] {
            self.step(op);
        }
    }

    /// Checks what must always hold.
    fn check_books(&self) {
        let state = self.rig.state();
        assert_eq!(state.registered, PLACES);
        assert_eq!(state.wanted, self.places.iter().map(|place| place.want.count()).sum::<usize>());
        for (p, place) in self.places.iter().enumerate() {
            let slot = self.slot(p);
            assert_eq!(slot.want.get(), place.want, "place {p}");
            let entries = state.dirty.iter().filter(|&&n| n == self.number(p)).count();
            assert_eq!(entries, usize::from(slot.dirty.get() != Dirty::No), "place {p}");
            assert!(slot.missing().is_none() || entries == 1, "nobody watches or probes place {p}");
            if let Some(watched) = self.world.watched(p) {
                assert_eq!(watched, slot.watched.get(), "place {p}");
            }
        }
    }

    /// Checks what must hold when nothing happens any more.
    fn everything_has_its_turn(&mut self) {
        self.drain();
        let mut reported = [Interest::NONE; PLACES];
        for _ in 0..ENOUGH {
            self.step(Op::Check);
            for (all, new) in reported.iter_mut().zip(self.drain()) {
                *all |= new;
            }
            self.check_books();
        }
        for (p, reported) in reported.into_iter().enumerate() {
            assert_eq!(reported, self.places[p].want & self.world.ready(p), "place {p}");
        }
    }
}
