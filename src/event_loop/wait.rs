//! The wait calls, from `io_wait` to `io_check`: [`wait_on`] is the order of their steps, which are in
//! [`super::looking`].

use super::looking::Look;
use super::{EventLoop, STATE, lock};
use crate::backend::{Backend, Opened};
use crate::sys::lock::{ForkLock, Guard};
use crate::time::{Deadline, Moment, Span};
use crate::trace;
use nix::errno::Errno;

/// While there is a deadline, the wall clock is read this often, because it can be set. It is not a round number: a
/// signal that arrives during a look does not end the wait, and programs set alarms in whole seconds.
const CLOCK_CHECK: Span = Span::millis(937);

/// A descriptor that the backend cannot watch is probed this often.
const PROBE_AGAIN: Span = Span::millis(50);

/// A wait call that loses so many backends gives up: a sandbox seems to refuse them all.
const MOST_LOSSES: u32 = 3;

/// How long a wait call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// Look without waiting.
    Now,
    Never,
    /// Up to a moment of the wall clock.
    WallClock(Deadline),
    /// Up to a moment of the monotonic clock.
    Monotonic(Moment),
}

impl Limit {
    pub(crate) fn after_ms(ms: u64) -> Limit {
        match ms {
            0 => Limit::Now,
            _ => Limit::Monotonic(Moment::now().after(Span::millis(ms))),
        }
    }

    fn left(self) -> Span {
        match self {
            Limit::Now => Span::ZERO,
            Limit::Never => Span::FOREVER,
            Limit::WallClock(d) => d.since(Deadline::now()),
            Limit::Monotonic(t) => t.left(),
        }
    }

    fn is_over(self) -> bool {
        self.left() == Span::ZERO
    }
}

/// Who waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waiter {
    /// Does not wait while there are event-loop threads.
    Program,
    EventLoopThread,
}

/// A wait call of the program. Returns the number of events that the kernel reported.
#[inline]
pub(crate) fn wait(limit: Limit) -> Result<usize, Errno> {
    wait_on(&STATE, limit, Waiter::Program)
}

/// Looks until there is something to report, a deadline passes, a signal handler has run or the time is over.
pub(super) fn wait_on(it: &ForkLock<EventLoop>, limit: Limit, waiter: Waiter) -> Result<usize, Errno> {
    let mut state = lock(it);
    let mut turn = Turn { waiter, reported: 0, losses: 0, has_expired: false };
    let mut looking: Option<Look> = None;
    loop {
        // What is there to wait for?
        let due = state.timer.look(Deadline::now, CLOCK_CHECK);
        turn.has_expired |= due == Span::ZERO;
        if !state.has_business(&turn) {
            return Ok(turn.reported);
        }

        // One thread looks; the others wait beside.
        if state.live_backend().is_none() {
            looking = None;
            state.renew_backend()?;
        }
        let begun = match looking.take() {
            None => state.begin_looking(!matches!(limit, Limit::Now))?,
            look => look,
        };
        let Some(mut look) = begun else {
            if turn.is_last(&state) {
                return Ok(turn.reported);
            }
            state = wait_beside(it, state, limit)?;
            if limit.is_over() {
                return Ok(turn.reported);
            }
            continue;
        };

        // Tell the backend what has changed.
        state.narrow();
        state.choose_room();
        state.flush_dirty(&mut look);
        if state.is_stale && turn.may_lose_another() {
            continue;
        }
        state.begin_look(&mut look)?;

        // Probe what it does not watch, then sleep in it.
        let timeout = if turn.is_last(&state) { Span::ZERO } else { shortest(limit, due) };
        let room = state.room;
        let result = ask_the_kernel(it, state, &mut look, room, timeout);

        // What came of it?
        state = lock(it);
        match result {
            _ if !state.owns(&look) && result != Err(Errno::EINTR) => continue,
            Err(Errno::EBADF | Errno::EINVAL) if turn.may_lose_another() => {
                state.lose_backend();
                continue;
            }
            Ok(()) if state.is_outdated(&look) && !limit.is_over() => {}
            _ => {
                let found = look.found();
                turn.reported += found;
                // Installed even after an error: the events of the last look are out of date.
                let is_news = state.owns(&look) && state.install(&mut look);
                result?;
                if found > 0 && !is_news {
                    trace::spurious();
                }
                // If unwanted events filled the look, look again for wanted ones.
                let is_crowded = found >= room && !is_news;
                if is_news || turn.is_last(&state) || (limit.is_over() && !is_crowded) {
                    return Ok(turn.reported);
                }
            }
        }
        looking = Some(look);
    }
}

