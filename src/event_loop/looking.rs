//! The steps of a look: what the backend is told before it, and what is done with its events afterwards. The order of the
//! steps is in [`super::wait::wait_on`]. All but [`Look::probe`] and [`Look::collect`] need the lock.

use super::interest::Told;
use super::{EventLoop, Kernel};
use crate::backend::{Backend, Events, Found, Opened, Probe, Token};
use crate::fd::Fd;
use crate::grow::Grow;
use crate::interest::Interest;
use crate::mode::FileKind;
use crate::slot::{Dirty, Slot};
use crate::sys::loan::{Lent, Loan};
use crate::table;
use crate::time::{Moment, Span};
use crate::trace::{self, Shown};
use nix::errno::Errno;

/// How many events the first look takes at most.
pub(super) const FIRST_ROOM: usize = 256;
/// No look takes more events than this (1.5 MiB). The kernel reports the rest to the next looks.
const MOST_ROOM: usize = 1 << 17;
/// More dirty descriptors than this are registered without a probe. The probe would be a long call, and so many are
/// hardly short connections.
const MOST_PROBED: usize = 8000;

/// What a thread needs while it looks without the lock.
pub(crate) struct LookParts {
    backend: Opened,
    events: Events,
    probe: Probe,
    /// Used by the poll backend.
    scratch: Probe,
}

/// A look in this thread. As long as the value lives, no other thread looks.
pub(super) struct Look {
    parts: Lent<LookParts>,
    number: u32,
}

impl LookParts {
    fn new(backend: Opened) -> LookParts {
        LookParts { backend, events: Events::NONE, probe: Probe::new(), scratch: Probe::new() }
    }
}

impl Kernel {
    pub(super) fn new(backend: Opened) -> Result<Kernel, Errno> {
        let parts = Loan::new(LookParts::new(backend.clone()))?;
        Ok(Kernel { backend, parts })
    }
}

impl Look {
    /// Probes the dirty descriptors, without waiting. Called without the lock.
    pub(super) fn probe(&mut self) -> Result<Found, Errno> {
        let parts = &mut *self.parts;
        parts.backend.probe(&mut parts.probe)
    }

    /// Takes the backend's events. If there is none, sleeps up to `timeout` for one. Called without the lock.
    #[inline]
    pub(super) fn collect(&mut self, room: usize, timeout: Span) -> Result<(), Errno> {
        let parts = &mut *self.parts;
        parts.backend.wait(&mut parts.events, &mut parts.scratch, room, timeout)
    }

    /// Writes to the trace what the look has found.
    #[cold]
    pub(super) fn trace(&self, begun: Moment, result: Result<(), Errno>) {
        let found = &self.parts.events;
        trace::look_ends(begun, self.parts.backend.name(), result.map(|()| found.len()));
        let mut i = 0;
        while let Some(event) = found.get(i).filter(|_| result.is_ok()) {
            if !event.is_wake() {
                trace::line(Some(event.number().into()), "ready", Shown::Word(event.word()), &[]);
            }
            i += 1;
        }
    }

    /// Adds what the probe found to the backend's events.
    pub(super) fn add_probed(&mut self) {
        let parts = &mut *self.parts;
        parts.probe.report(&mut parts.events);
    }

    pub(super) fn has_probes(&self) -> bool {
        self.parts.probe.len() > 0
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn events(&self) -> &Events {
        &self.parts.events
    }

    /// Events that the look has found so far.
    pub(super) fn found(&self) -> usize {
        self.parts.events.len()
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        // One of the threads that wait beside has to take over. A destructor does this also if the thread is cancelled.
        if self.parts.backend.has_followers() {
            self.parts.backend.wake();
        }
    }
}

impl EventLoop {
    /// Whether another thread looks, and so has to learn of changes.
    #[inline(always)]
    pub(super) fn is_looked_at_elsewhere(&self) -> bool {
        self.kernel.as_ref().is_some_and(|kernel| kernel.parts.is_lent_elsewhere())
    }

    /// The backend, unless it belongs to the parent process or has been lost.
    pub(super) fn live_backend(&self) -> Option<&Opened> {
        self.kernel.as_ref().filter(|_| !self.is_stale).map(|kernel| &kernel.backend)
    }

