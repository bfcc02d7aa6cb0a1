//! The process-wide event loop: what the program wants, what the kernel said, what is reported next.
//!
//! # How readiness is kept right
//!
//! Every wait call asks the kernel anew, so that a report is never older than the last wait call. Programs read,
//! write and accept behind our back and tell nobody, so that descriptors are watched level-triggered at first:
//! the kernel then remembers what was not used up. What that costs elsewhere is avoided by telling the kernel late
//! and seldom:
//!
//! * **Interest is withdrawn when it hurts**: the backend goes on watching after `io_dontwant*` until it
//!   reports an event that nobody wants. That one report takes the interest back. A request/answer cycle
//!   whose peer waits for the answer never gets there and costs no system call.
//! * **To write is asked first**: a descriptor that the program wants to write to is nearly always
//!   writable. The wait asks `poll(2)` about all of them in one call and only watches those that were not.
//!   Without this, each answer would add and remove write interest.
//! * **New connections are asked about first**, likewise, if several come together. Those that are answered and
//!   closed in the same turn are never watched.
//! * **`io_fd` has epoll watch the descriptor at once**, because that shows that it is open, for which a call is
//!   needed anyway. Otherwise interest is added at the next wait (at once, if another thread sleeps).
//!
//! A descriptor is *unsettled* while the backend has to be told or asked something about it. The list of those is
//! what a wait call goes through before it sleeps; everything else is O(1) or O(events).
//!
//! # Level or edge
//!
//! Decided by measurement, on Linux 6.18 (`make bench`; the figures are in `docs/performance.md`). An echo costs
//! the kernel some 2 % more when level-triggered, because each wait looks again at what it reported last: less
//! than these measurements scatter. It costs no system call more, while an edge that was not used up costs one.
//! So level it is, but for one kind of work: a program that **takes turns**, which wants to write when it has read
//! and to read when it has written, needs to know that it can write. Watched for reading alone, the kernel has to
//! be asked; watched for writing too, it would report without end. An edge in both directions says it along with
//! the request, and the turn costs no call but its read, its write and its share of the wait.
//!
//! So a descriptor is promoted ([`Trigger::Edge`]) when its program has shown that it takes turns through this
//! library: it was told that it can write, wrote a whole answer, and read a request to its end. From then on
//!
//! * an edge leaves its directions *open*, until a transfer through the library comes up short there;
//! * what is open and wanted when the next wait begins was not used up: the descriptor goes back to `Level`, for
//!   good. So does one whose peer has said its last word, and one whose edges nobody wants;
//! * it also goes back when the program starts a second thread: what one has found to be used up may be an edge
//!   that another was told of meanwhile, and then no event would tell;
//! * that it can be written to is reported when the program says so only within the turn of the edge, and only if
//!   nothing has been written meanwhile.
//!
//! # Who may call what when
//!
//! One lock guards all state (`STATE`). It is never held in a system call that can block nor over a
//! callback. A wait takes it, prepares, lets go, sleeps in the backend, takes it again and applies what
//! came. A second thread that changes something a sleeper must know arms it in the backend or wakes it.
//!
//! A program of one thread has short ways around most of this, for what servers do at every event: `quick.rs`,
//! `hot.rs`, and the events that `apply.rs` puts off.

mod apply;
mod describe;
mod fork;
mod global;
mod hot;
mod interest;
mod loops;
#[cfg(any(test, fuzzing))]
pub(crate) mod model;
mod next;
pub(crate) mod quick;
mod registry;
mod sender;
mod sleepers;
#[cfg(test)]
mod tests;
mod transfer;
mod wait;
mod watched;

pub(crate) use global::{
    close, cookie, describe, dont_want, eagain, eagain_wanted, expired, forget, is_expired, passed_on,
    queue_for, refused, register, register_file, set_blocking_mode, set_cookie, set_deadline, shutdown, want,
    wrote,
};
pub(crate) use loops::{next, start as start_event_loop_threads};
pub(crate) use sender::send;
pub(crate) use transfer::{
    InTime, TimedOut, can_read_hot, can_write_hot, moved_hot, read, read_hot, read_in_time, takes_turns,
    wait_read, wait_write, write, write_hot, write_in_time,
};
pub(crate) use wait::{Limit, wait};

use crate::backend::{Asked, EVENTS, Events, Opened};
use crate::fd::Fd;
use crate::grow::Grow;
use crate::interest::{Direction, Interest, Trigger};
use crate::mode::Mode;
use crate::ready::{Readable, Writable};
use crate::sys::lock::ForkLock;
use crate::sys::mem;
use crate::table::{Arrival, Entry, FdTable};
use crate::timer::Timer;
use loops::Loops;
use nix::errno::Errno;
use sleepers::Sleepers;

/// How a descriptor is registered.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Flags {
    /// The caller knows that it can be written to.
    pub(crate) can_write: bool,
    /// The caller knows the mode; otherwise the kernel is asked.
    pub(crate) mode: Option<Mode>,
}