/// The state of one wait call.
struct Turn {
    waiter: Waiter,
    /// Events that the kernel reported.
    reported: usize,
    /// Backends that were lost.
    losses: u32,
    /// A deadline has passed.
    has_expired: bool,
}

impl Turn {
    /// Whether the call returns after this look, whatever it finds.
    fn is_last(&self, state: &EventLoop) -> bool {
        self.has_expired || state.has_queued()
    }

    fn may_lose_another(&mut self) -> bool {
        self.losses += 1;
        self.losses <= MOST_LOSSES
    }
}

/// Asks the kernel. The lock is released meanwhile.
fn ask_the_kernel<'a>(
    it: &'a ForkLock<EventLoop>,
    state: Guard<'a, EventLoop>,
    look: &mut Look,
    room: usize,
    mut timeout: Span,
) -> Result<(), Errno> {
    drop(state);
    let mut collects = true;
    if look.has_probes() {
        let found = look.probe()?;
        if found.ready > 0 {
            (timeout, collects) = (Span::ZERO, found.first);
        } else {
            let mut state = lock(it);
            // Nothing is to be had from a backend that was replaced meanwhile.
            collects = state.owns(look);
            if collects && !state.watch_probed() {
                timeout = timeout.min(PROBE_AGAIN);
            }
        }
    }
    let mut begun = None;
    let mut result = Ok(());
    if collects {
        if trace::is_on() {
            let (now, until) = trace::look_begins(timeout);
            (begun, timeout) = (Some(now), until);
        }
        result = look.collect(room, timeout);
    }
    if result.is_ok() {
        look.add_probed();
    }
    if trace::is_on() {
        look.trace(begun.unwrap_or_else(Moment::now), result);
    }
    result
}

impl EventLoop {
    /// Whether anything can end a wait. If nothing can, the events of the last look are dropped, as a look would do.
    fn has_business(&mut self, turn: &Turn) -> bool {
        let threads = self.threads.are_running();
        if threads != (turn.waiter == Waiter::EventLoopThread) {
            return false;
        }
        let has = threads || self.wanted > 0 || !self.timer.is_empty() || self.has_queued();
        if !has && self.events.len() > 0 {
            self.narrow();
            self.events.clear();
            self.cursors = [0; 2];
        }
        has
    }
}

/// Waits until the thread that looks leaves its wait call.
#[cold]
fn wait_beside<'a>(
    it: &'a ForkLock<EventLoop>,
    state: Guard<'a, EventLoop>,
    limit: Limit,
) -> Result<Guard<'a, EventLoop>, Errno> {
    struct Counted(Opened);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.count_follower(false);
        }
    }
    let Some(backend) = state.live_backend().cloned() else { return Ok(state) };
    // Counted under the lock, because the thread that looks wakes the followers that are counted when it leaves.
    backend.count_follower(true);
    let backend = Counted(backend);
    drop(state);
    let result = backend.0.wait_beside(shortest(limit, Span::FOREVER));
    // Dropped without the lock, because a thread that replaces the backend holds the lock and waits for this.
    drop(backend);
    result?;
    Ok(lock(it))
}

/// How long a sleep may last when the next deadline is `due`.
#[inline]
fn shortest(limit: Limit, due: Span) -> Span {
    let watches_clock = due != Span::FOREVER || matches!(limit, Limit::WallClock(_));
    let longest = if watches_clock { CLOCK_CHECK } else { Span::FOREVER };
    limit.left().min(due).min(longest)
}
