//! The memory of a ring, shared with the kernel.

use super::{Cqe, Sqe};
use crate::fd::Fd;
use crate::sys::count::{Call, count};
use crate::sys::system::wide;
use libc::{c_int, c_void};
use nix::errno::Errno;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;

/// Where a number lies in the mapping of the queues.
#[derive(Clone, Copy)]
pub(super) struct Word(usize);

/// Memory shared with the kernel.
pub(super) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is reached only through the ring.
unsafe impl Send for Mapping {}

impl Mapping {
    pub(super) fn of(ring: Fd, offset: i64, len: usize) -> Result<Mapping, Errno> {
        count(Call::Mmap);
        const PROT: c_int = libc::PROT_READ | libc::PROT_WRITE;
        const FLAGS: c_int = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: asks for a fresh mapping anywhere.
        let start = unsafe { wide::mmap(ptr::null_mut(), len, PROT, FLAGS, ring.raw(), offset) };
        match NonNull::new(start.cast()) {
            Some(start) if start.as_ptr() as *mut c_void != libc::MAP_FAILED => Ok(Mapping { start, len }),
            _ => Err(Errno::last()),
        }
    }

    /// The number at byte `at`; `ENOSYS` if no number can be there.
    pub(super) fn find(&self, at: u32) -> Result<Word, Errno> {
        let at = at as usize;
        let fits = at % align_of::<AtomicU32>() == 0 && at + size_of::<AtomicU32>() <= self.len;
        if fits { Ok(Word(at)) } else { Err(Errno::ENOSYS) }
    }

    /// A number that both sides read and write, found in this mapping.
    pub(super) fn word(&self, word: Word) -> &AtomicU32 {
        debug_assert!(word.0 + size_of::<AtomicU32>() <= self.len);
        // SAFETY: `find` has seen that it is inside the mapping, which is page-aligned, and aligned.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(word.0).cast()) }
    }

    /// The completion at byte `at`.
    pub(super) fn read(&self, at: usize) -> Cqe {
        debug_assert!(at % align_of::<Cqe>() == 0 && at + size_of::<Cqe>() <= self.len);
        // SAFETY: one of the completions, all of which `Ring::map` mapped, and aligned; the kernel leaves it alone from
        // when it moved the tail past it until we move the head, and any bytes are a Cqe.
        unsafe { self.start.as_ptr().add(at).cast::<Cqe>().read() }
    }

    /// Sets request number `i`.
    pub(super) fn write(&self, i: usize, sqe: Sqe) {
        debug_assert!((i + 1) * size_of::<Sqe>() <= self.len);
        // SAFETY: one of the requests, all of which `Ring::map` mapped, and aligned; the kernel has moved the head past
        // what was there, and reads it again only after we have moved the tail.
        unsafe { self.start.as_ptr().cast::<Sqe>().add(i).write(sqe) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        count(Call::Munmap);
        // SAFETY: our own mapping, to which no reference is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
