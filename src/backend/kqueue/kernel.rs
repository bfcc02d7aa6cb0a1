//! The backend: [`super::changes`] and [`super::report`] with a kernel.

use super::changes::{Changes, can_wait};
use super::report::report;
use crate::backend::numbers::ByNumber;
use crate::backend::shut::Shut;
use crate::backend::waker::Waker;
use crate::backend::{Asked, Backend, EVENTS, Events, Token, poll};
use crate::fd::Fd;
use crate::interest::{Direction, Watch};
use crate::sys::fork::process;
use crate::sys::kevent::{ADD, Answer, CHANGES, Kevent};
use crate::sys::kqueue::{ENABLE, Entries, change, create, look};
use crate::sys::lock::ForkLock;
use crate::sys::mode::{close, never_waits};
use crate::sys::once::Once;
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) struct Kqueue {
    set: Fd,
    told: ForkLock<Told>,
    /// Made when a second thread first has something to say: most programs never need it.
    waker: Once<Waker>,
    shut: Shut,
    abandoned: AtomicBool,
    /// The only process that has the set.
    process: u32,
}

struct Told {
    changes: Changes,
    /// As [`report`] wants them.
    places: ByNumber<u32>,
    /// Threads that may be asleep in a wait.
    sleepers: usize,
}

impl Kqueue {
    pub(in crate::backend) fn open() -> Result<Kqueue, Errno> {
        let told = Told { changes: Changes::new(), places: ByNumber::new(), sleepers: 0 };
        Ok(Kqueue {
            set: create()?,
            told: ForkLock::new(told),
            waker: Once::new(),
            shut: Shut::new(),
            abandoned: AtomicBool::new(false),
            process: process(),
        })
    }

    fn tell(&self, changes: &mut Changes, asker: Option<Fd>) -> Result<(), Errno> {
        changes.tell(asker, |piece, hear| change::<CHANGES>(self.set, piece, hear))
    }

    /// Puts what a look has found on the list.
    fn take(&self, events: &mut Events, told: &mut Told, entries: &Entries<EVENTS>) {
        let waker = self.waker.get();
        for entry in entries.iter() {
            match waker.filter(|w| w.fd() == entry.fd) {
                Some(w) => self.shut.silence(|| w.silence(), || w.ring()),
                None => report(events, &mut told.places, entry),
            }
        }
    }

    /// Takes what is ready now, without sleeping, and tells the kernel of what was put off.
    fn look_and_tell(&self, events: &mut Events, told: &mut Told) -> Result<(), Errno> {
        let mut entries = Entries::new();
        if events.room_left() < CHANGES {
            // A change that fails takes the room of an event, and without room ends the call.
            self.tell(&mut told.changes, None)?;
        }
        let rest = told.changes.rest();
        let n = rest.len();
        look(self.set, rest, &mut entries, events.room_left(), Some(Duration::ZERO))?;
        told.changes.told(n);
        self.take(events, told, &entries);
        self.take_more(events, told, &mut entries)?;
        // More than one call can tell.
        self.tell(&mut told.changes, None)
    }

