//! A backend whose kernel is a script: tests say what is ready and see what the reactor asked for.

use super::{Asked, Backend, Event, Events, Token};
use crate::fd::Fd;
use crate::interest::{Interest, Trigger, Watch};
use crate::sys::poll::{HUP, flags};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

#[derive(Default)]
pub(crate) struct Script {
    /// What is ready, by number; an error or hang-up is both directions.
    pub(crate) ready: BTreeMap<Fd, Interest>,
    /// Errors and hang-ups, which are reported whatever is watched.
    pub(crate) hung_up: BTreeMap<Fd, bool>,
    /// What the reactor has us watch.
    pub(crate) watched: BTreeMap<Fd, (Token, Watch)>,
    /// Descriptors of which an edge is to be reported.
    pub(crate) edges: BTreeSet<Fd>,
    /// Numbers that cannot be watched, as regular files.
    pub(crate) unwatchable: Vec<Fd>,
    /// Registrations whose descriptor is gone.
    pub(crate) ghosts: Vec<Token>,
    /// Calls of `set`, and of `wait`.
    pub(crate) sets: usize,
    pub(crate) looks: usize,
    /// The longest sleep asked for since the last wait call; `None` in it is "without limit".
    pub(crate) slept: Option<Option<Duration>>,
}

impl Script {
    pub(crate) fn ready(&self, fd: Fd) -> Interest {
        if self.hung_up.get(&fd) == Some(&true) {
            return Interest::BOTH;
        }
        self.ready.get(&fd).copied().unwrap_or_default()
    }

    /// Something happens in the kernel.
    pub(crate) fn happen(&mut self, fd: Fd, ready: Interest) {
        self.ready.insert(fd, ready);
        self.edges.insert(fd);
    }

    /// What a question about `interest` would find now.
    fn answer(&self, token: Token, interest: Interest) -> Option<Event> {
        let hung_up = self.hung_up.get(&token.fd) == Some(&true);
        let ready = if hung_up { Interest::BOTH } else { self.ready(token.fd) & interest };
        let more = if hung_up { HUP } else { 0 };
        (!ready.is_none()).then_some(Event::new(token, flags(ready) | more))
    }

    /// What a registration would report now.
    fn report(&mut self, token: Token, watch: Watch) -> Option<Event> {
        let silent = watch.trigger == Trigger::Edge && !self.edges.remove(&token.fd);
        if silent { None } else { self.answer(token, watch.interest) }
    }
}

#[derive(Default)]
pub(crate) struct Fake {
    script: Mutex<Script>,
}

impl Fake {
    pub(crate) fn new() -> Arc<Fake> {
        Arc::default()
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }
}

impl Backend for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn set(&self, token: Token, _: Watch, new: Watch) -> Result<(), Errno> {
        let mut s = self.script();
        s.sets += 1;
        if s.unwatchable.contains(&token.fd) {
            return Err(Errno::EPERM);
        }
        if new.is_none() {
            s.watched.remove(&token.fd);
        } else {
            s.watched.insert(token.fd, (token, new));
            // As the kernel does: what is so at the time of the call counts as news.
            s.edges.insert(token.fd);
        }
        Ok(())
    }

    fn edges(&self, _: Fd) -> bool {
        true
    }

    fn same_file(&self, token: Token, _: Watch) -> bool {
        self.script().watched.contains_key(&token.fd)
    }

    fn closing(&self, token: Token) {
        self.script().watched.remove(&token.fd);
    }

    fn keeps_ghosts(&self) -> bool {
        true
    }

    fn wait(&self, events: &mut Events, asked: &[Asked], timeout: Option<Duration>) -> Result<(), Errno> {
        let mut s = self.script();
        s.looks += 1;
        let registrations: Vec<_> = s.watched.values().copied().collect();
        let mut all: Vec<Event> =
            registrations.into_iter().filter_map(|(token, watch)| s.report(token, watch)).collect();
        all.extend(asked.iter().filter_map(|a| s.answer(a.token, a.interest)));
        all.extend(s.ghosts.iter().map(|&token| Event::new(token, flags(Interest::READ))));
        for e in &all {
            events.push(*e);
        }
        if all.is_empty() && timeout != Some(Duration::ZERO) {
            s.slept = Some(timeout);
            // Nothing will ever happen in a script, so a signal ends the sleep.
            return Err(Errno::EINTR);
        }
        Ok(())
    }

    fn wake(&self) {}

    fn shut(&self) {}

    fn abandon(&self) {}
}
