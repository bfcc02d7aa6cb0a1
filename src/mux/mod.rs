//! `iom_*`: several threads take single events from one multiplexer.
//!
//! The queue is the kernel's. Every registration is one-shot, every waiting thread asks epoll for one event,
//! and the kernel hands each event to one thread and wakes one thread an event. Nothing is fetched ahead, so
//! nothing can be lost, and no thread waits on behalf of another.

mod bell;
mod bits;

use crate::ctypes::IoMux;
use crate::fd::Fd;
use crate::sys::mux::{control, next_event};
use bits::Limit;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags};
use std::ffi::{c_int, c_uint, c_ulong};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// `working` of an initialised multiplexer. Memory that never saw `iom_init` hardly holds one of the two,
/// so that its `ctx`, 0 in a zeroed structure, is not taken for a descriptor of ours.
const LIVE: c_int = 0x696f_6d31;
const ABORTED: c_int = 0x696f_6d30;

/// The event data that no descriptor has.
const BELL: u64 = u64::MAX;

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
/// Used are `ctx` (the epoll descriptor), `working` (`LIVE` or `ABORTED`) and `h` (the bell).
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
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?.0;
        let bell = bell::descriptor()?;
        control(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, bell, 0, BELL)?;
        self.bell().store(bell as u32, Ordering::Relaxed);
        self.ctx().store(epoll.into_raw_fd(), Ordering::Relaxed);
        self.state().store(LIVE, Ordering::Release);
        Ok(())
    }

    /// Arms `fd` for one event. A descriptor is added once and armed again after each of its events, so the
    /// call that arms again is tried first. The third try is for two threads that add the same descriptor.
    pub(crate) fn add(self, fd: Fd, events: c_uint) -> Result<(), Errno> {
        let (ctx, _) = self.opened()?;
        let arm = |op| control(ctx, op, fd.raw(), bits::wanted(events), fd.raw() as u64);
        match arm(libc::EPOLL_CTL_MOD) {
            Err(Errno::ENOENT) => match arm(libc::EPOLL_CTL_ADD) {
                Err(Errno::EEXIST) => arm(libc::EPOLL_CTL_MOD),
                r => r,
            },
            r => r,
        }
    }

    /// Waits up to `ms` milliseconds, for ever with the largest number. `EINTR` is an error like any other.
    pub(crate) fn wait(self, ms: c_ulong) -> Result<Wait, Errno> {
        // Looked at first: events may stand in epoll's queue before the bell.
        let (ctx, aborted) = self.opened()?;
        if aborted {
            return Ok(Wait::Aborted);
        }
        let mut limit = Limit::new(ms);
        loop {
            let (slice, rest) = limit.step();
            match (next_event(ctx, slice)?, rest) {
                (Some((_, BELL)), _) => return Ok(Wait::Aborted),
                (Some((mask, fd)), _) => return Ok(Wait::Event(fd as i64, bits::happened(mask))),
                (None, Some(rest)) => limit = rest,
                (None, None) => return Ok(Wait::TimedOut),
            }
        }
    }

    /// Ends every wait, running and future. Level-triggered: each thread that the bell wakes leaves it
    /// ringing for the next. An atomic store and a system call, so a signal handler may do it.
    pub(crate) fn abort(self) -> Result<(), Errno> {
        let (ctx, _) = self.opened()?;
        // Not a store, which helgrind would report as a race to every program that aborts.
        self.state().swap(ABORTED, Ordering::Release);
        let bell = self.bell().load(Ordering::Relaxed) as RawFd;
        control(ctx, libc::EPOLL_CTL_MOD, bell, libc::EPOLLOUT as u32, BELL)
    }

    /// `ctx` of an initialised multiplexer, and whether it was aborted.
    fn opened(self) -> Result<(RawFd, bool), Errno> {
        match self.state().load(Ordering::Acquire) {
            state @ (LIVE | ABORTED) => Ok((self.ctx().load(Ordering::Relaxed), state == ABORTED)),
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

    fn bell(&self) -> &AtomicU32 {
        // SAFETY: as in `ctx`.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.0.as_ptr()).h) }
    }
}