    /// Begins a look. `None` if another thread looks or there is no backend. A look that does not sleep may run beside
    /// another one.
    pub(super) fn begin_looking(&mut self, sleeps: bool) -> Result<Option<Look>, Errno> {
        let Some(kernel) = &mut self.kernel else { return Ok(None) };
        let parts = match kernel.parts.lend() {
            Some(parts) => parts,
            None if sleeps => return Ok(None),
            None => Lent::own(LookParts::new(kernel.backend.clone()))?,
        };
        Ok(Some(Look { parts, number: table::look() }))
    }

    /// Whether `look` asked the current backend. If the loop was shut down or got another one meanwhile, its events are
    /// worthless.
    pub(super) fn owns(&self, look: &Look) -> bool {
        self.kernel.as_ref().is_some_and(|kernel| kernel.backend.is(&look.parts.backend))
    }

    /// Whether another look has begun since. A use in between has the other look's number, although it may be older than
    /// this look's events. So the kernel has to be asked again.
    pub(super) fn is_outdated(&self, look: &Look) -> bool {
        look.number != table::look()
    }

    /// Before a look: has the backend stop watching what the last look reported and nobody wants, so that it does not wake
    /// the process again. Only here are registrations narrowed.
    #[inline(always)]
    pub(super) fn narrow(&mut self) {
        if self.has_unwanted || self.consumed().is_none_or(|n| n < self.events.len()) {
            self.narrow_unwanted();
        }
    }

    fn narrow_unwanted(&mut self) {
        self.has_unwanted = false;
        if self.threads.are_running() {
            self.keep_what_stands();
        }
        let mut i = 0;
        while let Some(event) = self.events.get(i) {
            if event.is_wake() {
                // If another thread sleeps, the wake-up may be meant for it.
                if let Some(backend) = self.live_backend().filter(|_| !self.is_looked_at_elsewhere()) {
                    backend.drain();
                }
                self.events.take_out(i);
                continue;
            }
            i += 1;
            let Some(slot) = table::slot(event.number()) else {
                self.note_foreign();
                continue;
            };
            if slot.generation() != event.generation() {
                self.note_ended(slot);
                // Taken out, so that it is noted once.
                i -= 1;
                self.events.take_out(i);
                continue;
            }
            let watched = slot.watched.get();
            let idle = (event.ready() & watched) - slot.want.get();
            if !idle.is_none() && !slot.leased.get() {
                self.narrow_one(event.number(), slot);
            }
        }
    }

    /// Handles an event of a registration that has ended. If it ended before the look began, the kernel still watches the
    /// closed file through a duplicate. From now on closing removes registrations explicitly, and the backend is renewed.
    pub(super) fn note_ended(&mut self, slot: &Slot) {
        if slot.ended_before(self.events_look) {
            self.removes_explicitly = true;
            self.lose_backend();
        }
    }

    /// Handles an event with a number that was never registered: the program's own epoll set may have got the number of
    /// the backend's.
    #[cold]
    fn note_foreign(&mut self) {
        if self.live_backend().is_some_and(|backend| !backend.is_whole()) {
            self.lose_backend();
        }
    }

    fn narrow_one(&self, number: u32, slot: &Slot) {
        let keep = slot.watched.get() & slot.want.get();
        // If the kernel refuses, it has forgotten the descriptor, and no event will come.
        let _ = self.tell(number, slot, keep);
        slot.watched.set(keep);
    }

    /// How many events the program has consumed with the cursors that it used; `None` if it used none.
    fn consumed(&self) -> Option<usize> {
        match self.cursors {
            [0, 0] => None,
            [0, n] | [n, 0] => Some(n),
            [read, write] => Some(read.min(write)),
        }
    }

    /// A look takes as many events as the program consumes, so that its cost does not grow with the number of ready
    /// descriptors. Nobody starves, because the kernel moves what it has reported to the end of its list. If the program
    /// consumed a full look and asked for more, the next look takes twice as many.
    pub(super) fn choose_room(&mut self) {
        let found = self.events.len();
        match self.consumed() {
            Some(n) if n < found && !self.threads.are_running() => self.room = n,
            // Every cursor that was used is past the end.
            Some(n) if n > found && found >= self.room => self.room = (2 * self.room).min(MOST_ROOM),
            _ => {}
        }
    }

