//! `iom_*`: several threads take single events from one multiplexer.
//!
//! The queue is the kernel's. Every registration is one-shot, every waiting thread asks for one event,
//! and the kernel hands each event to one thread and wakes one thread an event. Nothing is fetched ahead, so
//! nothing can be lost, and no thread waits on behalf of another.
//!
//! To take several events a call and keep the others for the next calls would save system calls, and break a
//! promise: a program may close(2) a descriptor whose event is kept, without a word to us, and give its number to
//! another file. Only the kernel can drop that event, and to ask it costs as much as to fetch one.
//!
//! So this module has no protocol between threads. What they share is a hint of how busy they are ([`contention`]).

mod bits;
mod contention;
mod queue;
#[cfg(test)]
mod tests;
mod waker;

use crate::ctypes::IoMux;
use crate::fd::Fd;
use crate::sys::count::{Call, count};
use crate::sys::mode::close;
use bits::Limit;
use contention::Contention;
use nix::errno::Errno;
use queue::Taken;
use std::ffi::{c_int, c_uint, c_ulong};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::thread::yield_now;

/// `working` of an initialised multiplexer. Memory that never saw `iom_init` hardly holds one of the two,
/// so that its `ctx`, 0 in a zeroed structure, is not taken for a descriptor of ours.
const LIVE: c_int = 0x696f_6d31;
const ABORTED: c_int = 0x696f_6d30;

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

/// A multiplexer in the caller's memory, which any number of threads may hold at once: every access is
/// atomic and none is through a reference to the whole structure.
///
/// Used are `ctx` (the descriptor of the queue), `working` (`LIVE` or `ABORTED`), `h` (the waker) and `l` (events taken).
#[derive(Clone, Copy)]
pub(crate) struct Mux(NonNull<IoMux>);

impl Mux {
    /// # Safety
    /// `c` is NULL or the address of an `iomux_t`, initialised or not, that outlives the value and that
    /// other threads change only through this type.
    pub(crate) unsafe fn new(c: *mut IoMux) -> Result<Mux, Errno> {
        NonNull::new(c).map(Mux).ok_or(Errno::EFAULT)
    }

    /// Starts afresh, whatever the memory holds. What an earlier `init` opened is not closed: the memory
    /// may as well be new, and its bytes anybody's numbers.
    pub(crate) fn init(self) -> Result<(), Errno> {
        let ctx = queue::create()?;
        let waker = waker::descriptor().and_then(|waker| {
            queue::add_waker(ctx, waker)?;
            Ok(waker)
        });
        let waker = waker.inspect_err(|_| {
            // The caller is to hear of the first error.
            let _ = close(ctx);
        })?;
        self.waker().store(waker.index() as u32, Ordering::Relaxed);
        self.contention().reset();
        self.ctx().store(ctx.raw(), Ordering::Relaxed);
        self.state().store(LIVE, Ordering::Release);
        Ok(())
    }

    /// Arms `fd` for one event.
    pub(crate) fn add(self, fd: Fd, events: c_uint) -> Result<(), Errno> {
        let (ctx, _) = self.opened()?;
        queue::arm(ctx, fd, bits::wanted(events))
    }

    /// Arms `fd`, which was added, for one more event.
    pub(crate) fn requeue(self, fd: Fd, events: c_uint) -> Result<(), Errno> {
        let (ctx, _) = self.opened()?;
        queue::arm_again(ctx, fd, bits::wanted(events))
    }

    /// Waits up to `ms` milliseconds, for ever with the largest number. `EINTR` is an error like any other.
    pub(crate) fn wait(self, ms: c_ulong) -> Result<Wait, Errno> {
        // Looked at first: events may stand in epoll's queue before the waker.
        let (ctx, aborted) = self.opened()?;
        if aborted {
            return Ok(Wait::Aborted);
        }
        if ms != 0 && self.contention().is_found() {
            if let Some(ended) = self.take(ctx, 0)? {
                return Ok(ended);
            }
            count(Call::Yield);
            yield_now();
        }
        let mut limit = Limit::new(ms);
        loop {
            let (slice, rest) = limit.step();
            match (self.take(ctx, slice)?, rest) {
                (Some(ended), _) => return Ok(ended),
                (None, Some(rest)) => limit = rest,
                (None, None) => return Ok(Wait::TimedOut),
            }
        }
    }

    fn take(self, ctx: Fd, slice: c_int) -> Result<Option<Wait>, Errno> {
        Ok(queue::take(ctx, slice)?.map(|taken| match taken {
            Taken::Woken => Wait::Aborted,
            Taken::Event(fd, mask) => {
                self.contention().count_event();
                Wait::Event(fd, bits::happened(mask))
            }
        }))
    }

    /// Ends every wait, running and future. Level-triggered: each thread that it wakes leaves the
    /// waker ready for the next. An atomic store and a system call, so a signal handler may do it.
    pub(crate) fn abort(self) -> Result<(), Errno> {
        let (ctx, _) = self.opened()?;
        // Not a store, which helgrind would report as a race to every program that aborts.
        self.state().swap(ABORTED, Ordering::Release);
        let waker = Fd::new(self.waker().load(Ordering::Relaxed).into())?;
        queue::wake(ctx, waker)
    }

    /// `ctx` of an initialised multiplexer, and whether it was aborted.
    fn opened(self) -> Result<(Fd, bool), Errno> {
        match self.state().load(Ordering::Acquire) {
            state @ (LIVE | ABORTED) => {
                Ok((Fd::new(self.ctx().load(Ordering::Relaxed).into())?, state == ABORTED))
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn ctx(&self) -> &AtomicI32 {
        // SAFETY: an aligned field of the structure that `new` was promised; only touched atomically.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0.as_ptr()).ctx) }
    }

    fn state(&self) -> &AtomicI32 {
        // SAFETY: as in `ctx`.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0.as_ptr()).working) }
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
