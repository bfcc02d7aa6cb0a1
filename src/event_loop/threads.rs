//! `io_starteventloopthread`: threads of the library (event-loop threads) wait, and threads of the program (consumers)
//! take the events.
//!
//! One thread at a time, the leader, looks. It looks only while a consumer waits for an event that is not there. A consumer
//! looks once itself before it sleeps: under load there is an event, and no thread has to be woken for it. Only event-loop
//! threads sleep in the kernel. All of them go through [`wait_on`], as `io_wait` does.
//!
//! A program that calls `io_wait` shows by the next call that it is done with what was reported. Here there is no such call,
//! so two things are different:
//!
//! * A reported descriptor is **leased** to the thread that took it, until that thread asks for its next event. Events of
//!   a leased descriptor are not news, so no second thread is told of it.
//! * Registrations are **one-shot**. An event stays until it is taken, and the kernel reports nothing more of the descriptor
//!   until the lease ends.

use super::deliver::{queued, report};
use super::looking::{Look, mark_dirty};
use super::wait::{Limit, Waiter, wait_on};
use super::{EventLoop, STATE, attention, state};
use crate::backend::Event;
use crate::grow::Grow;
use crate::interest::{Direction, Interest};
use crate::slot::{Dirty, Slot};
use crate::sys::eventcount::EventCount;
use crate::sys::lock::Guard;
use crate::sys::mem::boxed;
use crate::sys::poll::poll;
use crate::sys::thread::{Thread, set_name};
use crate::table;
use crate::time::Span;
use nix::errno::Errno;
use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

const NAME: &CStr = c"owfat-io";

/// The pause between two looks that fail, for example without memory.
const RETRY: Span = Span::millis(10);

/// Wakes every thread.
const ALL: u32 = i32::MAX as u32;

/// Event-loop threads sleep on this while there is nothing to look for.
static LEADERS: EventCount = EventCount::new();
/// Consumers sleep on these, by direction.
static CONSUMERS: [EventCount; 2] = [EventCount::new(), EventCount::new()];

thread_local! {
    /// What this thread has leased: number and generation.
    static LEASE: Cell<Option<(u32, u32)>> = const { Cell::new(None) };
}

/// The event-loop threads of the process.
pub(super) struct Threads {
    groups: Vec<Group>,
    /// There is a leader.
    is_led: bool,
    /// Consumers that wait for an event, by direction.
    waiting: [u32; 2],
}

/// The threads of one `io_starteventloopthread`. Boxed, because the threads hold its address.
pub(super) struct Group(Box<Members>);

struct Members {
    threads: Vec<Thread>,
    leave: AtomicBool,
}

impl Group {
    fn of_none(room: usize) -> Result<Group, Errno> {
        let mut threads = Vec::new();
        threads.try_reserve(room).map_err(|_| Errno::ENOMEM)?;
        boxed(Members { threads, leave: AtomicBool::new(false) }).map(Group)
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

    /// Waits until its threads, which were dismissed, have ended. Called without the lock.
    pub(super) fn join(mut self) {
        self.0.threads.drain(..).for_each(Thread::join);
    }
}

impl Threads {
    pub(super) const fn new() -> Threads {
        Threads { groups: Vec::new(), is_led: false, waiting: [0; 2] }
    }