    /// Takes what is ready now or within the time. The caller has counted the sleeper.
    fn collect(&self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Errno> {
        let mut entries = Entries::new();
        let looked = look(self.set, &[], &mut entries, events.room_left(), timeout);
        let mut told = self.told.lock();
        told.sleepers -= 1;
        looked?;
        self.take(events, &mut told, &entries);
        self.take_more(events, &mut told, &mut entries)
    }

    /// After an answer that was full, and while more comes that is new: the kernel goes on behind what it told last, and
    /// round.
    fn take_more(
        &self,
        events: &mut Events,
        told: &mut Told,
        entries: &mut Entries<EVENTS>,
    ) -> Result<(), Errno> {
        while entries.is_full() && !events.is_full() {
            let before = events.len();
            look(self.set, &[], entries, events.room_left(), Some(Duration::ZERO))?;
            self.take(events, told, entries);
            if events.len() == before {
                break;
            }
        }
        Ok(())
    }

    fn add_waker(&self) -> Result<(), Errno> {
        let w = Waker::open()?;
        let mut told = self.told.lock();
        // What was to end under its number must not end it.
        self.tell(&mut told.changes, None)?;
        let mut added = Ok(());
        change::<1>(self.set, &[Kevent::change(w.fd(), Direction::Read, ADD, 0)], &mut |entry| {
            if let Answer::Change(r) = entry.answer() {
                added = r;
            }
        })?;
        added?;
        // A thread that was faster has set its own; closing ours takes it out of the set again.
        let _ = self.waker.set(w);
        Ok(())
    }
}

impl Drop for Kqueue {
    fn drop(&mut self) {
        if !self.abandoned.load(Ordering::Relaxed) && self.process == process() {
            // Nothing can be done about an error here.
            let _ = close(self.set);
        }
    }
}

impl Backend for Kqueue {
    fn name(&self) -> &'static str {
        "kqueue"
    }

    fn set(&self, token: Token, old: Watch, new: Watch) -> Result<(), Errno> {
        if old.is_none() && never_waits(token.fd)? {
            return Err(Errno::EPERM);
        }
        let mut told = self.told.lock();
        if !new.is_none() {
            told.places.get_or_new(token.fd)?;
        }
        told.changes.add(token, old, new)?;
        if can_wait(old, new) && told.sleepers == 0 {
            return Ok(());
        }
        let r = self.tell(&mut told.changes, Some(token.fd));
        if r.is_err() {
            told.changes.give_up(token, old, new);
        }
        r
    }

    fn asks_at_once(&self) -> bool {
        true
    }

    fn same_file(&self, token: Token, watched: Watch) -> bool {
        let mut told = self.told.lock();
        // Or a filter would be found that has ended.
        let _ = self.tell(&mut told.changes, None);
        let mut same = true;
        for dir in [Direction::Read, Direction::Write].into_iter().filter(|&dir| watched.interest.has(dir)) {
            let probe = Kevent::change(token.fd, dir, ENABLE, token.generation);
            let asked = change::<1>(self.set, &[probe], &mut |entry| {
                // Other errors, for want of memory for one, tell nothing about the file.
                same &= !matches!(entry.answer(), Answer::Change(Err(Errno::ENOENT | Errno::EBADF)));
            });
            same &= asked != Err(Errno::EBADF);
        }
        same
    }

    fn closing(&self, _: Token) {
        // The kernel ends the filters with the number.
    }

    fn keeps_ghosts(&self) -> bool {
        false
    }

    fn wait(&self, events: &mut Events, asked: &[Asked], timeout: Option<Duration>) -> Result<(), Errno> {
        let mut told = self.told.lock();
        let put_off = !told.changes.is_empty();
        if put_off {
            self.look_and_tell(events, &mut told)?;
        }
        let done = put_off && events.len() > 0;
        if done && (asked.is_empty() || events.is_full()) {
            return Ok(());
        }
        let timeout = if done { Some(Duration::ZERO) } else { timeout };
        told.sleepers += 1;
        drop(told);
        if asked.is_empty() {
            return self.collect(events, timeout);
        }
        let more = poll::ask(events, asked, self.set, timeout);
        if matches!(more, Ok(true)) && !done && !events.is_full() {
            return self.collect(events, Some(Duration::ZERO));
        }
        self.told.lock().sleepers -= 1;
        more.map(drop)
    }

    fn wake(&self) {
        if self.waker.get().is_none() && self.add_waker().is_err() {
            // No descriptor to be had: the sleeper learns of the change with the next event.
            return;
        }
        if let Some(w) = self.waker.get() {
            w.ring();
        }
    }

    fn shut(&self) {
        self.shut.shut(|| self.wake());
    }

    fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
        if let Some(w) = self.waker.get() {
            w.abandon();
        }
    }
}
