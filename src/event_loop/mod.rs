//! The event loop of the process. It owns the program's interest, the events that the kernel reported, and the decision
//! what `io_canread`, `io_canwrite` and `io_timeouted` return next. It does not move bytes ([`crate::xfer`]) and does not
//! know how the kernel is asked ([`crate::backend`]).
//!
//! # Readiness has a date
//!
//! * A **look** is one question to the kernel. Looks are numbered. Everything is level-triggered: the next look finds
//!   again what was not used up.
//! * An **event** says that a registration was ready in its look. The array that the kernel filled is the queue.
//!   `io_canread` walks it with one cursor, `io_canwrite` with another.
//! * A slot holds, for each direction, the look in which it was last **used**: reported, read or written through the
//!   library, or declared not ready by the program.
//! * [`news`] decides from these facts whether an event is reported.
//!
//! # The kernel learns of interest late
//!
//! * `io_fd` tells the kernel nothing. A descriptor with interest that the kernel does not know goes on the **dirty list**.
//! * The next look **probes** the dirty descriptors with one `poll(2)` that does not wait. A connection that is served and
//!   closed in that turn is never registered with the kernel. A descriptor that is not ready is registered before the look
//!   sleeps. One that was ready and is still wanted is registered by the look after.
//! * Withdrawn interest stays with the kernel until an event shows that it wakes the process for nothing. Then the
//!   registration is narrowed. So a request and its answer cost two system calls: a read and a write.
//!
//! # Locking
//!
//! One lock guards all state. It is not held in a system call that can block, nor while a callback runs. One thread at a
//! time looks. Other threads that wait sleep beside it, and one of them takes over when it leaves. Transfers take no lock:
//! they read [`crate::slot::Slot::access`] and store [`crate::slot::Slot::used`].

pub(crate) mod attention;
mod deliver;
mod describe;
mod fork;
mod interest;
mod looking;
#[cfg(any(test, fuzzing))]
pub(crate) mod model;
pub(crate) mod news;
mod register;
mod renew;
mod send;
#[cfg(test)]
mod tests;
mod threads;
mod transfer;
mod wait;

pub(crate) use deliver::{expired, next, next_at_once};
pub(crate) use describe::describe;
pub(crate) use fork::watch as watch_forks;
pub(crate) use interest::{
    dont_want, dont_want_at_once, eagain, eagain_wanted, is_expired, push_deadline_at_once, queue_for,
    set_deadline, want, want_at_once,
};
pub(crate) use register::{
    Flags, close, cookie, forget, is_registered_file, mark_shared, register, register_file,
    set_blocking_mode, set_cookie, shutdown,
};
pub(crate) use send::send;
pub(crate) use threads::start as start_event_loop_threads;
pub(crate) use transfer::{
    InTime, TimedOut, read, read_in_time, receive, send_bytes, settle, socket, used, wait_read, wait_write,
    write, write_in_time,
};
pub(crate) use wait::{Limit, wait};

use crate::backend::{Events, Opened};
use crate::sys::loan::Loan;
use crate::sys::lock::{ForkLock, Guard};
use crate::timer::Timer;
use looking::LookParts;
use threads::Threads;

/// All state of the loop except the slots and the number of the current look ([`crate::table`]).
pub(crate) struct EventLoop {
    /// What the last look found, and which look that was.
    events: Events,
    events_look: u32,
    /// By direction: the first event that was not judged yet. One past the end if the program has asked for more.
    cursors: [usize; 2],
    /// The most events that the next look takes.
    room: usize,
    /// Numbers whose interest the backend does not know; see [`crate::slot::Dirty`].
    dirty: Vec<u32>,
    /// Numbers with events that the program queued itself.
    queued: Vec<u32>,
    timer: Timer,
    kernel: Option<Kernel>,
    /// The backend must not be used any more: the next look makes another.
    is_stale: bool,
    /// An event was not news, so that a registration may have to be narrowed.
    has_unwanted: bool,
    /// Closing a number may not end its registration with the kernel, so that the loop removes it itself.
    removes_explicitly: bool,
    /// How many descriptors are registered, and how many directions are wanted in all.
    registered: usize,
    wanted: usize,
    threads: Threads,
}

/// The backend, and what is needed to ask it.
struct Kernel {
    backend: Opened,
    /// What the thread that looks needs without the lock.
    parts: Loan<LookParts>,
}

impl EventLoop {
    pub(crate) const fn new() -> EventLoop {
        EventLoop {
            events: Events::NONE,
            events_look: 0,
            cursors: [0; 2],
            room: looking::FIRST_ROOM,
            dirty: Vec::new(),
            queued: Vec::new(),
            timer: Timer::new(),
            kernel: None,
            is_stale: false,
            has_unwanted: false,
            removes_explicitly: false,
            registered: 0,
            wanted: 0,
            threads: Threads::new(),
        }
    }
}

static STATE: ForkLock<EventLoop> = ForkLock::new(EventLoop::new());

/// Locks the loop. In a new child it first separates the loop from the parent's.
#[inline(always)]
fn state() -> Guard<'static, EventLoop> {
    lock(&STATE)
}

/// The fast path to the loop: calls `f` if nothing needs attention and the lock is free.
#[inline(always)]
fn try_with_state<R>(f: impl Fn(&mut EventLoop) -> R) -> Option<R> {
    if attention::is_none() { STATE.try_with(f) } else { None }
}

#[inline(always)]
fn lock(lock: &ForkLock<EventLoop>) -> Guard<'_, EventLoop> {
    after_fork(lock.lock())
}

#[inline(always)]
fn after_fork(mut state: Guard<'_, EventLoop>) -> Guard<'_, EventLoop> {
    if attention::is_for(attention::FORKED) {
        state.after_fork();
    }
    state
}
