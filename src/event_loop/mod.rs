//! The process-wide event loop: what the program wants, what the kernel said, what is reported next.
//!
//! # Readiness is a fact with a date
//!
//! * A **look** is one question to the kernel. Looks are numbered. Everything is level-triggered, so what was not used up
//!   is found again by the next look.
//! * An **event** says that in its look a registration was ready. The array that the kernel filled is the queue:
//!   `io_canread` walks it with a cursor of its own, `io_canwrite` with another.
//! * A slot holds, for each direction, in which look it was last **used**: reported, read or written through the library,
//!   or said to be not ready.
//! * What is worth reporting follows from these: see [`news`].
//!
//! # Interest is told late
//!
//! * `io_fd` tells the kernel nothing. Interest that the kernel does not know of puts the descriptor on the **dirty list**.
//! * The next look **probes** what is dirty with one `poll(2)` that does not wait. A connection that is served and closed
//!   in that turn is never registered. What was not ready is registered before the look sleeps; what is still wanted at
//!   the look after is registered as well.
//! * Withdrawn interest is left with the kernel until an event shows that it wakes the process for nothing. Then it is
//!   narrowed. A request and its answer cost no call but their read and write.
//!
//! # Who may call what when
//!
//! One lock guards all state. It is never held in a system call that can block nor over a callback. One thread at a time
//! looks; others that wait sleep beside it and take over when it leaves. Transfers take no lock at all: they read the
//! slot's access and store a stamp.

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

/// All state of the loop, but for the slots and the number of the current look ([`crate::table`]).
pub(crate) struct EventLoop {
    /// What the last look found, and which look that was.
    events: Events,
    events_look: u32,
    /// By direction: the first event that was not judged yet; behind the end, if the program has asked for more.
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
    /// An event was not worth reporting: narrowing may be due.
    has_unwanted: bool,
    /// Closing a number may not end what the kernel watches: it has to be told.
    removes_explicitly: bool,
    /// Registered descriptors, and their wanted directions together.
    registered: usize,
    wanted: usize,
    threads: Threads,
}

/// The way to the kernel.
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

/// The one loop of the process.
static STATE: ForkLock<EventLoop> = ForkLock::new(EventLoop::new());

/// The loop of the process. In a child, what it inherited has been made its own.
#[inline(always)]
fn state() -> Guard<'static, EventLoop> {
    lock(&STATE)
}

/// Calls `f` with the loop on a fast path: if nothing needs attention, and nobody has the lock.
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
