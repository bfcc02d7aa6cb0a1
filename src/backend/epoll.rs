//! epoll(7), level-triggered.

use super::waker::Waker;
use super::{Asked, Backend, EVENTS, Event, Events, Token, poll};
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::sys::epoll::{Op, create, ctl, wait};
use crate::sys::mode::close;
use crate::time::timeout_ms;
use nix::errno::Errno;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The waker's own registration; no descriptor has its low half.
const WAKER: u64 = u64::MAX;

const IN: u32 = libc::EPOLLIN as u32;
const OUT: u32 = libc::EPOLLOUT as u32;
const ERR: u32 = libc::EPOLLERR as u32;
const HUP: u32 = libc::EPOLLHUP as u32;

pub(super) struct Epoll {
    set: Fd,
    /// Made when a second thread first has something to say: most programs never need it.
    waker: OnceLock<Waker>,
    shut: AtomicBool,
    abandoned: AtomicBool,
}

impl Epoll {
    pub(super) fn open() -> Result<Epoll, Errno> {
        let set = create()?;
        Ok(Epoll {
            set,
            waker: OnceLock::new(),
            shut: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        })
    }

    /// Takes what is ready now or within the time, as far as there is room.
    fn collect(&self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Errno> {
        let mut raw = [MaybeUninit::uninit(); EVENTS];
        let room = &mut raw[..EVENTS - events.as_slice().len()];
        for r in wait(self.set, room, timeout_ms(timeout))? {
            match r.u64 {
                WAKER => self.silence(),
                data => events.push(decode(data, r.events)),
            }
        }
        Ok(())
    }

    fn silence(&self) {
        if let (Some(w), false) = (self.waker.get(), self.shut.load(Ordering::Acquire)) {
            w.silence();
        }
    }

    fn add_waker(&self) -> Result<(), Errno> {
        let w = Waker::open()?;
        ctl(self.set, Op::Add, w.fd(), IN, WAKER)?;
        // A thread that was faster has set its own; closing ours takes it out of the set again.
        let _ = self.waker.set(w);
        Ok(())
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        if !self.abandoned.load(Ordering::Relaxed) {
            // Nothing can be done about an error here, and Linux frees the number in any case.
            let _ = close(self.set);
        }
    }
}

fn encode(token: Token) -> u64 {
    u64::from(token.generation) << 32 | token.fd.index() as u64
}

fn flags(interest: Interest) -> u32 {
    let mut flags = 0;
    if interest.has(Direction::Read) {
        flags |= IN;
    }
    if interest.has(Direction::Write) {
        flags |= OUT;
    }
    flags
}

fn decode(data: u64, flags: u32) -> Event {
    let mut ready = Interest::NONE;
    if flags & (IN | ERR | HUP) != 0 {
        ready |= Interest::READ;
    }
    if flags & (OUT | ERR | HUP) != 0 {
        ready |= Interest::WRITE;
    }
    let token = Token { fd: Fd::from_index(data as u32), generation: (data >> 32) as u32 };
    Event { token, ready, error: flags & ERR != 0, closed: false }
}

impl Backend for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn set(&self, token: Token, old: Interest, new: Interest) -> Result<(), Errno> {
        let data = encode(token);
        if new.is_none() {
            return match ctl(self.set, Op::Delete, token.fd, 0, data) {
                // The kernel has forgotten it together with the descriptor.
                Err(Errno::ENOENT | Errno::EBADF) => Ok(()),
                r => r,
            };
        }
        // The kernel may know more or less than we do: numbers are closed and reused behind our back.
        let (first, otherwise, unless) = if old.is_none() {
            (Op::Add, Op::Modify, Errno::EEXIST)
        } else {
            (Op::Modify, Op::Add, Errno::ENOENT)
        };
        match ctl(self.set, first, token.fd, flags(new), data) {
            Err(e) if e == unless => ctl(self.set, otherwise, token.fd, flags(new), data),
            r => r,
        }
    }

    fn same_file(&self, token: Token, watched: Interest) -> bool {
        // A registration belongs to number and file together (epoll(7), Q6), so that another file under
        // the number has none.
        ctl(self.set, Op::Modify, token.fd, flags(watched), encode(token)).is_ok()
    }

    fn closing(&self, _: Token) {
        // The kernel ends the registration with the last copy of the descriptor (epoll(7), Q6).
    }

    fn keeps_ghosts(&self) -> bool {
        true
    }

    fn wait(&self, events: &mut Events, asked: &[Asked], timeout: Option<Duration>) -> Result<(), Errno> {
        if asked.is_empty() {
            return self.collect(events, timeout);
        }
        if poll::ask(events, asked, self.set, timeout)? && !events.is_full() {
            self.collect(events, Some(Duration::ZERO))?;
        }
        Ok(())
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
        self.shut.store(true, Ordering::Release);
        self.wake();
    }

    fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        let token = Token { fd: Fd::new(i64::from(i32::MAX)).unwrap(), generation: u32::MAX };
        let e = decode(encode(token), IN);
        assert_eq!((e.token, e.ready, e.error), (token, Interest::READ, false));
        assert_ne!(encode(token), WAKER);
    }

    #[test]
    fn m6_errors_and_hangups_make_both_directions_ready() {
        assert_eq!(decode(0, ERR).ready, Interest::BOTH);
        assert_eq!(decode(0, HUP).ready, Interest::BOTH);
        assert!(decode(0, ERR).error && !decode(0, HUP).error);
        assert_eq!(decode(0, OUT).ready, Interest::WRITE);
    }
}
