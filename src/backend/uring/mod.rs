//! io_uring(7): the ring says where to look, poll(2) says what is true.
//!
//! A watched descriptor is either *in the ring*, with a one-shot poll request in flight, or *hot*. It gets
//! hot when it is set, or when its request completes, and is hot as long as it keeps being ready. A wait
//! asks poll(2) about the hot ones, all in one call, and reports nothing else. If that finds nothing, one
//! io_uring_enter(2) puts them into the ring and sleeps.
//!
//! # Why completions are not reported as they are
//!
//! A report must have been true inside the call that returned it. A completion carries the flags with which
//! the file woke its waiters, and these can be stale in two ways: the program has read since, and told
//! nobody; or the writer was held up between putting its data there and waking us, and the program has taken
//! the data in between (pipes, AF_UNIX and UDP sockets, listening sockets). In the second case the stale
//! completion arrives while we sleep, so that no order of requests and calls tells it from a true one. A
//! second poll request could: if it completed inside its submission, the file is ready. But which
//! completions did, the kernel does not tell.
//!
//! So completions are hints. That makes the rest simple: a hint too many does no harm (cancelled requests,
//! ended threads, reused numbers), and a hint too few has one cause, a full queue, which is repaired.
//!
//! It is not dear, either. Measured on Linux 6.18, for each of 64 ready descriptors: a question of poll(2)
//! 105 ns, a poll request that completes at once 385 ns, an event of epoll 158 ns. That is why what is busy
//! is kept out of the ring: a wait that finds some of it ready is one call of poll(2), and no completion, no
//! request and no wake-up function has run. A descriptor that was asked in vain [`PATIENCE`](state) times
//! goes into the ring once such are in the majority, so that a wait costs what is active, not what is open.
//! Completions that are there when a wait begins are taken without a system call.
//!
//! # What a request in flight does
//!
//! * It **holds the open file**: close(2) would not end a connection. So [`Backend::closing`] takes the
//!   request back first, at the price of a call; for what is hot there is none, and a connection that is
//!   closed when its last event is dealt with is hot. If another thread submitted the request, its part of
//!   taking it back runs there, at its next interrupt or system call.
//! * A number closed by close(2) behind our back can thus **keep its file open** until the program registers
//!   the number again, or something happens on the file. It cannot be otherwise: the kernel tells nobody of
//!   a close.
//! * It **follows the file**, not the number, as in epoll; the question of poll(2) follows the number. The
//!   file is remembered by device and inode, at one fstat(2) a registration, for [`Backend::same_file`].
//! * When it completes, the kernel **interrupts** the thread that submitted it if that sleeps in a system
//!   call. Most calls go on; some, among them epoll_wait(2) and receiving with a time-out, return `EINTR`
//!   to the program.
//! * It **ends** with the thread that submitted it: at once, or with its first completion. Either way that
//!   is a hint, and the next thread that waits submits it anew.
//! * It completes when the peer **sends no more**, though nobody asks for that. If only writing is wanted and
//!   there is no room, each new request would complete at once, without end. Such a descriptor gets a request
//!   that stays and completes at each change. It stays while the descriptor is hot, too, and is replaced when
//!   what it has told may not have been looked at since.
//!
//! The child of a fork inherits the ring's memory and descriptor. It drops both and submits nothing, so that
//! the parent's requests stay as they are.
//!
//! `IORING_SETUP_SQPOLL`: a kernel thread that spins. `SINGLE_ISSUER`, `DEFER_TASKRUN`: one thread only.
//! `COOP_TASKRUN`: a thread that computes would put off the end of a connection that another one closes.

mod state;
#[cfg(test)]
mod tests;

use super::{Asked, Backend, Events, Token, poll};
use crate::interest::Watch;
use crate::sys::lock::{ForkLock, Guard};
use crate::sys::poll::poll;
use crate::sys::uring::Wait;
use crate::time::{Moment, timeout_ms};
use nix::errno::Errno;
use state::{State, call};
use std::time::Duration;

pub(crate) struct Uring {
    state: ForkLock<State>,
    /// The process that made it.
    owner: u32,
}

impl Uring {
    /// Errors but `EMFILE` and `ENFILE` mean that this system has no ring for us.
    pub(super) fn open() -> Result<Uring, Errno> {
        Ok(Uring { state: ForkLock::new(State::open()?), owner: std::process::id() })
    }

