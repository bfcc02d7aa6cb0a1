//! `io_starteventloopthread`: threads of the library wait, threads of the program take what they find.
//!
//! One thread at a time, the leader, looks at the kernel, and only while a thread of the program waits for an event that
//! is not there: what nobody has time for need not be found. A thread of the program looks itself before it goes to
//! sleep, because under load there is something, and no thread has to be woken for it; to wait is for the library's
//! threads. All go through the same `wait_on` as `io_wait`.
//!
//! A program that waits itself shows by waiting again that it is done with what it was told. Here it cannot, so three
//! things are different:
//!
//! * A descriptor that was reported is **in hand** until the thread that took it asks for its next event. Meanwhile
//!   nothing is wanted of it as far as the loop is concerned, so that no second thread is told of it; what the program
//!   wants is noted and counts afterwards.
//! * What a look finds of a descriptor that was put down while the look was under way is **old news**: the thread that
//!   had it may have read it. The next look tells.
//! * An event that is pending when the kernel reports it again is **parked**: the backend stops watching that direction
//!   until the event is taken, or the next look would find the same again at once.

use super::wait::{Limit, Waiter, wait_on};
use super::{Reactor, STATE, fork};
use crate::backend::{Backend, Token};
use crate::fd::Fd;
use crate::grow::Grow;
use crate::interest::{Direction, Interest};
use crate::sys::eventcount::EventCount;
use crate::sys::lock::Guard;
use crate::sys::mem::boxed;
use crate::sys::poll::poll;
use crate::sys::thread::{Thread, set_name};
use crate::table::Entry;
use crate::time::timeout_ms;
use nix::errno::Errno;
use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const NAME: &CStr = c"owfat-io";

/// Between two looks that fail for want of memory.
const BREATH: Duration = Duration::from_millis(10);

/// To wake every thread.
const ALL: u32 = i32::MAX as u32;

/// What library threads sleep on while there is nothing to look for.
static LEADERS: EventCount = EventCount::new();
/// What threads of the program sleep on, by direction.
static TAKERS: [EventCount; 2] = [EventCount::new(), EventCount::new()];

thread_local! {
    /// What this thread has in hand: number and generation.
    static HAND: Cell<Option<(u32, u32)>> = const { Cell::new(None) };
}

/// The event-loop threads of the process.
pub(super) struct Loops {
    crews: Vec<Crew>,
    /// Of the parent process: to be forgotten, which is not for a fork handler to do.
    inherited: Vec<Crew>,
    /// One of them is at the kernel.
    leading: bool,
    /// Threads of the program that wait for an event, by direction.
    waiting: [u32; 2],
    /// Counts the looks at the kernel; never 0.
    look: u16,
}

/// The threads of one `io_starteventloopthread`. They hold the address of what is boxed.
pub(super) struct Crew(Box<Members>);

struct Members {
    threads: Vec<Thread>,
    leave: AtomicBool,
}

impl Crew {
    fn of_none(room: usize) -> Result<Crew, Errno> {
        let mut threads = Vec::new();
        threads.try_reserve(room).map_err(|_| Errno::ENOMEM)?;
        boxed(Members { threads, leave: AtomicBool::new(false) }).map(Crew)
    }

    fn add_one(&mut self) -> Result<(), Errno> {
        let leave = ptr::from_ref(&self.0.leave).cast_mut().cast();
        self.0.threads.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.0.threads.try_push(Thread::start(run, leave)?)
    }

    fn dismiss(&self) {
        self.0.leave.store(true, Ordering::Relaxed);
        LEADERS.advance(ALL);
    }

    /// Waits until its threads, which were dismissed, have gone; not to be called under the lock.
    pub(super) fn join(mut self) {
        self.0.threads.drain(..).for_each(Thread::join);
    }
}

impl Loops {
    pub(super) const fn new() -> Loops {
        Loops { crews: Vec::new(), inherited: Vec::new(), leading: false, waiting: [0; 2], look: 1 }
    }

    /// A look at the kernel begins.
    #[inline]
    pub(super) fn begin_look(&mut self) {
        self.look = self.look.checked_add(1).unwrap_or(1);
    }

