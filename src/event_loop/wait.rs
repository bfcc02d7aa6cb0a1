//! One wait call.

use super::looking::Look;
use super::{EventLoop, STATE, lock};
use crate::backend::{Backend, Opened};
use crate::sys::lock::{ForkLock, Guard};
use crate::time::{Deadline, Moment};
use crate::timer::Due;
use crate::trace;
use nix::errno::Errno;
use std::time::Duration;

/// While a wall-clock deadline lies ahead, the clock is looked at this often: it can be set. Not a round
/// number, because a signal that comes during the look does not end the wait, and programs set their alarms
/// in whole seconds from the moment the wait began.
const CLOCK_CHECK: Duration = Duration::from_millis(937);

/// While a descriptor cannot be watched for want of room, it is probed this often.
const PROBE_AGAIN: Duration = Duration::from_millis(50);

/// A wait call that loses so many backends gives up: a sandbox refuses them all.
const MOST_LOSSES: u32 = 3;

/// How long a wait call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// Not at all: just look.
    Now,
    Never,
    /// Up to a moment of the wall clock.
    WallClock(Deadline),
    /// Up to a moment of the monotonic clock.
    Monotonic(Moment),
}

impl Limit {
    /// A limit in milliseconds.
    pub(crate) fn after_ms(ms: u64) -> Limit {
        match ms {
            0 => Limit::Now,
            _ => Limit::Monotonic(Moment::now().after(Duration::from_millis(ms))),
        }
    }

    fn left(self) -> Option<Duration> {
        match self {
            Limit::Now => Some(Duration::ZERO),
            Limit::Never => None,
            Limit::WallClock(d) => Some(d.since(Deadline::now())),
            Limit::Monotonic(t) => Some(t.left()),
        }
    }

    fn is_over(self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}

/// Who waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waiter {
    /// Has nothing to wait for while there are event-loop threads.
    Program,
    EventLoopThread,
}

/// `io_wait` and its kin. Returns the number of events that the kernel had.
#[inline]
pub(crate) fn wait(limit: Limit) -> Result<usize, Errno> {
    wait_on(&STATE, limit, Waiter::Program)
}

/// Looks until there is something to report, a deadline passes, a signal comes or the time is over.
pub(super) fn wait_on(it: &ForkLock<EventLoop>, limit: Limit, waiter: Waiter) -> Result<usize, Errno> {
    let mut state = lock(it);
    let (mut looking, mut reported, mut losses): (Option<Look>, usize, u32) = (None, 0, 0);
    let mut has_expired = false;
    loop {
        // What is there to wait for?
        let due = state.timer.look(CLOCK_CHECK);
        has_expired |= due == Due::Now;
        let is_queued = state.has_queued();
        if state.is_left_by(waiter) || !(is_queued || state.has_business(waiter)) {
            return Ok(reported);
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
            if has_expired || is_queued {
                return Ok(reported);
            }
            state = wait_beside(it, state, limit)?;
            if limit.is_over() {
                return Ok(reported);
            }
            continue;
        };

        // Tell the backend what has changed.
        state.narrow();
        state.choose_room();
        let flushed = state.flush_dirty(&mut look).and_then(|()| state.begin_look(&mut look));
        if state.is_stale && losses < MOST_LOSSES {
            losses += 1;
            continue;
        }
        flushed?;

        // Probe what it does not watch, then sleep in it.
        let is_last = is_queued || has_expired;
        let mut timeout = if is_last { Some(Duration::ZERO) } else { shortest(limit, due) };
        let mut result = Ok(());
        let mut collects = true;
        if look.has_probes() {
            drop(state);
            let found = look.probe();
            state = lock(it);
            match found {
                Ok(found) if found.ready > 0 => {
                    timeout = Some(Duration::ZERO);
                    collects = found.first;
                }
                Ok(_) if state.owns(&look) => {
                    if !state.watch_probed() {
                        timeout = [timeout, Some(PROBE_AGAIN)].into_iter().flatten().min();
                    }
                }
                Ok(_) => {}
                Err(e) => result = Err(e),
            }
        }
        let room = state.room;
        drop(state);
        let mut begun = None;
        if collects && result.is_ok() {
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

        // What came of it?
        state = lock(it);
        match result {
            _ if !state.owns(&look) && result != Err(Errno::EINTR) => continue,
            Err(Errno::EBADF | Errno::EINVAL) if losses < MOST_LOSSES => {
                losses += 1;
                state.lose_backend();
                continue;
            }
            Err(e) => return Err(e),
            Ok(()) if state.is_outdated(&look) && !limit.is_over() => {
                looking = Some(look);
                continue;
            }
            Ok(()) => {}
        }
        let found = look.found();
        reported += found;
        let is_news = state.install(&mut look);
        if found > 0 && !is_news {
            trace::spurious();
        }
        if is_news || is_last || limit.is_over() {
            return Ok(reported);
        }
        looking = Some(look);
    }
}

impl EventLoop {
    /// Whether this is not the loop of such a waiter any more.
    fn is_left_by(&self, waiter: Waiter) -> bool {
        self.threads.are_running() != (waiter == Waiter::EventLoopThread)
    }

    /// Whether anything can happen that ends a wait.
    fn has_business(&self, waiter: Waiter) -> bool {
        self.wanted > 0 || !self.timer.is_empty() || waiter == Waiter::EventLoopThread
    }
}

/// Another thread looks: waits until it leaves.
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
    // Under the lock: the thread that looks tells those that are counted when it leaves.
    backend.count_follower(true);
    let backend = Counted(backend);
    drop(state);
    backend.0.wait_beside(shortest(limit, Due::Nothing))?;
    Ok(lock(it))
}

/// The earliest end of a sleep.
#[inline]
fn shortest(limit: Limit, due: Due) -> Option<Duration> {
    let until_due = if let Due::In(d) = due { Some(d) } else { None };
    let watches_clock = until_due.is_some() || matches!(limit, Limit::WallClock(_));
    [limit.left(), until_due, watches_clock.then_some(CLOCK_CHECK)].into_iter().flatten().min()
}
