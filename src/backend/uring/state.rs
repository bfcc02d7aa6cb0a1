//! Which descriptors are watched, and which of them the ring looks after.

use super::super::{Events, Token, numbers::ByNumber};
use crate::fd::Fd;
use crate::grow::Grow;
use crate::interest::Interest;
use crate::sys::mode::{Identity, identity, is_still};
use crate::sys::poll::{RDHUP, flags};
use crate::sys::uring::{Completion, Request, Ring, Wait, enter};
use nix::errno::Errno;
use std::collections::VecDeque;
use std::ops::Range;

/// Requests that one call can submit.
const REQUESTS: u32 = 256;
/// Completions that find room at once; more take a call to fetch.
const COMPLETIONS: u32 = 1024;

/// A descriptor that poll(2) has found idle so often in a row is better off in the ring: a poll request costs
/// several questions.
const PATIENCE: u8 = 8;

/// What is known of a descriptor number.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The open file that was watched first under the registration.
    file: Identity,
    generation: u32,
    /// Names the poll request in flight.
    request: u32,
    /// Watched; none for a number that is not.
    interest: Interest,
    /// What the poll request in flight waits for; none if there is no request.
    armed: Interest,
    /// In `hot`, or being asked about by a thread that has taken it from there.
    hot: bool,
    /// Questions in vain since the last event or completion.
    idle: u8,
    /// The peer sends no more, at which requests complete at once: they stay in flight after that.
    half_closed: bool,
}

pub(super) struct State {
    pub(super) ring: Ring,
    /// The file that the ring is.
    file: Identity,
    slots: ByNumber<Slot>,
    /// Watched numbers without a request in flight, in the order in which they are asked about. Has room for
    /// every watched number.
    hot: VecDeque<u32>,
    watched: usize,
    last_request: u32,
    /// Completions taken, and thrown away by the kernel, so far.
    pub(super) taken: u64,
    pub(super) lost: u32,
    /// Poll requests wait to be submitted.
    unsubmitted: bool,
    /// Threads that sleep until the ring has a completion.
    pub(super) sleepers: usize,
    /// The last wait found something without a sleep.
    pub(super) busy: bool,
    pub(super) woken: bool,
    pub(super) shut: bool,
}

impl State {
    pub(super) fn open() -> Result<State, Errno> {
        let ring = Ring::open(REQUESTS, COMPLETIONS)?;
        let mut state = State {
            file: identity(ring.fd())?,
            ring,
            slots: ByNumber::new(),
            hot: VecDeque::new(),
            watched: 0,
            last_request: 0,
            taken: 0,
            lost: 0,
            unsubmitted: false,
            sleepers: 0,
            busy: false,
            woken: false,
            shut: false,
        };
        // A sandbox may allow a ring but not its use.
        state.nudge()?;
        state.reap()?;
        Ok(state)
    }

    /// The ring is given up. One that a sandbox refuses is closed with it: it would hold the files that it watches, and
    /// with them connections that were closed. One that the program has closed is not: its number may be another's.
    pub(super) fn abandon(&mut self) {
        let fd = self.ring.fd();
        // On old kernels rings have their inode in common with eventfds and others.
        let no_ring = matches!(enter(fd, 0, Wait::No), Err(Errno::EBADF | Errno::EOPNOTSUPP));
        if no_ring || identity(fd) != Ok(self.file) {
            self.ring.abandon();
        }
    }

    /// Watches `token.fd`. Nothing reaches the kernel yet.
    pub(super) fn watch(&mut self, token: Token, interest: Interest) -> Result<(), Errno> {
        if self.file(token).is_none() {
            self.forget(token.fd)?;
            let file = identity(token.fd)?;
            self.hot.try_reserve(self.watched + 1).map_err(|_| Errno::ENOMEM)?;
            let slot = self.slots.get_or_new(token.fd)?;
            *slot = Slot {
                file,
                generation: token.generation,
                request: slot.request,
                hot: slot.hot,
                ..Slot::default()
            };
            self.watched += 1;
        }
        let slot = self.slots.get_or_new(token.fd)?;
        slot.interest = interest;
        // A request that stays may have told of the added direction when nobody wanted to know.
        if (interest - slot.armed).is_none() && !slot.half_closed { Ok(()) } else { self.look_anew(token.fd) }
    }

    /// Takes back the poll request for whatever file it is, so that the next look is at what the number now is.
    fn look_anew(&mut self, fd: Fd) -> Result<(), Errno> {
        let number = fd.index() as u32;
        let Some(slot) = self.slots.get_mut(number) else { return Ok(()) };
        disarm(&mut self.ring, number, slot)?;
        if !slot.hot {
            slot.hot = true;
            self.hot.put(number);
        }
        self.tell_sleepers()
    }