/// All state of the loop.
pub(crate) struct Reactor {
    table: FdTable,
    readable: Readable,
    writable: Writable,
    timer: Timer,
    backend: Option<Opened>,
    /// Numbers of descriptors of which the backend has to be told or asked something before the next sleep,
    /// or had to be lately.
    unsettled: Vec<u32>,
    /// Registered descriptors.
    registered: usize,
    /// Wanted directions of all descriptors together.
    wanted: usize,
    sleepers: Sleepers,
    /// Counts backends, so that a sleeper notices that its own is gone.
    epoch: u32,
    /// Counts wait calls; never 0.
    cycle: u32,
    /// Forks of this process so far.
    forks: u32,
    /// Some pending events are marked unconfirmed.
    doubts: bool,
    /// The number whose mode the program has just set: it is open, so `io_fd` need not ask.
    just_set: Option<Fd>,
    /// What the last look brought, from `next_event` on not applied yet; see `apply.rs`.
    batch: Events,
    next_event: usize,
    /// The most events that a look takes.
    room: usize,
    /// Some of the events were edges, which nobody but us remembers.
    edges: bool,
    /// Descriptors may be watched for edges.
    promoted: bool,
    /// The last look has brought an event of a registration that is no more.
    ghost: bool,
    /// Looks in a row that did.
    ghost_looks: u32,
    /// The backend must not be used any more: the next wait makes another.
    stale: bool,
    loops: Loops,
    /// Not in use by a wait call at present.
    spare: Option<Box<Scratch>>,
}

/// The one loop of the process.
static STATE: ForkLock<Reactor> = ForkLock::new(Reactor::new());

/// Memory that a wait call needs, kept for the next one.
struct Scratch {
    events: Events,
    asked: Vec<Asked>,
}

impl Scratch {
    fn new() -> Result<Box<Scratch>, Errno> {
        mem::boxed(Scratch { events: Events::NONE, asked: Vec::new() })
    }
}

impl Reactor {
    pub(crate) const fn new() -> Reactor {
        Reactor {
            table: FdTable::new(),
            readable: Readable::new(),
            writable: Writable::new(),
            timer: Timer::new(),
            backend: None,
            unsettled: Vec::new(),
            registered: 0,
            wanted: 0,
            sleepers: Sleepers::new(),
            epoch: 0,
            cycle: 1,
            forks: 0,
            doubts: false,
            just_set: None,
            batch: Events::NONE,
            next_event: 0,
            room: EVENTS,
            edges: false,
            promoted: false,
            ghost: false,
            ghost_looks: 0,
            stale: false,
            loops: Loops::new(),
            spare: None,
        }
    }

    /// Makes `number` pending in `dir`.
    fn push(&mut self, dir: Direction, number: u32) {
        let e = self.table.listed(number);
        match dir {
            Direction::Read => self.readable.push(e, number),
            Direction::Write => self.writable.push(e, number),
        }
    }

    /// Withdraws the pending event of `number` in `dir`, if there is one.
    fn withdraw(&mut self, dir: Direction, number: u32) {
        let e = self.table.listed(number);
        match dir {
            Direction::Read => self.readable.remove(e),
            Direction::Write => self.writable.remove(e),
        }
        if e.parked.has(dir) {
            self.unpark(dir, number);
        }
    }

    /// Calls `f` with each pending event, and withdraws those for which it answers false.
    fn retain_pending(&mut self, mut f: impl FnMut(&mut Entry, Direction) -> bool) {
        self.readable.retain(&mut self.table, |e| f(e, Direction::Read));
        self.writable.retain(&mut self.table, |e| f(e, Direction::Write));
    }

    fn has_pending(&self) -> bool {
        !self.readable.is_empty() || !self.writable.is_empty()
    }

    /// Before something happens to `fd`: events that were put off must not come after it. The descriptor
    /// whose event was applied last has none among them.
    #[inline]
    fn touch(&mut self, fd: Fd) {
        if self.has_rest() && self.named() != Some(fd.raw().into()) {
            self.apply_rest();
        }
    }

    /// The backend, unless it belongs to the parent process or has been lost.
    fn live_backend(&self) -> Option<&Opened> {
        self.backend.as_ref().filter(|_| !self.stale)
    }

    /// Replaces the backend, or makes the first one. Everything wanted is unsettled afterwards.
    fn renew_backend(&mut self) -> Result<(), Errno> {
        self.backend = Some(crate::backend::open()?);
        self.stale = false;
        self.ghost_looks = 0;
        self.epoch = self.epoch.wrapping_add(1);
        self.sleepers.forget_all();
        let unsettled = &mut self.unsettled;
        self.table.for_each(|number, e| {
            if !e.watched.is_none() {
                // No new connection, so that it will be watched and not only asked about.
                e.arrival = Arrival::Any;
            }
            e.watched = Interest::NONE;
            if e.trigger == Trigger::Edge {
                e.trigger = Trigger::Level;
                e.open = Interest::NONE;
            }
            if !e.want.is_none() && !e.listed {
                e.listed = unsettled.try_push(number).is_ok();
            }
        });
        Ok(())
    }
}
