//! One wait call: ask the kernel, sleep if there is nothing, make events pending.

use super::interest::Armed;
use super::{Reactor, STATE, Scratch, hot, watched};
use crate::backend::{Asked, Backend, Opened, Token};
use crate::fd::Fd;
use crate::grow::{Grow, take_out};
use crate::interest::{Direction, Interest, Trigger, Watch};
use crate::sys::lock::ForkLock;
use crate::sys::thread::single_threaded;
use crate::table::Arrival;
use crate::time::{Deadline, Moment};
use crate::timer::Due;
use crate::trace;
use nix::errno::Errno;
use std::ops::RangeInclusive;
use std::time::Duration;

/// While a wall-clock deadline lies ahead, the clock is looked at this often: it can be set. Not a round
/// number, because a signal that comes during the look does not end the wait, and programs set their alarms
/// in whole seconds from the moment the wait began.
const CLOCK_CHECK: Duration = Duration::from_millis(937);

/// So many unsettled descriptors at a time may be new connections that are asked about before they are watched: one
/// call tells which of them are to be read from already, and those that are closed in the same turn need never be
/// watched. More would make a long call, and are no sign of short connections.
const NEWCOMERS: RangeInclusive<usize> = 2..=256;

/// A look takes no more events than this (1.5 MiB); what is beyond comes in turns.
const MOST_EVENTS: usize = 1 << 17;

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
}

/// One look at the kernel.
struct Look {
    backend: Opened,
    timeout: Option<Duration>,
    /// Whatever it finds, the wait call is over.
    last: bool,
}

/// `io_wait` and its kin. Returns the number of events that the kernel had.
pub(crate) fn wait(limit: Limit) -> Result<usize, Errno> {
    wait_on(&STATE, limit, Waiter::Program)
}

/// Who waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waiter {
    /// Has nothing to wait for while there are event-loop threads.
    Program,
    EventLoopThread,
}

pub(super) fn wait_on(lock: &ForkLock<Reactor>, limit: Limit, waiter: Waiter) -> Result<usize, Errno> {
    let mut state = lock.lock();
    if waiter == Waiter::Program && state.loops.are_running() {
        return Ok(0);
    }
    state.begin();
    let mut scratch = match state.spare.take() {
        Some(s) => s,
        None => Scratch::new()?,
    };
    let Scratch { events, asked } = &mut *scratch;
    let (mut seen, mut first, mut recovered) = (0, true, false);
    let result = loop {
        let look = match state.prepare(asked, limit, first) {
            Ok(Some(look)) => look,
            Ok(None) => break Ok(seen),
            Err(e) => break Err(e),
        };
        first = false;
        let (epoch, room) = (state.epoch, state.room);
        let known = state.sleepers.enter();
        drop(state);
        let result =
            events.make_room(room).and_then(|()| watched::look(&look.backend, events, asked, look.timeout));
        state = lock.lock();
        if state.epoch != epoch && result != Err(Errno::EINTR) {
            // Shut down, or given another backend or event-loop threads, by another thread.
            if state.loops.are_running() == (waiter == Waiter::Program) {
                break Ok(seen);
            }
            continue;
        }
        if state.epoch == epoch {
            state.sleepers.leave(known);
        }
        match result {
            Ok(()) => {}
            Err(Errno::EBADF | Errno::EINVAL) if !recovered => {
                recovered = true;
                state.lose_backend();
                continue;
            }
            Err(e) => break Err(e),
        }
        let reported = events.len();
        seen += reported;
        if events.is_full() {
            // Or what is pending could be left out of each look by what comes before it.
            state.room = (2 * room).min(MOST_EVENTS);
        }
        // What is pending could be taken, and be reported once more by an event that was put off.
        let put_off = asked.is_empty() && !state.doubts && state.readable.is_empty() && alone();
        let found = match state.apply(events, put_off) {
            Ok(found) => found,
            Err(e) => break Err(e),
        };
        state.drop_unconfirmed();
        if reported > 0 && !found {
            trace::spurious();
        }
        if found || look.last || limit.left() == Some(Duration::ZERO) {
            state.watch_quiet(asked);
            break Ok(seen);
        }
    };
    state.drop_unconfirmed();
    state.pass_on_the_change();
    // Not after a shutdown, which has given back what was there.
    if state.backend.is_some() {
        state.spare = Some(scratch);
    }
    drop(state);
    result
}

impl Reactor {
    /// A wait call begins: what the one before has seen is history.
    fn begin(&mut self) {
        hot::forget();
        if self.has_rest() {
            self.apply_rest();
        }
        if self.promoted && !alone() {
            self.demote_all();
        }
        if std::mem::take(&mut self.edges) {
            self.list_unused_edges();
        }
        self.cycle = self.cycle.checked_add(1).unwrap_or(1);
        self.just_set = None;
    }