    /// Whoever sleeps must hear of what is hot.
    fn tell_sleepers(&mut self) -> Result<(), Errno> {
        if self.sleepers == 0 {
            return Ok(());
        }
        self.arm_all()?;
        self.submit()
    }

    /// Ends a registration. Nothing of ours holds the open file any more when this returns.
    pub(super) fn forget(&mut self, fd: Fd) -> Result<(), Errno> {
        let number = fd.index() as u32;
        let Some(slot) = self.slots.get_mut(number).filter(|s| !s.interest.is_none()) else { return Ok(()) };
        slot.interest = Interest::NONE;
        self.watched -= 1;
        disarm(&mut self.ring, number, slot)?;
        // What an earlier change of interest left to be removed holds the file as well.
        if self.ring.pending() > 0 { self.submit() } else { Ok(()) }
    }

    /// Whether the number stands for the file that the registration was made for, as far as device and inode
    /// tell: eventfds and their like have one inode between them all.
    pub(super) fn is_same_file(&mut self, token: Token) -> bool {
        let same = self.file(token).is_some_and(|file| is_still(token.fd, file));
        if same {
            // A ring that refuses (EBUSY, EAGAIN) says nothing about the file.
            let _ = self.look_anew(token.fd);
        }
        same
    }

    /// The file that the registration was made for.
    fn file(&self, token: Token) -> Option<Identity> {
        let slot = self.slots.get(token.fd.index() as u32);
        (!slot.interest.is_none() && slot.generation == token.generation).then_some(slot.file)
    }

    /// Takes the completions that are there: what they name is hot from now on. Returns whether there was any.
    pub(super) fn reap(&mut self) -> Result<bool, Errno> {
        let mut news = false;
        loop {
            while let Some(completion) = self.ring.pop() {
                self.taken += 1;
                news |= self.completed(completion)?;
            }
            let lost = self.ring.lost();
            if lost != self.lost {
                self.lost = lost;
                self.disarm_all()?;
                news = true;
            }
            if !self.ring.has_overflow() {
                return Ok(news);
            }
            call(self.ring.fd(), 0, Wait::Flush)?;
        }
    }

    /// Whatever the result, an error or the end of the submitting thread among them: a closer look will tell.
    fn completed(&mut self, Completion { data, result, more }: Completion) -> Result<bool, Errno> {
        let (number, request) = (data as u32, (data >> 32) as u32);
        let slot = self.slots.get_mut(number).filter(|s| s.request == request && !s.armed.is_none());
        let Some(slot) = slot else { return Ok(false) };
        slot.half_closed |= result > 0 && result as u32 & RDHUP != 0;
        slot.idle = 0;
        if !more {
            slot.armed = Interest::NONE;
        }
        if !slot.hot {
            slot.hot = true;
            self.hot.put(number);
        } else if more {
            // A thread that is asking may have asked before this; a new request will complete at once.
            disarm(&mut self.ring, number, slot)?;
        }
        Ok(true)
    }

    pub(super) fn hot(&self) -> usize {
        self.hot.len()
    }

    /// Takes up to `n` numbers from the hot ones and adds them to the questions. Returns how many were taken.
    pub(super) fn ask(&mut self, events: &mut Events, n: usize) -> usize {
        let n = n.min(self.hot.len());
        for number in self.hot.drain(..n) {
            let Some(slot) = self.slots.get_mut(number) else { continue };
            if slot.interest.is_none() {
                slot.hot = false;
            } else {
                events.ask(Token { fd: Fd::from_index(number), generation: slot.generation }, slot.interest);
            }
        }
        n
    }

    /// Puts back what [`State::ask`] took for the questions `asked`, `answered` or not. Answers from `full_at` on found no
    /// room. Arms the idle ones if they are the majority.
    pub(super) fn put_back(
        &mut self,
        events: &Events,
        asked: Range<usize>,
        answered: bool,
        full_at: Option<usize>,
    ) -> Result<(), Errno> {
        let mut idle = 0;
        for i in asked.clone() {
            let Some(p) = events.polled.get(i) else { break };
            let Some(slot) = self.slots.get_mut(p.fd as u32) else { continue };
            slot.idle = if p.revents != 0 || !answered { 0 } else { slot.idle.saturating_add(1) };
            idle += usize::from(slot.idle >= PATIENCE);
        }
        let patient = idle * 2 <= asked.len();
        // Who got no room comes before those who were reported.
        let full_at = full_at.unwrap_or(asked.end).max(asked.start);
        for i in (full_at..asked.end).chain(asked.start..full_at) {
            let Some(number) = events.polled.get(i).map(|p| p.fd as u32) else { break };
            let Some(slot) = self.slots.get_mut(number) else { continue };
            if slot.interest.is_none() {
                slot.hot = false;
            } else if patient || slot.idle < PATIENCE {
                self.hot.put(number);
            } else {
                slot.hot = false;
                self.arm(number)?;
            }
        }
        Ok(())
    }

