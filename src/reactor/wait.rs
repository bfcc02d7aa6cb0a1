//! One wait call: ask the kernel, sleep if there is nothing, make events pending.

use super::interest::Armed;
use super::{Reactor, STATE, Scratch};
use crate::backend::{Asked, Backend, Token};
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::sys::lock::ForkLock;
use crate::time::Deadline;
use crate::timer::Due;
use nix::errno::Errno;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// While a wall-clock deadline lies ahead, the clock is looked at this often: it can be set. Not a round
/// number, because a signal that comes during the look does not end the wait, and programs set their alarms
/// in whole seconds from the moment the wait began.
const CLOCK_CHECK: Duration = Duration::from_millis(937);

/// How long a wait call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// Not at all: just look.
    Now,
    Never,
    /// Up to a moment of the wall clock.
    WallClock(Deadline),
    /// Up to a moment of the monotonic clock.
    Monotonic(Instant),
}

impl Limit {
    /// A limit in milliseconds; what is too far to count is no limit.
    pub(crate) fn after_ms(ms: u64) -> Limit {
        match ms {
            0 => Limit::Now,
            _ => Instant::now().checked_add(Duration::from_millis(ms)).map_or(Limit::Never, Limit::Monotonic),
        }
    }

    fn left(self) -> Option<Duration> {
        match self {
            Limit::Now => Some(Duration::ZERO),
            Limit::Never => None,
            Limit::WallClock(d) => Some(d.since(Deadline::now())),
            Limit::Monotonic(t) => Some(t.saturating_duration_since(Instant::now())),
        }
    }
}

/// One look at the kernel.
pub(super) struct Look {
    backend: Arc<dyn Backend>,
    timeout: Option<Duration>,
    /// Whatever it finds, the wait call is over.
    last: bool,
}

/// `io_wait` and its kin. Returns the number of events that the kernel had.
pub(crate) fn wait(limit: Limit) -> Result<usize, Errno> {
    wait_on(&STATE, limit)
}

pub(super) fn wait_on(lock: &ForkLock<Reactor>, limit: Limit) -> Result<usize, Errno> {
    let mut state = lock.lock();
    let mut scratch = match state.spare.take() {
        Some(s) => s,
        None => Scratch::new()?,
    };
    let [Scratch { events, asked }] = &mut *scratch;
    let (mut seen, mut first, mut recovered) = (0, true, false);
    let result = loop {
        let look = match state.prepare(asked, limit, first) {
            Ok(Some(look)) => look,
            Ok(None) => break Ok(seen),
            Err(e) => break Err(e),
        };
        first = false;
        let epoch = state.epoch;
        state.sleepers += 1;
        drop(state);
        events.clear();
        let result = look.backend.wait(events, asked, look.timeout);
        state = lock.lock();
        if state.epoch != epoch && result != Err(Errno::EINTR) {
            // Shut down, or given another backend, by another thread.
            continue;
        }
        state.sleepers -= usize::from(state.epoch == epoch);
        match result {
            Ok(()) => {}
            Err(Errno::EBADF | Errno::EINVAL) if !recovered => {
                recovered = true;
                state.lose_backend();
                continue;
            }
            Err(e) => break Err(e),
        }
        seen += events.len();
        state.apply(events);
        state.drop_unconfirmed();
        let pending = !state.readable.is_empty() || !state.writable.is_empty();
        if pending || look.last || limit.left() == Some(Duration::ZERO) {
            break Ok(seen);
        }
    };
    state.drop_unconfirmed();
    state.spare = Some(scratch);
    result
}