    /// Goes through the dirty list: registers what was probed before, and fills the probe with what is new.
    pub(super) fn flush_dirty(&mut self, look: &mut Look) {
        let n = self.dirty.len();
        let parts = &mut *look.parts;
        parts.probe.clear();
        if n == 0 {
            return;
        }
        // Without memory for a probe, everything is registered.
        let probing = n <= MOST_PROBED && parts.probe.begin(n).is_ok();
        // A single new reader is nearly always a connection whose request has not arrived, so a probe would be wasted.
        let single = n == 1;
        self.update_dirty(|it, number, slot, missing| {
            let state = match slot.dirty.get() {
                Dirty::Fresh if probing && !(single && missing == Interest::READ) => Dirty::Probed,
                // epoll refuses a regular file, which is always ready.
                Dirty::Refused if slot.access.get().kind() == FileKind::Regular => Dirty::Refused,
                _ => it.watch_missing(number, slot),
            };
            if state != Dirty::No && probing {
                parts.probe.add(token(number, slot), missing);
            }
            state
        });
    }

    /// Before the look sleeps: registers what the probe found not ready. Returns whether nothing is left on the list.
    pub(super) fn watch_probed(&mut self) -> bool {
        self.update_dirty(|it, number, slot, _| it.watch_missing(number, slot));
        self.dirty.is_empty()
    }

    /// Gives each number on the dirty list the state that `f` returns, and takes those off that are not dirty any more.
    fn update_dirty(&mut self, mut f: impl FnMut(&mut EventLoop, u32, &Slot, Interest) -> Dirty) {
        let (mut kept, mut i) = (0, 0);
        while let Some(&number) = self.dirty.get(i) {
            i += 1;
            let Some(slot) = table::slot(number) else { continue };
            let missing = slot.missing();
            // A leased descriptor goes on the dirty list again when it is released.
            let is_idle = missing.is_none() || slot.leased.get();
            let state = if is_idle { Dirty::No } else { f(self, number, slot, missing) };
            slot.dirty.set(state);
            let place = if state == Dirty::No { None } else { self.dirty.get_mut(kept) };
            if let Some(place) = place {
                *place = number;
                kept += 1;
            }
        }
        self.dirty.truncate(kept);
    }

    /// Has the backend watch what is wanted and not watched yet. Returns the new state of the number.
    fn watch_missing(&mut self, number: u32, slot: &Slot) -> Dirty {
        match self.watch(number, slot, slot.watched.get() | slot.want.get()) {
            Told::Yes | Told::Closed => Dirty::No,
            Told::Lost => Dirty::Probed,
            Told::Unable => Dirty::Refused,
        }
    }

    /// Gives the look its number, and room for its events and those of the probe.
    pub(super) fn begin_look(&mut self, look: &mut Look) -> Result<(), Errno> {
        look.number = table::begin_look();
        let parts = &mut *look.parts;
        let most = self.room + parts.probe.len();
        if self.threads.are_running() {
            // The kernel does not repeat the event of a one-shot registration, so there must be room to keep it.
            self.events.reserve(most)?;
        }
        parts.events.make_room(most)
    }

    /// Replaces the events of the last look by those of this one. Returns whether one of them is news.
    pub(super) fn install(&mut self, look: &mut Look) -> bool {
        if self.threads.are_running() {
            return self.install_beside(look);
        }
        self.events_look = look.number;
        std::mem::swap(&mut self.events, &mut look.parts.events);
        self.cursors = [0; 2];
        self.has_news_from(0)
    }
}

pub(super) fn token(number: u32, slot: &Slot) -> Token {
    Token { fd: Fd::from_index(number), generation: slot.generation() }
}

/// Puts a number on the dirty list, which has room for every registered descriptor.
#[inline(always)]
pub(super) fn mark_dirty(dirty: &mut Vec<u32>, number: u32, slot: &Slot, state: Dirty) {
    if slot.dirty.get() == Dirty::No {
        dirty.put(number);
    }
    slot.dirty.set(state);
}