    /// Whether what this look has found of `e` may be older than what a thread has read there meanwhile. After many
    /// looks the answer may be a wrong yes: the next one finds the same.
    #[inline]
    pub(super) fn is_old_news(&self, e: &Entry) -> bool {
        e.put_down_in == self.look
    }

    #[inline]
    pub(super) fn are_running(&self) -> bool {
        !self.crews.is_empty()
    }

    /// Ends the waits of the program's threads. The library's are still to be joined.
    pub(super) fn dismiss(&mut self) -> Vec<Crew> {
        TAKERS.iter().for_each(|takers| takers.advance(ALL));
        self.inherited.clear();
        let crews = mem::take(&mut self.crews);
        crews.iter().for_each(Crew::dismiss);
        crews
    }
}

/// Starts `n` more event-loop threads, or none.
pub(crate) fn start(n: u32) -> Result<(), Errno> {
    if n == 0 {
        return Ok(());
    }
    fork::watch()?;
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    let mut crew = Crew::of_none(n)?;
    let mut state = STATE.lock();
    state.loops.crews.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    if !state.loops.are_running() {
        state.hand_over()?;
    }
    // None of them gets beyond the lock before all are there.
    if let Err(e) = (0..n).try_for_each(|_| crew.add_one()) {
        drop(state);
        crew.dismiss();
        crew.join();
        return Err(e);
    }
    state.loops.crews.try_push(crew)
}

extern "C" fn run(leave: *mut c_void) -> *mut c_void {
    set_name(NAME);
    // SAFETY: the crew's, which is not dropped before this thread was joined.
    let leave = unsafe { &*leave.cast::<AtomicBool>() };
    let mut state = STATE.lock();
    while !leave.load(Ordering::Relaxed) {
        if state.loops.leading || !state.is_asked_for_events() {
            let seen = LEADERS.now();
            drop(state);
            LEADERS.sleep(seen);
            state = STATE.lock();
            continue;
        }
        state = lead(state, Limit::Never);
    }
    ptr::null_mut()
}

/// Pops the next pending event. With event-loop threads it waits for one, and `None` is their end.
pub(crate) fn next(dir: Direction) -> Option<u32> {
    let mut state = STATE.lock();
    if !state.loops.are_running() {
        return state.next(dir);
    }
    if let Some((number, generation)) = HAND.try_with(Cell::take).ok().flatten() {
        state.put_down(number, generation);
    }
    let mut looked = false;
    while state.loops.are_running() {
        if let Some(number) = state.take_in_hand(dir) {
            // It may have been what the others that wait were to be content with.
            state.call_leader();
            return Some(number);
        }
        state =
            if looked || state.loops.leading { sleep_for_event(state, dir) } else { lead(state, Limit::Now) };
        looked = !looked;
    }
    None
}