    /// Asks poll(2) about `asked` and the hot ones, as far as there is room for events.
    fn look<'a>(
        &'a self,
        mut state: Guard<'a, State>,
        events: &mut Events,
        mut asked: &[Asked],
    ) -> Result<Guard<'a, State>, Errno> {
        let mut left = state.hot();
        loop {
            let room = events.room.saturating_sub(events.len());
            events.begin(asked.len() + left.min(room))?;
            asked.iter().for_each(|a| events.ask(a.token, a.interest));
            left -= state.ask(events, left.min(room));
            drop(state);
            let answers = poll(&mut events.polled, 0);
            let full_at = events.take_polled(0, answers.unwrap_or(0)).full_at;
            state = self.state.lock();
            let answered = matches!(answers, Ok(_) | Err(Errno::EINTR));
            state.put_back(events, asked.len()..events.generations.len(), answered, full_at)?;
            if let Err(e) = answers {
                state.leave()?;
                return Err(e);
            }
            asked = &[];
            if left == 0 || events.is_full() {
                return Ok(state);
            }
        }
    }

    /// Puts everything into the ring and sleeps until it has something to say.
    fn sleep<'a>(
        &'a self,
        mut state: Guard<'a, State>,
        events: &mut Events,
        asked: &[Asked],
        clock: Clock,
    ) -> (Guard<'a, State>, Result<Woke, Errno>) {
        let armed = state.arm_all().and_then(|()| if asked.is_empty() { Ok(()) } else { state.submit() });
        if let Err(e) = armed {
            return (state, Err(e));
        }
        let (ring, pending, taken) = (state.ring.fd(), state.ring.pending(), state.taken);
        state.sleepers += 1;
        drop(state);
        let result = match asked {
            [] => call(ring, pending, Wait::UpTo(clock.left())),
            // poll(2) can watch the ring as well as these.
            _ => poll::ask(events, asked, ring, clock.left()).map(|_| pending),
        };
        let mut state = self.state.lock();
        state.sleepers -= 1;
        state.submitted();
        let quiet = state.taken == taken && !state.ring.has_completion() && events.len() == 0;
        let woke = match result {
            // The kernel does not say why it came back if it has submitted something before.
            Ok(n) if n == pending && quiet => {
                Ok(if clock.is_over() { Woke::Late } else { Woke::Interrupted })
            }
            Ok(_) | Err(Errno::EBUSY) => Ok(Woke::Hint),
            Err(Errno::ETIME) => Ok(Woke::Late),
            Err(Errno::EINTR) => Ok(Woke::Interrupted),
            Err(e) => Err(e),
        };
        (state, woke)
    }
}

/// Why a sleep ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Woke {
    Hint,
    Late,
    Interrupted,
}

/// When a wait is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Now,
    At(Moment),
    Never,
}

impl Clock {
    fn start(timeout: Option<Duration>) -> Clock {
        match timeout {
            None => Clock::Never,
            Some(Duration::ZERO) => Clock::Now,
            // In whole milliseconds, as elsewhere: deadlines that lie closer together end one wait.
            Some(d) => {
                let ms = Duration::from_millis(timeout_ms(Some(d)).unsigned_abs().into());
                Clock::At(Moment::now().after(ms))
            }
        }
    }

    fn left(self) -> Option<Duration> {
        match self {
            Clock::Now => Some(Duration::ZERO),
            Clock::At(end) => Some(end.left()),
            Clock::Never => None,
        }
    }

    fn is_over(self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        // A child's copy of the ring would keep the requests alive, and the files that they hold.
        if std::process::id() == self.owner {
            // Of a ring that is lost, nothing is to be had.
            let _ = self.state.lock().disarm_all();
        }
    }
}

impl Backend for Uring {
    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn set(&self, token: Token, _: Watch, new: Watch) -> Result<(), Errno> {
        let mut state = self.state.lock();
        if new.is_none() {
            return state.forget(token.fd);
        }
        state.watch(token, new.interest)
    }

    fn asks_at_once(&self) -> bool {
        // By the fstat(2) of a new registration.
        true
    }

    fn same_file(&self, token: Token, _: Watch) -> bool {
        self.state.lock().is_same_file(token)
    }

    fn closing(&self, token: Token) {
        // If the ring is lost, the next wait says so, and the one after it has another.
        let _ = self.state.lock().forget(token.fd);
    }

    fn keeps_ghosts(&self) -> bool {
        false
    }

    fn wait(&self, events: &mut Events, asked: &[Asked], timeout: Option<Duration>) -> Result<(), Errno> {
        let clock = Clock::start(timeout);
        let mut state = self.state.lock();
        let mut look = state.busy || !asked.is_empty() || clock == Clock::Now;
        state.busy = false;
        let mut woke = None;
        loop {
            look |= state.reap()?;
            if look {
                state = self.look(state, events, asked)?;
                if events.len() > 0 {
                    state.busy = woke.is_none();
                    // Where this fails, the next sleep tells.
                    let _ = state.leave();
                    return Ok(());
                }
                // The call has also had the kernel deliver completions that were under way.
                look = state.reap()?;
                if look {
                    continue;
                }
            }
            if woke == Some(Woke::Interrupted) {
                let _ = state.leave();
                return Err(Errno::EINTR);
            }
            // Hints in vain may come one after the other without end.
            let late = woke == Some(Woke::Late) || (woke.is_some() && clock.is_over());
            if clock == Clock::Now || late || state.is_called() {
                return state.leave();
            }
            let result;
            (state, result) = self.sleep(state, events, asked, clock);
            woke = Some(result?);
            if events.len() > 0 {
                let _ = state.leave();
                return Ok(());
            }
        }
    }

    fn wake(&self) {
        let mut state = self.state.lock();
        state.woken = true;
        if state.sleepers > 0 {
            // If the ring is lost, its sleepers wake by that.
            let _ = state.nudge();
        }
    }

    fn shut(&self) {
        let mut state = self.state.lock();
        state.shut = true;
        if state.sleepers > 0 {
            let _ = state.nudge();
        }
    }

    fn abandon(&self) {
        self.state.lock().abandon();
    }
}