impl Reactor {
    /// Tells the backend what it must know before a sleep and says how long that may be; `None` if there is
    /// nothing to wait for. `asked` is filled with the descriptors to ask about. The `first` look of a wait
    /// call asks without sleeping about those that the program wants to write to; only a later one has the
    /// backend watch them.
    fn prepare(&mut self, asked: &mut Vec<Asked>, limit: Limit, first: bool) -> Result<Option<Look>, Errno> {
        self.just_set = None;
        if self.backend.is_none() {
            return Ok(None);
        }
        let (sure, doubtful) = self.doubt_pending();
        let due = self.timer.look(&mut self.table);
        if self.wanted == 0 && !sure && due == Due::Nothing && self.timer.is_empty() {
            return Ok(None);
        }
        if self.stale {
            self.renew_backend()?;
        }
        let mut fresh = self.list_questions(asked, first)?;
        if self.stale {
            // Arming has shown that the program closed our descriptor.
            self.renew_backend()?;
            fresh = self.list_questions(asked, first)?;
        }
        let Some(backend) = self.backend.clone() else { return Ok(None) };
        let last = sure || due == Due::Now;
        let timeout = if last || doubtful || fresh { Some(Duration::ZERO) } else { shortest(limit, due) };
        Ok(Some(Look { backend, timeout, last }))
    }

    /// The program has closed the backend's descriptor, as daemons do with all of them.
    pub(super) fn lose_backend(&mut self) {
        if let Some(backend) = &self.backend {
            backend.abandon();
            self.stale = true;
        }
    }

    /// Marks the pending events that only an earlier wait call saw. Returns whether there are events that
    /// need no confirmation, and whether there are such that do.
    fn doubt_pending(&mut self) -> (bool, bool) {
        let (mut sure, mut doubtful) = (false, false);
        for dir in [Direction::Read, Direction::Write] {
            let (queue, table) = self.queue(dir);
            let mut at = queue.front();
            while let Some(number) = at {
                let e = table.listed(number);
                if e.needs_no_confirmation(dir) {
                    sure = true;
                } else {
                    e.unconfirmed |= dir.into();
                    doubtful = true;
                }
                at = queue.after(table, number);
            }
        }
        self.doubts = doubtful;
        (sure, doubtful)
    }

    /// Withdraws the pending events that the wait call did not find true any more.
    fn drop_unconfirmed(&mut self) {
        if std::mem::take(&mut self.doubts) {
            self.drop_what_is_unconfirmed();
        }
    }

    #[cold]
    fn drop_what_is_unconfirmed(&mut self) {
        for dir in [Direction::Read, Direction::Write] {
            let (queue, table) = self.queue(dir);
            let mut at = queue.front();
            while let Some(number) = at {
                at = queue.after(table, number);
                if table.listed(number).unconfirmed.has(dir) {
                    queue.remove(table, number);
                }
            }
        }
    }

    /// Walks the unarmed descriptors: arms them, or lists them in `asked`. True if any is listed that the
    /// backend might watch instead.
    fn list_questions(&mut self, asked: &mut Vec<Asked>, first: bool) -> Result<bool, Errno> {
        asked.clear();
        asked.try_reserve(self.unarmed.len()).map_err(|_| Errno::ENOMEM)?;
        let mut fresh = false;
        let mut i = 0;
        while i < self.unarmed.len() {
            let number = self.unarmed[i];
            let e = self.table.listed(number);
            let unarmed = e.unarmed();
            let hinted = e.can_write_hint && e.pending.has(Direction::Write);
            let token = Token { fd: Fd::from_index(number), generation: e.generation };
            if unarmed.is_none() || e.dead {
                e.listed_unarmed = false;
                self.unarmed.swap_remove(i);
                continue;
            }
            let unknown = if hinted { unarmed - Interest::WRITE } else { unarmed };
            if unknown.is_none() {
                i += 1;
            } else if first && !unknown.has(Direction::Read) {
                asked.push(Asked { token, interest: unknown });
                fresh = true;
                i += 1;
            } else if self.arm(number, unknown) == Armed::AskOnly {
                asked.push(Asked { token, interest: unknown });
                i += 1;
            }
            // What is armed or dead by now is met once more, and struck off.
        }
        Ok(fresh)
    }
}

/// The earliest end of a sleep.
fn shortest(limit: Limit, due: Due) -> Option<Duration> {
    let until_due = if let Due::In(d) = due { Some(d) } else { None };
    let watches_clock = until_due.is_some() || matches!(limit, Limit::WallClock(_));
    [limit.left(), until_due, watches_clock.then_some(CLOCK_CHECK)].into_iter().flatten().min()
}