    /// Makes poll requests for all hot ones, to be submitted.
    pub(super) fn arm_all(&mut self) -> Result<(), Errno> {
        while let Some(number) = self.hot.pop_front() {
            if let Some(slot) = self.slots.get_mut(number) {
                slot.hot = false;
            }
            self.arm(number)?;
        }
        Ok(())
    }

    fn arm(&mut self, number: u32) -> Result<(), Errno> {
        let Some(slot) = self.slots.get_mut(number).filter(|s| !s.interest.is_none()) else { return Ok(()) };
        if !slot.armed.is_none() && slot.idle > 0 {
            // The request has stayed and tells of changes from what was found.
            return Ok(());
        }
        self.last_request = self.last_request.wrapping_add(1);
        let (fd, flags) = (Fd::from_index(number), flags(slot.interest));
        let data = Token { fd, generation: self.last_request }.to_data();
        let request = Request::Poll { fd, flags, again: slot.half_closed, data };
        // One that has stayed would not tell of what is ready already.
        let replaced = disarm(&mut self.ring, number, slot).and_then(|()| push(&mut self.ring, request));
        match replaced {
            Ok(()) => {
                slot.request = self.last_request;
                slot.armed = slot.interest;
                self.unsubmitted = true;
                Ok(())
            }
            Err(e) => {
                slot.hot = true;
                self.hot.put(number);
                Err(e)
            }
        }
    }

    /// Takes all poll requests back.
    pub(super) fn disarm_all(&mut self) -> Result<(), Errno> {
        for (number, slot) in self.slots.iter_mut().filter(|(_, s)| !s.armed.is_none()) {
            disarm(&mut self.ring, number, slot)?;
            if !slot.hot {
                slot.hot = true;
                self.hot.put(number);
            }
        }
        if self.ring.pending() > 0 { self.submit() } else { Ok(()) }
    }

    /// Before a wait returns: what was armed must be in the kernel, and other waits go on, or end as well.
    pub(super) fn leave(&mut self) -> Result<(), Errno> {
        self.tell_sleepers()?;
        if self.sleepers > 0 && self.shut {
            return self.nudge();
        }
        if self.unsubmitted { self.submit() } else { Ok(()) }
    }

    /// Has a sleeper look.
    pub(super) fn nudge(&mut self) -> Result<(), Errno> {
        push(&mut self.ring, Request::Nop { data: Token::NOBODY })?;
        self.submit()
    }

    /// Whether somebody wants the wait to end.
    pub(super) fn is_called(&mut self) -> bool {
        self.shut || std::mem::take(&mut self.woken)
    }

    pub(super) fn submit(&mut self) -> Result<(), Errno> {
        let result = submit(&mut self.ring);
        self.submitted();
        result
    }

    /// After a call that submits.
    pub(super) fn submitted(&mut self) {
        self.unsubmitted &= self.ring.pending() > 0;
    }
}

fn disarm(ring: &mut Ring, number: u32, slot: &mut Slot) -> Result<(), Errno> {
    if !slot.armed.is_none() {
        let target = Token { fd: Fd::from_index(number), generation: slot.request }.to_data();
        push(ring, Request::Remove { target, data: Token::NOBODY })?;
        slot.armed = Interest::NONE;
    }
    Ok(())
}

fn push(ring: &mut Ring, request: Request) -> Result<(), Errno> {
    while !ring.push(request) {
        submit(ring)?;
    }
    Ok(())
}

/// Submits what is queued. `EBUSY`: completions have to be taken first.
fn submit(ring: &mut Ring) -> Result<(), Errno> {
    while ring.pending() > 0 {
        if call(ring.fd(), ring.pending(), Wait::No)? == 0 {
            return Err(Errno::EBUSY);
        }
    }
    Ok(())
}

/// [`enter`], with the errors that mean that the ring is gone turned into `EBADF`.
pub(super) fn call(ring: Fd, pending: u32, wait: Wait) -> Result<u32, Errno> {
    match enter(ring, pending, wait) {
        // Another file has the number; or a sandbox was closed around us, which the next ring will show.
        Err(Errno::EOPNOTSUPP | Errno::EPERM | Errno::EACCES | Errno::ENOSYS) => Err(Errno::EBADF),
        // Completions were lost, as the ring's count tells.
        Err(Errno::EBADR) => Ok(0),
        Err(Errno::EAGAIN) => Err(Errno::ENOMEM),
        r => r,
    }
}