    #[inline(always)]
    pub(super) fn are_running(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Ends the waits of the consumers, and dismisses the event-loop threads, which the caller joins.
    pub(super) fn dismiss(&mut self) -> Vec<Group> {
        CONSUMERS.iter().for_each(|consumers| consumers.advance(ALL));
        let groups = mem::take(&mut self.groups);
        attention::end(attention::THREADS);
        groups.iter().for_each(Group::dismiss);
        groups
    }

    /// For a new child, which has none of the threads. Returns whether there were any. Their memory is not freed, because
    /// another thread may have been changing it.
    pub(super) fn forget_in_child(&mut self) -> bool {
        let were_running = self.are_running();
        attention::end(attention::THREADS);
        mem::forget(mem::replace(self, Threads::new()));
        were_running
    }
}

/// Starts `n` more event-loop threads, or none.
pub(crate) fn start(n: u32) -> Result<(), Errno> {
    if n == 0 {
        return Ok(());
    }
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    let mut group = Group::of_none(n)?;
    let mut state = super::after_fork(STATE.lock_marked());
    state.threads.groups.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    if !state.threads.are_running() {
        // From now on registrations are one-shot, so all are made anew. This also ends wait calls of the program.
        state.lose_backend();
        state.renew_backend()?;
    }
    // The new threads wait for the lock until all of them exist.
    if let Err(e) = (0..n).try_for_each(|_| group.add_one()) {
        // Under the lock, because a thread reads `leave` before it reads the count that it sleeps on.
        group.dismiss();
        drop(state);
        group.join();
        return Err(e);
    }
    state.threads.groups.try_push(group)?;
    attention::raise(attention::THREADS);
    Ok(())
}

extern "C" fn run(leave: *mut c_void) -> *mut c_void {
    set_name(NAME);
    // SAFETY: it belongs to the group, which joins this thread before it is dropped.
    let leave = unsafe { &*leave.cast::<AtomicBool>() };
    let mut state = state();
    while !leave.load(Ordering::Relaxed) {
        if state.threads.is_led || !state.is_asked_for_events() {
            let seen = LEADERS.now();
            drop(state);
            LEADERS.sleep(seen);
            state = super::state();
            continue;
        }
        state = lead(state, Limit::Never);
    }
    ptr::null_mut()
}

/// Waits for the next event. `None` if the event-loop threads have ended.
#[cold]
pub(super) fn next(mut state: Guard<'static, EventLoop>, dir: Direction) -> Option<u32> {
    if let Some((number, generation)) = LEASE.try_with(Cell::take).ok().flatten() {
        state.release(number, generation);
    }
    let mut looked = false;
    while state.threads.are_running() {
        if let Some(number) = state.lease(dir) {
            // The other consumers may have been waiting for the event that this one took, so somebody has to look for them.
            state.call_leader();
            return Some(number);
        }
        state = if looked || state.threads.is_led { sleep(state, dir) } else { lead(state, Limit::Now) };
        looked = !looked;
    }
    None
}

/// Looks as the leader, for all consumers.
fn lead(mut state: Guard<'static, EventLoop>, limit: Limit) -> Guard<'static, EventLoop> {
    state.threads.is_led = true;
    drop(state);
    let leader = Leader;
    if wait_on(&STATE, limit, Waiter::EventLoopThread).is_err() {
        // The poll has no descriptors: it is a pause.
        let _ = poll(&mut [], RETRY.to_ms());
    }
    mem::forget(leader);
    resign()
}

fn resign() -> Guard<'static, EventLoop> {
    let mut state = state();
    // A consumer that came meanwhile found a leader and called none. If this thread is a consumer, it calls one next.
    state.threads.is_led = false;
    state.tell_consumers();
    state
}

fn sleep(mut state: Guard<'static, EventLoop>, dir: Direction) -> Guard<'static, EventLoop> {
    let consumers = &CONSUMERS[dir.index()];
    state.threads.waiting[dir.index()] += 1;
    let seen = consumers.now();
    state.call_leader();
    drop(state);
    let sleeper = Sleeper(dir);
    consumers.sleep(seen);
    mem::forget(sleeper);
    awake(dir)
}

fn awake(dir: Direction) -> Guard<'static, EventLoop> {
    let mut state = state();
    let waiting = &mut state.threads.waiting[dir.index()];
    *waiting = waiting.saturating_sub(1);
    state
}

/// Dropped if the leader is cancelled. Events that the kernel has reported to it are lost, and one-shot registrations do
/// not repeat them. So everything is registered anew.
struct Leader;

impl Drop for Leader {
    fn drop(&mut self) {
        let mut state = resign();
        state.lose_backend();
        state.call_leader();
    }
}

/// Dropped if a consumer is cancelled while it waits. It may have been woken for an event, which another one then takes.
struct Sleeper(Direction);

impl Drop for Sleeper {
    fn drop(&mut self) {
        awake(self.0).tell_consumers();
    }
}

impl EventLoop {
    /// Whether a consumer waits in a direction for which there is no event.
    fn is_asked_for_events(&self) -> bool {
        Direction::BOTH
            .into_iter()
            .any(|dir| self.threads.waiting[dir.index()] > 0 && self.events_for(dir) == 0)
    }

    /// How many events wait for a consumer.
    fn events_for(&self, dir: Direction) -> u32 {
        let (mut n, mut i) = (0, self.cursors[dir.index()]);
        while let Some(event) = self.events.get(i) {
            i += 1;
            n += u32::from(self.news(event).has(dir));
        }
        let is_free = |slot: &Slot| queued(slot).has(dir) && !slot.leased.get();
        let queued = self.queued.iter().filter(|&&number| table::slot(number).is_some_and(is_free)).count();
        n + queued as u32
    }