    /// Tells the backend what it must know before a sleep and says how long that may be; `None` if there is
    /// nothing to wait for. `asked` is filled with the descriptors to ask about. The `first` look of a wait
    /// call asks without sleeping about those that the program wants to write to; only a later one has the
    /// backend watch them.
    fn prepare(&mut self, asked: &mut Vec<Asked>, limit: Limit, first: bool) -> Result<Option<Look>, Errno> {
        if self.backend.is_none() {
            return Ok(None);
        }
        let threads = self.loops.are_running();
        self.loops.begin_look();
        // With event-loop threads an event stands until it is taken: nobody uses the descriptor up meanwhile.
        let (sure, doubtful) = if threads { (false, false) } else { self.doubt_pending() };
        let due = self.timer.look(&mut self.table, CLOCK_CHECK);
        if !threads && self.wanted == 0 && !sure && due == Due::Nothing && self.timer.is_empty() {
            return Ok(None);
        }
        if self.stale {
            self.renew_backend()?;
        }
        let mut fresh = self.settle(asked, first)?;
        if self.stale {
            // Arming has shown that the program closed our descriptor.
            self.renew_backend()?;
            fresh = self.settle(asked, first)?;
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
        if self.has_pending() {
            self.retain_pending(|e, dir| {
                if e.needs_no_confirmation(dir) {
                    sure = true;
                } else {
                    e.unconfirmed |= dir.into();
                    doubtful = true;
                }
                true
            });
        }
        self.doubts = doubtful;
        (sure, doubtful)
    }

    /// Withdraws the pending events that the wait call did not find true any more.
    fn drop_unconfirmed(&mut self) {
        if std::mem::take(&mut self.doubts) {
            self.retain_pending(|e, dir| !e.unconfirmed.has(dir));
        }
    }

    /// Goes through the unsettled descriptors: has the backend watch them, or lists them in `asked`. True if
    /// any is listed that the backend might watch instead.
    fn settle(&mut self, asked: &mut Vec<Asked>, first: bool) -> Result<bool, Errno> {
        asked.clear();
        asked.try_reserve(self.unsettled.len()).map_err(|_| Errno::ENOMEM)?;
        let newcomers = first && NEWCOMERS.contains(&self.unsettled.len());
        let mut fresh = false;
        let mut i = 0;
        while let Some(&number) = self.unsettled.get(i) {
            // What is settled by a step is met once more, and struck off.
            match self.next_step(number, first, newcomers) {
                Step::StrikeOff => {
                    self.table.listed(number).listed = false;
                    take_out(&mut self.unsettled, i);
                }
                Step::LeaveOut => i += 1,
                Step::Demote => self.demote(number),
                Step::Promote => self.promote(number),
                Step::Withdraw => {
                    let e = self.table.listed(number);
                    let less = Watch { interest: e.watched & e.want, trigger: e.trigger };
                    self.watch(number, less);
                    // An error means that the kernel has forgotten it.
                    self.table.listed(number).watched = less.interest;
                }
                Step::Ask(question) => {
                    asked.put(question);
                    fresh = true;
                    i += 1;
                }
                Step::Arm(question) => {
                    if self.arm(number, question.interest) == Armed::AskOnly {
                        asked.put(question);
                        i += 1;
                    }
                }
            }
        }
        Ok(fresh)
    }

    /// Has the backend watch the connections that were asked about in vain: they will not be closed in this turn.
    fn watch_quiet(&mut self, asked: &[Asked]) {
        for &Asked { token, interest } in asked {
            let number = token.fd.index() as u32;
            let e = self.table.listed(number);
            if e.was_only_asked_about() && e.pending.is_none() {
                self.arm(number, interest);
            }
        }
    }

    /// What to do about an unsettled descriptor.
    fn next_step(&mut self, number: u32, first: bool, newcomers: bool) -> Step {
        let e = self.table.listed(number);
        if e.dead || !e.is_unsettled() {
            return Step::StrikeOff;
        }
        if e.trigger == Trigger::Edge {
            return Step::Demote;
        }
        let mut interest = e.unknown();
        if interest.is_none() {
            return Step::Withdraw;
        }
        if e.can_write_hint && e.pending.has(Direction::Write) {
            interest -= Interest::WRITE;
        }
        let token = Token { fd: Fd::from_index(number), generation: e.generation };
        let question = Asked { token, interest };
        if interest.is_none() {
            Step::LeaveOut
        } else if newcomers && e.arrival == Arrival::Connection {
            e.arrival = Arrival::AskedAbout;
            Step::Ask(question)
        } else if !first || interest.has(Direction::Read) {
            Step::Arm(question)
        } else if e.uses_edges_up() && alone() {
            Step::Promote
        } else {
            Step::Ask(question)
        }
    }
}

/// Whether nobody else can use the reactor. That of a unit test is its own.
fn alone() -> bool {
    cfg!(test) || single_threaded()
}

/// What an unsettled descriptor needs.
enum Step {
    /// Nothing any more.
    StrikeOff,
    /// Nothing this time.
    LeaveOut,
    Demote,
    Promote,
    /// To watch no more than is wanted.
    Withdraw,
    /// To be asked about without being watched.
    Ask(Asked),
    /// To be watched; to be asked about if it cannot be.
    Arm(Asked),
}

/// The earliest end of a sleep.
fn shortest(limit: Limit, due: Due) -> Option<Duration> {
    let until_due = if let Due::In(d) = due { Some(d) } else { None };
    let watches_clock = until_due.is_some() || matches!(limit, Limit::WallClock(_));
    [limit.left(), until_due, watches_clock.then_some(CLOCK_CHECK)].into_iter().flatten().min()
}
