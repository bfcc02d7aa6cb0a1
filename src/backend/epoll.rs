//! epoll(7), level-triggered.

use super::shut::Shut;
use super::waker::Waker;
use super::{Asked, Backend, Events, Token, poll};
use crate::fd::Fd;
use crate::grow::take_out;
use crate::interest::{Interest, Trigger, Watch};
use crate::sys::epoll::{Op, append, create, ctl};
use crate::sys::mode::is_tcp;
use crate::sys::mode::{close, status};
use crate::sys::once::Once;
use crate::sys::poll::flags;
use crate::time::timeout_ms;
use nix::errno::Errno;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// With what [`Event::has_more`](super::Event::has_more) needs.
const EDGE: u32 = libc::EPOLLET as u32 | libc::EPOLLRDHUP as u32 | libc::EPOLLPRI as u32;

pub(crate) struct Epoll {
    set: Fd,
    /// Made when a second thread first has something to say: most programs never need it.
    waker: Once<Waker>,
    shut: Shut,
    abandoned: AtomicBool,
}

impl Epoll {
    pub(super) fn open() -> Result<Epoll, Errno> {
        let set = create()?;
        Ok(Epoll { set, waker: Once::new(), shut: Shut::new(), abandoned: AtomicBool::new(false) })
    }

    /// Takes what is ready now or within the time, as far as there is room.
    fn collect(&self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Errno> {
        let begin = events.len();
        append(self.set, &mut events.list, events.room, timeout_ms(timeout))?;
        if self.waker.get().is_some()
            && let Some(i) = events.list.iter().skip(begin).position(|e| e.u64 == Token::NOBODY)
        {
            take_out(&mut events.list, begin + i);
            self.silence();
        }
        Ok(())
    }

    fn silence(&self) {
        if let Some(w) = self.waker.get() {
            self.shut.silence(|| w.silence(), || w.ring());
        }
    }

    fn add_waker(&self) -> Result<(), Errno> {
        let w = Waker::open()?;
        ctl(self.set, Op::Add, w.fd(), flags(Interest::READ), Token::NOBODY)?;
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

fn mask(watch: Watch) -> u32 {
    flags(watch.interest)
        | match watch.trigger {
            Trigger::Level => 0,
            Trigger::Edge => EDGE,
        }
}

/// Whether it is a file on some disk, or a directory, which epoll never watches.
fn is_stored(fd: Fd) -> bool {
    status(fd)
        .is_ok_and(|st| matches!(st.st_mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK))
}

impl Backend for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn set(&self, token: Token, old: Watch, new: Watch) -> Result<(), Errno> {
        let (data, mask) = (token.to_data(), mask(new));
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
        match ctl(self.set, first, token.fd, mask, data) {
            Err(e) if e == unless => ctl(self.set, otherwise, token.fd, mask, data),
            r => r,
        }
    }

    fn asks_at_once(&self) -> bool {
        true
    }

    fn edges(&self, fd: Fd) -> bool {
        // A short read has emptied a stream (epoll(7), Q9). Not so a datagram socket or a terminal, which give
        // one piece at a time, nor an AF_UNIX socket, which stops behind passed descriptors.
        is_tcp(fd)
    }

    fn same_file(&self, token: Token, watched: Watch) -> bool {
        // A registration belongs to number and file together (epoll(7), Q6), so that another file under
        // the number has none.
        match ctl(self.set, Op::Modify, token.fd, mask(watched), token.to_data()) {
            Ok(()) => true,
            Err(Errno::ENOENT | Errno::EBADF) => false,
            // So epoll_ctl(2) refuses what cannot be watched, and so was not; but a sandbox may refuse anything.
            Err(Errno::EPERM) => !is_stored(token.fd),
            // For want of memory, for one: that tells nothing about the file.
            Err(_) => true,
        }
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
        self.shut.shut(|| self.wake());
    }

    fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
        if let Some(w) = self.waker.get() {
            w.abandon();
        }
    }
}