/// Looks at the kernel, for all that wait for events.
fn lead(mut state: Guard<'static, Reactor>, limit: Limit) -> Guard<'static, Reactor> {
    state.loops.leading = true;
    drop(state);
    if wait_on(&STATE, limit, Waiter::EventLoopThread).is_err() {
        // Nothing to look at: it only takes its time.
        let _ = poll(&mut [], timeout_ms(Some(BREATH)));
    }
    let mut state = STATE.lock();
    // Who came meanwhile called no leader. A thread of the program calls one next, whatever it has found.
    state.loops.leading = false;
    for dir in [Direction::Read, Direction::Write] {
        state.tell_takers(dir);
    }
    state
}

fn sleep_for_event(mut state: Guard<'static, Reactor>, dir: Direction) -> Guard<'static, Reactor> {
    let takers = &TAKERS[dir.index()];
    state.loops.waiting[dir.index()] += 1;
    let seen = takers.now();
    state.call_leader();
    drop(state);
    takers.sleep(seen);
    state = STATE.lock();
    state.loops.waiting[dir.index()] -= 1;
    state
}

impl Reactor {
    /// From now on event-loop threads wait.
    fn hand_over(&mut self) -> Result<(), Errno> {
        if self.has_rest() {
            self.apply_rest();
        }
        // Edges that were not used up would be lost. What is pending is found again, but for the program's own.
        self.shut_backend();
        self.renew_backend()?;
        self.retain_pending(|e, dir| e.needs_no_confirmation(dir));
        Ok(())
    }

    /// Whether a thread of the program waits for an event of which there is none.
    fn is_asked_for_events(&self) -> bool {
        let [readers, writers] = self.loops.waiting;
        (readers > 0 && self.readable.is_empty()) || (writers > 0 && self.writable.is_empty())
    }

    /// Has a library thread look, if somebody waits for that and nobody does it.
    fn call_leader(&self) {
        if !self.loops.leading && self.is_asked_for_events() {
            LEADERS.advance(1);
        }
    }

    /// Wakes as many of the threads that wait for an event as there are events.
    pub(super) fn tell_takers(&mut self, dir: Direction) {
        let waiting = self.loops.waiting[dir.index()];
        if waiting == 0 {
            return;
        }
        let events = match dir {
            Direction::Read => self.readable.len(),
            Direction::Write => self.writable.len(),
        };
        let few = u32::try_from(events).unwrap_or(u32::MAX).min(waiting);
        if few > 0 {
            TAKERS[dir.index()].advance(few);
        }
    }

    fn take_in_hand(&mut self, dir: Direction) -> Option<u32> {
        let number = self.next(dir)?;
        let e = self.table.listed(number);
        let queued = e.queued;
        e.want_later = e.want;
        self.wanted -= e.want.count();
        e.want = Interest::NONE;
        e.parked = Interest::NONE;
        let generation = e.generation;
        for other in [Direction::Read, Direction::Write] {
            self.withdraw(other, number);
        }
        let e = self.table.listed(number);
        e.in_hand = true;
        // What the program has queued itself nobody finds again.
        e.queued = queued - dir.into();
        let _ = HAND.try_with(|hand| hand.set(Some((number, generation))));
        Some(number)
    }

    /// The thread that had `number` in hand is done with it.
    fn put_down(&mut self, number: u32, generation: u32) {
        let is_it = |e: &&mut Entry| e.in_hand && e.generation == generation;
        let Some(e) = self.table.get_any(number).filter(is_it) else { return };
        e.in_hand = false;
        e.put_down_in = self.loops.look;
        let (want, queued) = (mem::take(&mut e.want_later), mem::take(&mut e.queued));
        let fd = Fd::from_index(number);
        for dir in [Direction::Read, Direction::Write] {
            if want.has(dir) {
                self.want(fd, dir);
            }
            if queued.has(dir) {
                self.queue_for(fd, dir);
            }
        }
    }

    /// The kernel reports anew what is pending already, or what nobody wants: stops watching that.
    #[cold]
    pub(super) fn park(&mut self, token: Token, ready: Interest) {
        let number = token.fd.index() as u32;
        for dir in [Direction::Read, Direction::Write] {
            let e = self.table.listed(number);
            if ready.has(dir) && e.want.has(dir) {
                self.push(dir, number);
            }
        }
        let e = self.table.listed(number);
        let old = e.watch();
        e.parked |= e.pending & ready;
        e.watched = (e.watched & e.want) - e.parked;
        let new = e.watch();
        if new != old
            && let Some(backend) = self.live_backend()
        {
            // An error means that the kernel has forgotten the descriptor: then no event comes again either.
            let _ = backend.set(token, old, new);
        }
    }

    /// The parked event of `number` was withdrawn, not taken.
    #[cold]
    pub(super) fn unpark(&mut self, dir: Direction, number: u32) {
        let e = self.table.listed(number);
        e.parked -= dir.into();
        let unknown = e.unknown();
        self.list_if_unsettled(number);
        if self.sleepers.any() && !unknown.is_none() {
            self.tell_sleepers(number, false);
        }
    }

    /// In a new child process, which has none of the threads.
    pub(super) fn lose_loops(&mut self) {
        let crews = mem::take(&mut self.loops.crews);
        // A grandchild has those of both.
        mem::forget(mem::replace(&mut self.loops, Loops { inherited: crews, ..Loops::new() }).inherited);
        let (unsettled, wanted) = (&mut self.unsettled, &mut self.wanted);
        self.table.for_each(|number, e| {
            e.parked = Interest::NONE;
            if mem::take(&mut e.in_hand) {
                e.want = mem::take(&mut e.want_later);
                *wanted += e.want.count();
                if !e.listed {
                    // There is room for every registered descriptor.
                    e.listed = unsettled.try_push(number).is_ok();
                }
            }
        });
    }
}
