//! The one place where an event of the kernel becomes state.

use super::Reactor;
use crate::backend::{Event, Events, Token, Watch};
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::sys::bytes::drain_error_queue;
use crate::sys::poll::ready_now;

/// Notices taken from an error queue at a time. More are met by the next wait.
const NOTICES: usize = 64;

/// Waits in a row with events of dead registrations after which the backend is replaced. One can be an
/// event that a thread was carrying while another closed the descriptor.
const GHOSTS: u32 = 2;

impl Reactor {
    pub(super) fn apply(&mut self, events: &Events) {
        let mut ghost = false;
        for event in events.iter() {
            ghost |= !self.apply_one(event);
        }
        self.ghost_waits = if ghost { self.ghost_waits + 1 } else { 0 };
        if self.ghost_waits >= GHOSTS && self.live_backend().is_some_and(|b| b.keeps_ghosts()) {
            self.shut_backend();
            self.stale = true;
        }
    }

    /// False if the event belongs to no registration that stands.
    fn apply_one(&mut self, event: Event) -> bool {
        // A backend keeps its own registrations to itself.
        let Some(token) = event.token() else { return true };
        let Token { fd, generation } = token;
        let number = fd.index() as u32;
        if self.table.get(fd).is_none_or(|e| e.generation != generation) {
            return false;
        }
        if event.is_closed() {
            if let Some(backend) = self.live_backend() {
                backend.closing(token);
            }
            self.lost(number);
            return true;
        }
        let ready = if event.is_error() { after_notices(fd, event.ready()) } else { event.ready() };
        for dir in [Direction::Read, Direction::Write] {
            if ready.has(dir) && self.table.listed(number).want.has(dir) {
                self.confirm(number, dir);
            }
        }
        self.withdraw_interest(token, ready);
        true
    }

    /// Makes an event pending, or keeps the one that is.
    fn confirm(&mut self, number: u32, dir: Direction) {
        self.table.listed(number).unconfirmed -= dir.into();
        self.push(dir, number);
    }

    /// An event that nobody wants must not come again: takes back the interest that it shows to be unwanted.
    /// Errors and hang-ups come regardless of interest, so without any want the registration has to go.
    fn withdraw_interest(&mut self, token: Token, ready: Interest) {
        let number = token.fd.index() as u32;
        let e = self.table.listed(number);
        let (watched, keep) = (e.watched, e.watched & e.want);
        let extra = watched - keep;
        if extra.is_none() || (!e.want.is_none() && (extra & ready).is_none()) {
            return;
        }
        e.watched = keep;
        if let Some(backend) = self.live_backend() {
            // An error means that the kernel has forgotten the descriptor: then no event comes again either.
            let _ = backend.set(token, Watch::level(watched), Watch::level(keep));
        }
    }
}

/// An error can be a mere notice in a socket's error queue (time stamps, zero-copy completions). Reported
/// as readiness, it would be false; left there, it would end every wait at once. What is taken away here
/// no read or write would have shown.
fn after_notices(fd: Fd, ready: Interest) -> Interest {
    if drain_error_queue(fd, NOTICES) == 0 { ready } else { ready_now(fd) }
}
