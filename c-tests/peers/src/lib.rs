//! The interface of the crate polling over the io layer, as far as that crate's own tests use it.
//!
//! The io layer has one loop a process, which takes no keys and knows no one-shot interest. So keys and modes are kept
//! here, the interest of a one-shot source is taken back when its event is delivered, and the loop serves the poller that
//! waits: only one can at a time. Edge-triggered modes are refused.

mod c;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a source is wanted for, or what it is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub key: usize,
    pub readable: bool,
    pub writable: bool,
}

impl Event {
    pub const fn new(key: usize, readable: bool, writable: bool) -> Event {
        Event { key, readable, writable }
    }

    pub const fn all(key: usize) -> Event {
        Event::new(key, true, true)
    }

    pub const fn readable(key: usize) -> Event {
        Event::new(key, true, false)
    }

    pub const fn writable(key: usize) -> Event {
        Event::new(key, false, true)
    }

    pub const fn none(key: usize) -> Event {
        Event::new(key, false, false)
    }

    /// There is nothing extra.
    pub fn with_no_extra(self) -> Event {
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollMode {
    Oneshot,
    Level,
    Edge,
    EdgeOneshot,
}

pub trait AsRawSource {
    fn raw(&self) -> RawFd;
}

impl<T: AsRawFd> AsRawSource for &T {
    fn raw(&self) -> RawFd {
        self.as_raw_fd()
    }
}

impl AsRawSource for RawFd {
    fn raw(&self) -> RawFd {
        *self
    }
}

pub trait AsSource: AsFd {
    fn source(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<T: AsFd> AsSource for T {}

#[derive(Default)]
pub struct Events(Vec<Event>);

impl Events {
    pub fn new() -> Events {
        Events::default()
    }

    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.0.iter().copied()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The poller whose interest the loop has.
static SERVED: Mutex<usize> = Mutex::new(0);
static MADE: AtomicUsize = AtomicUsize::new(0);

pub struct Poller {
    id: usize,
    waker: c::Waker,
    sources: Mutex<BTreeMap<RawFd, (Event, PollMode)>>,
}

impl Poller {
    pub fn new() -> io::Result<Poller> {
        let id = MADE.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Poller { id, waker: c::Waker::new()?, sources: Mutex::default() })
    }

    pub fn supports_level(&self) -> bool {
        true
    }

    pub fn supports_edge(&self) -> bool {
        false
    }

    /// # Safety
    /// As in polling: the source is deleted before it is closed.
    pub unsafe fn add(&self, source: impl AsRawSource, interest: Event) -> io::Result<()> {
        // SAFETY: the caller's promise is the same.
        unsafe { self.add_with_mode(source, interest, PollMode::Oneshot) }
    }

    /// # Safety
    /// As in polling: the source is deleted before it is closed.
    pub unsafe fn add_with_mode(
        &self,
        source: impl AsRawSource,
        interest: Event,
        mode: PollMode,
    ) -> io::Result<()> {
        let fd = source.raw();
        if self.sources().contains_key(&fd) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.set(fd, interest, mode)
    }

    pub fn modify(&self, source: impl AsSource, interest: Event) -> io::Result<()> {
        self.modify_with_mode(source, interest, PollMode::Oneshot)
    }

    pub fn modify_with_mode(&self, source: impl AsSource, interest: Event, mode: PollMode) -> io::Result<()> {
        let fd = source.source();
        if !self.sources().contains_key(&fd) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.set(fd, interest, mode)
    }

    pub fn delete(&self, source: impl AsSource) -> io::Result<()> {
        let fd = source.source();
        self.sources().remove(&fd).ok_or(io::ErrorKind::NotFound)?;
        if *lock(&SERVED) == self.id {
            c::want_nothing(fd);
        }
        Ok(())
    }

    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.be_served()?;
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            c::wait(left);
            let notified = self.collect(events);
            if notified || !events.is_empty() || deadline.is_some_and(|at| at <= Instant::now()) {
                return Ok(events.len());
            }
        }
    }

    pub fn notify(&self) -> io::Result<()> {
        self.waker.wake();
        Ok(())
    }

    fn set(&self, fd: RawFd, interest: Event, mode: PollMode) -> io::Result<()> {
        if matches!(mode, PollMode::Edge | PollMode::EdgeOneshot) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.sources().insert(fd, (interest, mode));
        if *lock(&SERVED) == self.id {
            c::want(fd, interest.readable, interest.writable)?;
        }
        Ok(())
    }

    /// Makes the loop's interest that of this poller.
    fn be_served(&self) -> io::Result<()> {
        let mut served = lock(&SERVED);
        if *served != self.id {
            // What others wanted is not taken back, but told apart: an event that is not of here is not wanted any more.
            *served = self.id;
            c::want(self.waker.fd(), true, false)?;
            for (fd, (interest, _)) in self.sources().iter() {
                c::want(*fd, interest.readable, interest.writable)?;
            }
        }
        Ok(())
    }

    /// Takes what the loop has to report. Whether somebody has notified this poller.
    fn collect(&self, events: &mut Events) -> bool {
        let (mut notified, mut ready) = (false, BTreeMap::new());
        let mut sources = self.sources();
        while let Some((fd, is_read)) = c::next() {
            if fd == self.waker.fd() {
                self.waker.drain();
                notified = true;
            } else if let Some((interest, _)) = sources.get(&fd) {
                let event = ready.entry(fd).or_insert(Event::none(interest.key));
                event.readable |= is_read && interest.readable;
                event.writable |= !is_read && interest.writable;
            } else {
                c::want_nothing(fd);
            }
        }
        for (fd, event) in ready {
            if let Some((interest, PollMode::Oneshot)) = sources.get_mut(&fd) {
                *interest = Event::none(interest.key);
                c::want_nothing(fd);
            }
            events.0.push(event);
        }
        notified
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<RawFd, (Event, PollMode)>> {
        lock(&self.sources)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        let mut served = lock(&SERVED);
        if *served == self.id {
            *served = 0;
            self.sources().keys().for_each(|fd| c::want_nothing(*fd));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
