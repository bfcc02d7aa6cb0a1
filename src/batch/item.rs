//! Entries of a batch: making them, comparing them, letting them go.

use crate::batch::Batch;
use crate::ctypes::{FROM_BUF, FROM_FILE, IobEntry};
use crate::sys::mem;
use nix::errno::Errno;
use std::ffi::c_char;
use std::ptr;

/// How an entry lets go of what it holds. Called once, with the entry's address.
pub(crate) type Cleanup = unsafe extern "C-unwind" fn(*mut IobEntry);

/// Functions are told apart by address. Should a compiler ever give one function two, an entry of ours would
/// be taken for a stranger's, which only costs speed.
pub(crate) fn address(f: Cleanup) -> usize {
    f as usize
}

/// `n` bytes at `buf`.
#[inline(always)]
pub(crate) fn buffer(buf: *const c_char, n: u64, cleanup: Option<Cleanup>) -> IobEntry {
    IobEntry { kind: FROM_BUF, fd: -1, buf, offset: 0, n, cleanup }
}

/// `n` bytes of `fd` from position `off`. The clean-up function begins with [`drop_window`](crate::batch::window::drop_window), or is it.
#[inline(always)]
pub(crate) fn file(fd: i64, off: u64, n: u64, cleanup: Cleanup) -> IobEntry {
    IobEntry { kind: FROM_FILE, fd, buf: ptr::null(), offset: off, n, cleanup: Some(cleanup) }
}

/// Adds an entry that the batch owns from now on, whatever happens: an empty one, and one that cannot be
/// added, is released at once.
pub(crate) fn add_owned(batch: Result<Batch, Errno>, e: IobEntry) -> Result<(), Errno> {
    match batch {
        Ok(batch) if e.n > 0 => batch.add(IobEntry { ..e }).inspect_err(|_| release_refused(&e)),
        refused => {
            release_refused(&e);
            refused.map(drop)
        }
    }
}

#[cold]
fn release_refused(e: &IobEntry) {
    // SAFETY: the entry did not get into the batch, so this is its only release.
    unsafe { release(&mut IobEntry { ..*e }) };
}

/// Clean-up of `iob_addbuf_free`.
///
/// # Safety
/// `e` points to an entry whose memory was handed over to be freed, and is not released again.
pub(crate) unsafe extern "C-unwind" fn free_buffer(e: *mut IobEntry) {
    // SAFETY: the caller vouches for the entry.
    unsafe { mem::free((*e).buf.cast_mut().cast()) };
}

/// Clean-up of `iob_addbuf_munmap`. Sent and unsent bytes make the length that was mapped.
///
/// # Safety
/// `e` points to an entry whose mapping was handed over, and is not released again.
pub(crate) unsafe extern "C-unwind" fn unmap_buffer(e: *mut IobEntry) {
    // SAFETY: as above. A length that no memory has is for the kernel to refuse.
    unsafe {
        let n = usize::try_from((*e).offset.wrapping_add((*e).n)).unwrap_or(usize::MAX);
        mem::unmap((*e).buf.cast_mut().cast(), n);
    }
}

/// Runs the clean-up function of an entry, once, on a copy: the function may add to the batch, which moves the entries,
/// or reset it. It may also leave by an exception, `pthread_exit` or `longjmp`; nothing here minds.
///
/// # Safety
/// `e` points to an entry with which nothing else is going to be done but releasing it again (which does
/// nothing) or freeing its memory. It may be dangling when the function returns.
#[inline]
pub(crate) unsafe fn release(e: *mut IobEntry) {
    // SAFETY: the caller vouches for `e`.
    if let Some(cleanup) = unsafe { (*e).cleanup.take() } {
        // SAFETY: as above; whoever added the entry gave the function for it.
        unsafe { cleanup(&mut IobEntry { ..*e }) };
    }
}
