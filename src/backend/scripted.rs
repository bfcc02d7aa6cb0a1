//! A backend for tests. The test says what is ready, and sees what the event loop asked for.

use super::{Backend, Event, Events, Found, Probe, Refusal, Token, Watch};
use crate::fd::Fd;
use crate::interest::Interest;
use crate::sys::poll::{HUP, flags};
use crate::sys::waker::Waker;
use crate::time::Span;
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Default)]
pub(crate) struct Script {
    /// What is ready, by number.
    pub(crate) ready: BTreeMap<Fd, Interest>,
    /// Errors and hang-ups, which are reported whatever is watched.
    pub(crate) hung_up: BTreeSet<Fd>,
    /// What the event loop has it watch.
    pub(crate) watched: BTreeMap<Fd, (Token, Watch)>,
    /// Numbers that cannot be watched, as regular files.
    pub(crate) unwatchable: Vec<Fd>,
    /// Registrations whose descriptor is gone.
    pub(crate) stale: Vec<Token>,
    /// Where the next wait begins. The kernel, too, moves what it has reported to the end of its list.
    turn: Option<Fd>,
    /// Calls of `set`, of `probe` and of `wait`.
    pub(crate) sets: usize,
    pub(crate) probes: usize,
    pub(crate) waits: usize,
    /// The room of the last wait.
    pub(crate) room: usize,
    /// The timeout of the last wait that found nothing; `Some(None)` is "without limit".
    pub(crate) slept: Option<Span>,
}

impl Script {
    pub(crate) fn ready(&self, fd: Fd) -> Interest {
        if self.hung_up.contains(&fd) {
            return Interest::BOTH;
        }
        self.ready.get(&fd).copied().unwrap_or_default()
    }

    /// What a question about `interest` would find now.
    fn answer(&self, token: Token, interest: Interest) -> Option<Event> {
        let hung_up = self.hung_up.contains(&token.fd);
        let ready = if hung_up { Interest::BOTH } else { self.ready(token.fd) & interest };
        let more = if hung_up { HUP } else { 0 };
        (!ready.is_none()).then_some(Event::new(token, flags(ready) | more))
    }

    fn take_turns(&mut self, room: usize) -> Vec<Event> {
        let from = self.turn.take();
        let later = self.watched.iter().filter(|(fd, _)| Some(**fd) >= from);
        let sooner = self.watched.iter().filter(|(fd, _)| Some(**fd) < from);
        let all = later.chain(sooner).filter_map(|(_, (token, watch))| self.answer(*token, watch.interest));
        let mut events: Vec<Event> = all.take(room + 1).collect();
        if events.len() > room {
            self.turn = events.pop().map(|e| Fd::from_index(e.number()));
        }
        events
    }
}

#[derive(Default)]
pub(crate) struct Scripted {
    script: Mutex<Script>,
}

impl Scripted {
    pub(crate) fn new() -> Arc<Scripted> {
        Arc::default()
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }
}

impl Backend for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn set(&self, token: Token, _: Interest, new: Watch) -> Result<(), Refusal> {
        let mut s = self.script();
        s.sets += 1;
        if s.unwatchable.contains(&token.fd) {
            return Err(Refusal::Unable);
        }
        if new.interest.is_none() {
            s.watched.remove(&token.fd);
        } else {
            s.watched.insert(token.fd, (token, new));
        }
        Ok(())
    }

    fn is_same_file(&self, token: Token, _: Watch) -> bool {
        self.script().watched.contains_key(&token.fd)
    }

    fn closing(&self, token: Token) {
        self.script().watched.remove(&token.fd);
    }

    fn wait(&self, events: &mut Events, _: &mut Probe, room: usize, timeout: Span) -> Result<(), Errno> {
        let mut s = self.script();
        s.waits += 1;
        s.room = room;
        let mut found = s.take_turns(room);
        found.extend(s.stale.iter().map(|&token| Event::new(token, flags(Interest::READ))));
        found.iter().for_each(|&e| events.push(e));
        if found.is_empty() && timeout != Span::ZERO {
            s.slept = Some(timeout);
            // Nothing can happen while a scripted backend sleeps, so it ends as if by a signal.
            return Err(Errno::EINTR);
        }
        Ok(())
    }

    fn probe(&self, probe: &mut Probe) -> Result<Found, Errno> {
        let mut s = self.script();
        s.probes += 1;
        let ready = probe.answer(|token, interest| s.answer(token, interest));
        Ok(Found { ready, first: true })
    }

    fn waker(&self) -> Option<&Waker> {
        None
    }

    fn has_number(&self, _: Fd) -> bool {
        false
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn close(&self) {}
}
