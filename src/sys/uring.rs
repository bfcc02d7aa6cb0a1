//! io_uring(7), as far as poll requests need it, by raw system calls: the rings of the usual crates own their
//! descriptor, and ours may have to be let go unclosed.
//!
//! No request carries a pointer, so whatever is pushed here is safe.

mod mapping;

use super::count::{Call, count};
use super::mode::close;
use super::own;
use crate::fd::Fd;
use libc::{c_int, c_long, c_void};
use mapping::{Mapping, Word};
use nix::errno::Errno;
use std::os::fd::IntoRawFd;
use std::ptr;
use std::sync::atomic::Ordering;
use std::time::Duration;

const SETUP_CQSIZE: u32 = 1 << 3;
const SETUP_CLAMP: u32 = 1 << 4;
const FEAT_SINGLE_MMAP: u32 = 1 << 0;
const FEAT_NODROP: u32 = 1 << 1;
const FEAT_EXT_ARG: u32 = 1 << 8;
/// Came together with poll requests that complete more than once, which no feature tells of.
const FEAT_RSRC_TAGS: u32 = 1 << 10;
/// Linux 5.13 has them all.
const NEEDED: u32 = FEAT_SINGLE_MMAP | FEAT_NODROP | FEAT_EXT_ARG | FEAT_RSRC_TAGS;

const ENTER_GETEVENTS: u32 = 1 << 0;
const ENTER_EXT_ARG: u32 = 1 << 3;
const SQ_CQ_OVERFLOW: u32 = 1 << 1;

const OFF_RINGS: i64 = 0;
const OFF_SQES: i64 = 0x1000_0000;

const POLL_ADD_MULTI: u32 = 1 << 0;
const CQE_F_MORE: u32 = 1 << 1;

const OP_NOP: u8 = 0;
const OP_POLL_ADD: u8 = 6;
const OP_POLL_REMOVE: u8 = 7;

#[repr(C)]
#[derive(Default)]
struct SqOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    flags: u32,
    dropped: u32,
    array: u32,
    reserved: [u32; 3],
}

#[repr(C)]
#[derive(Default)]
struct CqOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    overflow: u32,
    cqes: u32,
    flags: u32,
    reserved: [u32; 3],
}

