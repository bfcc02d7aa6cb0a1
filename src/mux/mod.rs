//! `iom_*`: a multiplexer, from which several threads take single events. It is independent of the event loop
//! ([`crate::event_loop`]), but chooses between epoll and poll in the same way.
//!
//! The queue of events is epoll's, or a list of ours where there is no epoll ([`poll`]). Every registration is one-shot.
//! Every waiting thread asks the kernel for one event. The kernel gives each event to one thread, and wakes only that one.
//! So the library holds no event that could be lost.
//!
//! Taking several events in one call, and keeping the rest for later calls, would save system calls. But the program may
//! close(2) a descriptor whose event is kept, and its number may become another file. Only the kernel can drop that event,
//! and asking it costs as much as fetching one.
//!
//! So with epoll the threads share no state, except a hint of how busy they are ([`contention`]).

mod bits;
mod contention;
#[cfg(not(owfat_portable))]
mod epoll;
mod kernel;
mod poll;
#[cfg(test)]
mod tests;

use crate::ctypes::IoMux;
use crate::fd::Fd;
use crate::sys::count::{Call, count};
use bits::Limit;
use contention::Contention;
use kernel::{Kernel, Numbers, Taken};
use nix::errno::Errno;
use std::ffi::{c_int, c_uint, c_ulong};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::thread::yield_now;

/// The value of `working` in an initialised multiplexer, without the two bits below. Other memory hardly holds it by
/// chance. This check keeps a zeroed structure from being used, whose `ctx` would be descriptor 0.
const INITIALISED: c_int = 0x696f_6d30;
/// It was not aborted.
const LIVE: c_int = 1;
/// Its queue is poll's.
const POLLS: c_int = 2;

/// Frees what closed multiplexers have left.
pub(crate) fn shut_down() {
    poll::shut_down();
}

/// In a new child process.
pub(crate) fn in_child() {
    poll::in_child();
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// `IOM_*` bits happened on a descriptor.
    Event(i64, c_uint),
    /// The limit passed.
    TimedOut,
    /// `iom_abort` was called.
    Aborted,
}

/// A multiplexer in the caller's memory. Any number of threads may use it at once: every access is atomic, and there is
/// never a reference to the whole structure.
///
/// These fields are used: `ctx` (the descriptor of the queue), `working` ([`INITIALISED`]), `h` (the waker), `l` (events
/// taken), and the first number of `q` (the inode of the waker, if that is a pipe).
#[derive(Clone, Copy)]
pub(crate) struct Mux(NonNull<IoMux>);

impl Mux {
    /// # Safety
    /// `c` is NULL or the address of an `iomux_t`, initialised or not, that outlives the value and that
    /// other threads change only through this type.
    pub(crate) unsafe fn new(c: *mut IoMux) -> Result<Mux, Errno> {
        NonNull::new(c).map(Mux).ok_or(Errno::EFAULT)
    }

    /// Initialises the memory, whatever it holds. Descriptors of an earlier `init` are not closed, because in new memory
    /// these fields would be random numbers.
    pub(crate) fn init(self) -> Result<(), Errno> {
        let numbers = Numbers::open()?;
        self.waker().store(numbers.waker.index() as u32, Ordering::Relaxed);
        self.inode().store(numbers.inode as c_int, Ordering::Relaxed);
        self.contention().reset();
        self.ctx().store(numbers.ctx.raw(), Ordering::Relaxed);
        let polls = if numbers.polls { POLLS } else { 0 };
        self.state().store(INITIALISED | LIVE | polls, Ordering::Release);
        Ok(())
    }

    /// Arms `fd` for one event.
    pub(crate) fn add(self, fd: Fd, events: c_uint) -> Result<(), Errno> {
        self.opened()?.kernel()?.arm(fd, bits::wanted(events))
    }

    /// Arms `fd`, which was added, for one more event.
    pub(crate) fn requeue(self, fd: Fd, events: c_uint) -> Result<(), Errno> {
        self.opened()?.kernel()?.arm_again(fd, bits::wanted(events))
    }

    /// Waits up to `ms` milliseconds, without limit if it is the largest number. A signal handler ends it with `EINTR`.
    pub(crate) fn wait(self, ms: c_ulong) -> Result<Wait, Errno> {
        // Checked here as well, because epoll may return other events before the waker's.
        let numbers = self.opened()?;
        if self.is_aborted() {
            return Ok(Wait::Aborted);
        }
        let kernel = numbers.kernel()?;
        if ms != 0 && self.contention().is_found() {
            if let Some(ended) = self.take(&kernel, 0)? {
                return Ok(ended);
            }
            count(Call::Yield);
            yield_now();
        }
        let mut limit = Limit::new(ms);
        loop {
            let (slice, rest) = limit.step();
            match (self.take(&kernel, slice)?, rest) {
                (Some(ended), _) => return Ok(ended),
                (None, Some(rest)) => limit = rest,
                (None, None) => return Ok(Wait::TimedOut),
            }
        }
    }

    fn take(self, kernel: &Kernel, slice: c_int) -> Result<Option<Wait>, Errno> {
        Ok(kernel.take(slice, || self.is_aborted())?.map(|taken| match taken {
            Taken::Woken => Wait::Aborted,
            Taken::Event(fd, mask) => {
                self.contention().count_event();
                Wait::Event(fd, bits::happened(mask))
            }
        }))
    }

    /// Ends every wait, running and future. The waker is level-triggered, so it stays ready for the next thread. This is
    /// an atomic store and system calls, so a signal handler may call it.
    pub(crate) fn abort(self) -> Result<(), Errno> {
        let numbers = self.opened()?;
        self.state().fetch_and(!LIVE, Ordering::Release);
        numbers.wake()
    }

    fn is_aborted(self) -> bool {
        self.state().load(Ordering::Acquire) & LIVE == 0
    }

    /// The descriptors of an initialised multiplexer.
    fn opened(self) -> Result<Numbers, Errno> {
        let state = self.state().load(Ordering::Acquire);
        if state & !(LIVE | POLLS) != INITIALISED {
            return Err(Errno::EINVAL);
        }
        Ok(Numbers {
            polls: state & POLLS != 0,
            ctx: Fd::new(self.ctx().load(Ordering::Relaxed).into())?,
            waker: Fd::new(self.waker().load(Ordering::Relaxed).into())?,
            inode: self.inode().load(Ordering::Relaxed) as u32,
        })
    }

    fn ctx(&self) -> &AtomicI32 {
        // SAFETY: an aligned field of the structure that `new` was promised; only touched atomically.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0.as_ptr()).ctx) }
    }

    fn state(&self) -> &AtomicI32 {
        // SAFETY: as in `ctx`.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0.as_ptr()).working) }
    }

    fn inode(&self) -> &AtomicI32 {
        // SAFETY: as in `ctx`.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0.as_ptr()).q[0].fd) }
    }

    fn contention(&self) -> Contention<'_> {
        // SAFETY: as in `ctx`.
        Contention(unsafe { AtomicU32::from_ptr(&raw mut (*self.0.as_ptr()).l) })
    }

    fn waker(&self) -> &AtomicU32 {
        // SAFETY: as in `ctx`.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.0.as_ptr()).h) }
    }
}