    /// Wakes an event-loop thread to lead, if consumers wait for an event and there is no leader.
    fn call_leader(&self) {
        if !self.threads.is_led && self.is_asked_for_events() {
            LEADERS.advance(1);
        }
    }

    /// Wakes a consumer for one more event.
    pub(super) fn tell_consumer(&self, dir: Direction) {
        if self.threads.waiting[dir.index()] > 0 {
            CONSUMERS[dir.index()].advance(1);
        }
    }

    /// Wakes as many consumers as there are events.
    fn tell_consumers(&self) {
        for dir in Direction::BOTH {
            let waiting = self.threads.waiting[dir.index()];
            if waiting > 0 {
                let few = self.events_for(dir).min(waiting);
                if few > 0 {
                    CONSUMERS[dir.index()].advance(few);
                }
            }
        }
    }

    /// Takes an event and leases its descriptor to this thread.
    fn lease(&mut self, dir: Direction) -> Option<u32> {
        let number = self.take(dir).or_else(|| self.next_queued(dir))?;
        let slot = table::slot(number)?;
        slot.leased.set(true);
        slot.watched.set(Interest::NONE);
        for dir in Direction::BOTH {
            slot.used[dir.index()].set(table::look());
        }
        let _ = LEASE.try_with(|lease| lease.set(Some((number, slot.generation()))));
        Some(number)
    }

    /// Takes the first event that is news, and gives up those before it that are not news any more. The cursor passes over
    /// what is not ready in the direction, so that events of the other one are gone through once.
    fn take(&mut self, dir: Direction) -> Option<u32> {
        let mut i = self.cursors[dir.index()];
        while let Some(event) = self.events.get(i) {
            if self.news(event).has(dir) {
                self.events.clear_at(i);
                if let Some(slot) = table::slot(event.number()) {
                    report(slot, dir, table::look());
                }
                return Some(event.number());
            }
            if !self.stands(event) {
                self.events.clear_at(i);
                self.give_up(event);
            }
            self.has_unwanted |= event.is_wake();
            let is_passed = event.is_wake() || self.events.get(i).is_some_and(|event| !event.is_ready(dir));
            if self.cursors[dir.index()] == i && is_passed {
                self.cursors[dir.index()] = i + 1;
            }
            i += 1;
        }
        None
    }

    /// Whether an event is news in some direction, or is the waker's, which stands until the next look begins.
    fn stands(&self, event: Event) -> bool {
        event.is_wake() || !self.news(event).is_none()
    }

    /// Ends an event that is not news any more. Its one-shot registration has fired, so the descriptor is watched again.
    fn give_up(&mut self, event: Event) {
        let Some(slot) = table::slot(event.number()).filter(|_| !event.is_cleared()) else { return };
        if slot.generation() != event.generation() {
            self.note_ended(slot);
        } else if !slot.leased.get() {
            self.watch_anew(event.number(), slot);
        }
    }

    fn watch_anew(&mut self, number: u32, slot: &Slot) {
        slot.watched.set(Interest::NONE);
        if slot.want.get().is_none() {
            return;
        }
        if self.is_looked_at_elsewhere() {
            self.tell_at_once(number, slot);
        } else {
            mark_dirty(&mut self.dirty, number, slot, Dirty::Probed);
        }
    }

    /// Ends a lease.
    fn release(&mut self, number: u32, generation: u32) {
        let Some(slot) = table::slot(number).filter(|slot| slot.generation() == generation) else { return };
        slot.leased.set(false);
        self.watch_anew(number, slot);
        for dir in Direction::BOTH {
            if queued(slot).has(dir) {
                self.tell_consumer(dir);
            }
        }
    }

    /// Adds the events of a look to those that are still news.
    pub(super) fn install_beside(&mut self, look: &mut Look) -> bool {
        let kept = self.keep_what_stands();
        self.events_look = look.number();
        self.events.append(look.events());
        self.has_news_from(kept)
    }

    /// Gives up the events that are not news any more. Returns how many are left.
    pub(super) fn keep_what_stands(&mut self) -> usize {
        self.cursors = [0; 2];
        let mut i = 0;
        while let Some(event) = self.events.get(i) {
            if self.stands(event) {
                i += 1;
            } else {
                self.events.take_out(i);
                self.give_up(event);
            }
        }
        i
    }
}
