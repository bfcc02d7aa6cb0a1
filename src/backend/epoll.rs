//! The backend for Linux: epoll(7), level-triggered.

use super::{Backend, Events, Found, Probe, Refusal, Token, Watch};
use crate::fd::Fd;
use crate::interest::Interest;
use crate::sys::epoll::{Op, append, create, ctl};
use crate::sys::mode::{is_open, is_path_only};
use crate::sys::own;
use crate::sys::poll::flags;
use crate::sys::waker::Waker;
use crate::time::Span;
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};

const ONCE: u32 = libc::EPOLLONESHOT as u32;

pub(crate) struct Epoll {
    set: Fd,
    /// Opened together with the set, because later there may be no descriptor left.
    waker: Waker,
    closed: AtomicBool,
}

impl Epoll {
    pub(crate) fn open() -> Result<Epoll, Errno> {
        let set = create()?;
        let waker = Waker::open().inspect_err(|_| own::close(set))?;
        match watch_waker(set, Op::Add, &waker) {
            Ok(()) => Ok(Epoll { set, waker, closed: AtomicBool::new(false) }),
            Err(e) => {
                waker.close();
                own::close(set);
                Err(e)
            }
        }
    }
}

/// Has the set watch the waker. With `Op::Modify` this is also the test whether both numbers are still the backend's: it
/// succeeds only for this set and this waker. fstat(2) cannot tell, because all files of these kinds share one inode.
fn watch_waker(set: Fd, op: Op, waker: &Waker) -> Result<(), Errno> {
    ctl(set, op, waker.fd(), flags(Interest::READ), Token::NOBODY)
}

impl Drop for Epoll {
    fn drop(&mut self) {
        self.close();
    }
}

fn mask(watch: Watch) -> u32 {
    flags(watch.interest) | if watch.once { ONCE } else { 0 }
}

impl Backend for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn set(&self, token: Token, old: Interest, new: Watch) -> Result<(), Refusal> {
        let (data, mask) = (token.to_data(), mask(new));
        let result = if new.interest.is_none() {
            ctl(self.set, Op::Delete, token.fd, 0, data)
        } else {
            // The kernel may know more or less than the slot, because the program closes and reuses numbers with close(2).
            let (first, otherwise, unless) = if old.is_none() {
                (Op::Add, Op::Modify, Errno::EEXIST)
            } else {
                (Op::Modify, Op::Add, Errno::ENOENT)
            };
            match ctl(self.set, first, token.fd, mask, data) {
                // Or it is another set, of the program.
                Err(e) if e == unless && !self.is_whole() => Err(Errno::EBADF),
                Err(e) if e == unless => ctl(self.set, otherwise, token.fd, mask, data),
                r => r,
            }
        };
        match result {
            Ok(()) => Ok(()),
            // The kernel has forgotten it together with the descriptor.
            Err(Errno::ENOENT) if new.interest.is_none() => Ok(()),
            Err(Errno::EBADF) if !is_open(token.fd) || is_path_only(token.fd) => Err(Refusal::Closed),
            Err(Errno::EBADF | Errno::EINVAL) => Err(Refusal::Lost),
            Err(_) => Err(Refusal::Unable),
        }
    }

    fn is_same_file(&self, token: Token, watched: Watch) -> bool {
        // A registration belongs to the number and the open file together (epoll(7)). Another file has none.
        !matches!(
            ctl(self.set, Op::Modify, token.fd, mask(watched), token.to_data()),
            Err(Errno::ENOENT | Errno::EBADF)
        )
    }

    fn closing(&self, _: Token) {
        // The kernel ends the registration when the last duplicate is closed (epoll(7)).
    }

    #[inline]
    fn wait(&self, events: &mut Events, _: &mut Probe, room: usize, timeout: Span) -> Result<(), Errno> {
        append(self.set, &mut events.list, room, timeout.to_ms())
    }

    fn probe(&self, probe: &mut Probe) -> Result<Found, Errno> {
        probe.ask(Some(self.set), Span::ZERO)
    }

    fn waker(&self) -> Option<&Waker> {
        Some(&self.waker)
    }

    fn has_number(&self, fd: Fd) -> bool {
        fd == self.set || self.waker.has_number(fd)
    }

    fn is_whole(&self) -> bool {
        !self.closed.load(Ordering::Relaxed) && watch_waker(self.set, Op::Modify, &self.waker).is_ok()
    }

    fn close(&self) {
        if self.is_whole() && !self.closed.swap(true, Ordering::Relaxed) {
            self.waker.close();
            own::close(self.set);
        }
    }
}
