//! The one place where an event of the kernel becomes state.
//!
//! # Events that are put off
//!
//! A program of one thread mostly takes the events one by one with `io_canread` and works on the descriptor
//! that it was given. It gets each straight from the kernel's list: the events behind it are applied when they
//! are asked for, or before anything else happens that could depend on them. So an event need not be queued and
//! taken out of the queue again. Only events of one look at the kernel are put off, where a descriptor occurs
//! once: what the program does with the descriptor named last cannot touch an event that is still to come.

use super::Reactor;
use crate::backend::{Backend, Event, Events, Token};
use crate::interest::{Direction, Interest, Trigger};
use crate::table::Rhythm;
use nix::errno::Errno;

/// Looks in a row with events of dead registrations after which the backend is replaced. One can be an
/// event that a thread was carrying while another closed the descriptor.
const GHOSTS: u32 = 2;

impl Reactor {
    /// Applies what a look has brought; with `put_off`, no more than it takes to know of one event that the program
    /// wants. Says whether there is one.
    pub(super) fn apply(&mut self, events: &mut Events, put_off: bool) -> Result<bool, Errno> {
        let room = self.readable.reserve(events.len()).and_then(|()| self.writable.reserve(events.len()));
        if room.is_err() {
            // Edges would be lost, but that another backend tells everything anew.
            self.shut_backend();
            self.stale = true;
            return room.map(|()| false);
        }
        self.batch.swap_list(events);
        self.next_event = 0;
        if put_off && self.next_plain_reader().is_some() {
            return Ok(true);
        }
        while let Some(event) = self.take_event() {
            self.apply_one(event);
            if put_off && self.has_pending() {
                return Ok(true);
            }
        }
        self.end_batch();
        Ok(self.has_pending())
    }

    /// Whether events have been put off.
    #[inline]
    pub(super) fn has_rest(&self) -> bool {
        self.next_event < self.batch.len()
    }

    #[inline]
    fn take_event(&mut self) -> Option<Event> {
        let event = self.batch.get(self.next_event)?;
        self.next_event += 1;
        Some(event)
    }

    /// Applies the events that were put off.
    #[cold]
    pub(super) fn apply_rest(&mut self) {
        while let Some(event) = self.take_event() {
            self.apply_one(event);
        }
        self.end_batch();
    }

    /// Applies events that were put off, until one makes a descriptor readable.
    pub(super) fn apply_next(&mut self) {
        while self.readable.is_empty() {
            match self.take_event() {
                Some(event) => self.apply_one(event),
                None => return self.end_batch(),
            }
        }
    }

    /// All events of a look have been applied.
    #[cold]
    fn end_batch(&mut self) {
        self.ghost_looks = if std::mem::take(&mut self.ghost) { self.ghost_looks + 1 } else { 0 };
        if self.ghost_looks >= GHOSTS && self.live_backend().is_some_and(|b| b.keeps_ghosts()) {
            self.shut_backend();
            self.stale = true;
        }
    }

    fn apply_one(&mut self, event: Event) {
        // A backend keeps its own registrations to itself.
        let Some(token) = event.token() else { return };
        let Some(e) = self.table.get(token.fd).filter(|e| e.generation == token.generation) else {
            self.ghost = true;
            return;
        };
        if event.is_closed() || e.trigger == Trigger::Edge {
            self.apply_with_care(event, token);
            return;
        }
        let (ready, number) = (event.ready(), token.fd.index() as u32);
        let (wanted, unwanted) = (ready & e.want, e.watched - e.want);
        if self.loops.are_running() {
            if self.loops.is_old_news(e) {
                return;
            }
            if !(ready & e.pending).is_none() {
                return self.park(token, ready);
            }
        }
        if wanted.has(Direction::Read) {
            e.unconfirmed -= Interest::READ;
            self.readable.push(e, number);
        }
        if wanted.has(Direction::Write) {
            e.unconfirmed -= Interest::WRITE;
            self.writable.push(e, number);
        }
        if !unwanted.is_none() {
            self.withdraw_interest(token, ready);
        }
    }

    /// What needs a closer look, or more than a look.
    #[inline(never)]
    fn apply_with_care(&mut self, event: Event, token: Token) {
        let number = token.fd.index() as u32;
        if event.is_closed() {
            if let Some(backend) = self.live_backend() {
                backend.closing(token);
            }
            self.lost(number);
            return;
        }
        if self.loops.are_running() && self.loops.is_old_news(self.table.listed(number)) {
            return;
        }
        let ready = event.ready();
        for dir in [Direction::Read, Direction::Write] {
            let e = self.table.listed(number);
            if self.loops.are_running() && ready.has(dir) && e.pending.has(dir) {
                self.park(token, ready);
            } else if ready.has(dir) && e.want.has(dir) {
                self.table.listed(number).unconfirmed -= dir.into();
                self.push(dir, number);
            }
        }
        if self.table.listed(number).trigger == Trigger::Edge {
            self.note_edge(number, event, ready);
        } else {
            self.withdraw_interest(token, ready);
        }
    }

    /// Remembers what an edge showed: no other event will.
    fn note_edge(&mut self, number: u32, event: Event, ready: Interest) {
        let cycle = self.cycle;
        self.edges = true;
        let e = self.table.listed(number);
        e.open |= ready;
        if ready.has(Direction::Write) {
            e.fresh = cycle;
        }
        if event.has_more() {
            e.rhythm = Rhythm::Irregular;
        }
        if !(ready & e.want).is_none() {
            e.knocked = false;
        } else if std::mem::replace(&mut e.knocked, true) {
            // A peer must not be able to keep the process awake.
            self.demote(number);
        }
    }

    /// Before the next look: the edges of the last one that were not used up must not be forgotten.
    pub(super) fn list_unused_edges(&mut self) {
        let mut i = 0;
        while let Some(event) = self.batch.get(i) {
            i += 1;
            let (number, generation) = event.number_and_generation();
            if let Some(e) = self.table.get_any(number)
                && e.generation == generation
                && e.trigger == Trigger::Edge
                && !e.unknown().is_none()
            {
                self.list_if_unsettled(number);
            }
        }
    }

    /// An event that nobody wants must not come again: takes back the interest that it shows to be unwanted.
    /// Errors and hang-ups come regardless of interest, so without any want the registration has to go.
    #[cold]
    fn withdraw_interest(&mut self, token: Token, ready: Interest) {
        let e = self.table.listed(token.fd.index() as u32);
        let (old, keep) = (e.watch(), e.watched & e.want);
        let extra = e.watched - keep;
        if extra.is_none() || (!e.want.is_none() && (extra & ready).is_none()) {
            return;
        }
        e.watched = keep;
        let new = e.watch();
        if let Some(backend) = self.live_backend() {
            // An error means that the kernel has forgotten the descriptor: then no event comes again either.
            let _ = backend.set(token, old, new);
        }
    }
}