#[repr(C)]
#[derive(Default)]
struct Params {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    thread: [u32; 2],
    features: u32,
    reserved: [u32; 4],
    sq: SqOffsets,
    cq: CqOffsets,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sqe {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    off: u64,
    addr: u64,
    len: u32,
    poll_events: u32,
    data: u64,
    unused: [u64; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Cqe {
    data: u64,
    result: i32,
    flags: u32,
}

/// The argument of io_uring_enter(2) with `IORING_ENTER_EXT_ARG`.
#[repr(C)]
struct WaitArg {
    sigmask: u64,
    sigmask_size: u32,
    pad: u32,
    timeout: u64,
}

const _: () = assert!(size_of::<Params>() == 120 && size_of::<Sqe>() == 64 && size_of::<Cqe>() == 16);

/// Something to have done; `data` comes back with the completion.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    /// Completes when one of `flags`, an error, a hang-up or the end of what the peer sends is there: once, or with
    /// `again` also at each later change. Holds the open file until it has completed for the last time.
    Poll {
        fd: Fd,
        flags: u32,
        again: bool,
        data: u64,
    },
    /// Ends the poll request with `target` for its data.
    Remove {
        target: u64,
        data: u64,
    },
    Nop {
        data: u64,
    },
}

impl Request {
    fn to_sqe(self) -> Sqe {
        let none = Sqe { fd: -1, ..Sqe::default() };
        match self {
            Request::Poll { fd, flags, again, data } => {
                // Big-endian machines have the halves swapped, for the sake of an older, narrower field.
                let poll_events = if cfg!(target_endian = "big") { flags.rotate_left(16) } else { flags };
                let len = if again { POLL_ADD_MULTI } else { 0 };
                Sqe { opcode: OP_POLL_ADD, fd: fd.raw(), len, poll_events, data, ..none }
            }
            Request::Remove { target, data } => Sqe { opcode: OP_POLL_REMOVE, addr: target, data, ..none },
            Request::Nop { data } => Sqe { opcode: OP_NOP, data, ..none },
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion {
    pub(crate) data: u64,
    /// A negated error number, or what the request asked for.
    pub(crate) result: i32,
    /// The request is still there and completes again.
    pub(crate) more: bool,
}

/// A ring and its memory.
pub(crate) struct Ring {
    fd: Fd,
    close: bool,
    queues: Mapping,
    sqes: Mapping,
    sq_head: Word,
    sq_tail: Word,
    sq_flags: Word,
    cq_head: Word,
    cq_tail: Word,
    cq_overflow: Word,
    cqes: usize,
    /// Powers of two, less 1.
    sq_mask: u32,
    cq_mask: u32,
    /// How far we have written, and read.
    tail: u32,
    head: u32,
}

impl Ring {
    /// A ring, closed on exec. `ENOSYS` if the kernel is too old.
    pub(crate) fn open(entries: u32, completions: u32) -> Result<Ring, Errno> {
        let mut p =
            Params { cq_entries: completions, flags: SETUP_CQSIZE | SETUP_CLAMP, ..Params::default() };
        count(Call::Uringsetup);
        // SAFETY: the kernel reads and fills `p`, which has the size it expects.
        let n = unsafe { libc::syscall(libc::SYS_io_uring_setup, entries as c_long, &raw mut p) };
        let n = Errno::result(n)? as c_int;
        // SAFETY: just opened.
        let ring = own::above_standard(unsafe { own::owner(n) }?)?;
        let fd = Fd::new(ring.into_raw_fd().into())?;
        Ring::map(fd, p).inspect_err(|_| {
            // Nothing can be done about an error here.
            let _ = close(fd);
        })
    }

    fn map(fd: Fd, p: Params) -> Result<Ring, Errno> {
        if p.features & NEEDED != NEEDED {
            return Err(Errno::ENOSYS);
        }
        let (sq_entries, cq_entries) = (p.sq_entries, p.cq_entries);
        let array_end = p.sq.array as usize + sq_entries as usize * size_of::<u32>();
        let cqes_end = p.cq.cqes as usize + cq_entries as usize * size_of::<Cqe>();
        let cqes = p.cq.cqes as usize;
        if !(sq_entries.is_power_of_two() && cq_entries.is_power_of_two() && cqes % align_of::<Cqe>() == 0) {
            return Err(Errno::ENOSYS);
        }
        let queues = Mapping::of(fd, OFF_RINGS, array_end.max(cqes_end))?;
        let sqes = Mapping::of(fd, OFF_SQES, sq_entries as usize * size_of::<Sqe>())?;
        // Entry i of the queue is always request i.
        for i in 0..sq_entries {
            let entry = queues.find(p.sq.array + i * size_of::<u32>() as u32)?;
            queues.word(entry).store(i, Ordering::Relaxed);
        }
        Ok(Ring {
            fd,
            close: true,
            sq_head: queues.find(p.sq.head)?,
            sq_tail: queues.find(p.sq.tail)?,
            sq_flags: queues.find(p.sq.flags)?,
            cq_head: queues.find(p.cq.head)?,
            cq_tail: queues.find(p.cq.tail)?,
            cq_overflow: queues.find(p.cq.overflow)?,
            cqes,
            queues,
            sqes,
            sq_mask: sq_entries - 1,
            cq_mask: cq_entries - 1,
            tail: 0,
            head: 0,
        })
    }

    pub(crate) fn fd(&self) -> Fd {
        self.fd
    }

    /// From now on the number is not ours.
    pub(crate) fn abandon(&mut self) {
        self.close = false;
    }

    /// Queues a request for the next [`enter`]. False if there is no room.
    pub(crate) fn push(&mut self, request: Request) -> bool {
        if self.pending() > self.sq_mask {
            return false;
        }
        self.sqes.write((self.tail & self.sq_mask) as usize, request.to_sqe());
        self.tail = self.tail.wrapping_add(1);
        self.queues.word(self.sq_tail).store(self.tail, Ordering::Release);
        true
    }

    /// Requests that the kernel has not taken yet.
    pub(crate) fn pending(&self) -> u32 {
        self.tail.wrapping_sub(self.queues.word(self.sq_head).load(Ordering::Acquire))
    }

    /// Takes the next completion.
    pub(crate) fn pop(&mut self) -> Option<Completion> {
        if !self.has_completion() {
            return None;
        }
        let at = self.cqes + (self.head & self.cq_mask) as usize * size_of::<Cqe>();
        let cqe: Cqe = self.queues.read(at);
        self.head = self.head.wrapping_add(1);
        self.queues.word(self.cq_head).store(self.head, Ordering::Release);
        Some(Completion { data: cqe.data, result: cqe.result, more: cqe.flags & CQE_F_MORE != 0 })
    }

    pub(crate) fn has_completion(&self) -> bool {
        self.head != self.queues.word(self.cq_tail).load(Ordering::Acquire)
    }

    /// Whether completions found no room; the kernel keeps them until an [`enter`] that takes events.
    pub(crate) fn has_overflow(&self) -> bool {
        self.queues.word(self.sq_flags).load(Ordering::Relaxed) & SQ_CQ_OVERFLOW != 0
    }

    /// How many completions the kernel had to throw away for want of memory, since the ring was made.
    pub(crate) fn lost(&self) -> u32 {
        self.queues.word(self.cq_overflow).load(Ordering::Relaxed)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.close {
            // Linux frees the number in any case.
            let _ = close(self.fd);
        }
    }
}

/// How long [`enter`] waits for a completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// Not at all, nor looks for any.
    No,
    /// Has what overflowed put into the queue, without waiting.
    Flush,
    /// `None` is without limit.
    UpTo(Option<Duration>),
}

/// Submits `pending` requests and waits as told. Returns how many were taken: if fewer than `pending`, it has
/// not waited. If some were taken, the end of the wait is not reported as `EINTR` or `ETIME`.
pub(crate) fn enter(ring: Fd, pending: u32, wait: Wait) -> Result<u32, Errno> {
    let limit = match wait {
        // Farther moments overflow in old kernels.
        Wait::UpTo(Some(d)) => Some([d.as_secs().min(i32::MAX as u64), d.subsec_nanos().into()]),
        _ => None,
    };
    let timeout = limit.as_ref().map_or(0, |t: &[u64; 2]| ptr::from_ref(t) as u64);
    let arg = WaitArg { sigmask: 0, sigmask_size: 0, pad: 0, timeout };
    let (min, flags): (u32, u32) = match wait {
        Wait::No => (0, 0),
        Wait::Flush => (0, ENTER_GETEVENTS | ENTER_EXT_ARG),
        Wait::UpTo(_) => (1, ENTER_GETEVENTS | ENTER_EXT_ARG),
    };
    count(Call::Uringenter);
    // SAFETY: `arg` and the seconds and nanoseconds it points to live through the call; without EXT_ARG the
    // kernel gets NULL, which is "no signal mask".
    let n = unsafe {
        let (arg, size) =
            if flags == 0 { (ptr::null(), 0) } else { (ptr::from_ref(&arg), size_of::<WaitArg>()) };
        libc::syscall(
            libc::SYS_io_uring_enter,
            c_long::from(ring.raw()),
            pending as c_long,
            min as c_long,
            flags as c_long,
            arg.cast::<c_void>(),
            size,
        )
    };
    Errno::result(n).map(|n| n as u32)
}

#[cfg(test)]
mod tests;
