//! Entries of a batch: how they are made and released.

use crate::batch::Batch;
use crate::ctypes::{FROM_BUF, FROM_FILE, IobEntry};
use crate::sys::mem;
use nix::errno::Errno;
use std::ffi::c_char;
use std::ptr;

/// Releases what an entry holds. Called once, with the entry's address.
pub(crate) type Cleanup = unsafe extern "C-unwind" fn(*mut IobEntry);

/// Clean-up functions are compared by address. If a compiler gave one function two addresses, an entry of ours would be
/// treated as a foreign one, which only costs time.
pub(crate) fn address(f: Cleanup) -> usize {
    f as usize
}

/// The entry for `n` bytes at `buf`.
#[inline(always)]
pub(crate) fn buffer(buf: *const c_char, n: u64, cleanup: Option<Cleanup>) -> IobEntry {
    IobEntry { kind: FROM_BUF, fd: -1, buf, offset: 0, n, cleanup }
}

/// The entry for `n` bytes of `fd` from position `off`. The clean-up function is, or calls first,
/// [`drop_window`](crate::batch::window::drop_window).
#[inline(always)]
pub(crate) fn file(fd: i64, off: u64, n: u64, cleanup: Cleanup) -> IobEntry {
    IobEntry { kind: FROM_FILE, fd, buf: ptr::null(), offset: off, n, cleanup: Some(cleanup) }
}

/// Adds an entry that belongs to the batch from now on. If it is empty or cannot be added, it is released at once.
#[inline(always)]
pub(crate) fn add_owned(batch: Result<Batch, Errno>, e: IobEntry) -> Result<(), Errno> {
    match batch {
        Ok(batch) if e.n > 0 => batch.add(IobEntry { ..e }).inspect_err(|_| release_refused(e)),
        refused => {
            release_refused(e);
            refused.map(drop)
        }
    }
}

#[cold]
fn release_refused(mut e: IobEntry) {
    // SAFETY: the entry did not get into the batch, so this is its only release.
    unsafe { release(&mut e) };
}

/// Clean-up of `iob_addbuf_free`.
///
/// # Safety
/// `e` points to an entry whose memory was handed over to be freed, and is not released again.
pub(crate) unsafe extern "C-unwind" fn free_buffer(e: *mut IobEntry) {
    // SAFETY: the caller vouches for the entry.
    unsafe { mem::free((*e).buf.cast_mut().cast()) };
}

/// Clean-up of `iob_addbuf_munmap`. The length of the mapping is the sum of sent and unsent bytes.
///
/// # Safety
/// `e` points to an entry whose mapping was handed over, and is not released again.
pub(crate) unsafe extern "C-unwind" fn unmap_buffer(e: *mut IobEntry) {
    // SAFETY: as above. The kernel refuses an impossible length.
    unsafe {
        let n = usize::try_from((*e).offset.wrapping_add((*e).n)).unwrap_or(usize::MAX);
        mem::unmap((*e).buf.cast_mut().cast(), n);
    }
}

/// Runs the clean-up function of an entry, once. It gets a copy of the entry, because it may add to the batch, which moves
/// the entries, or reset the batch. It may also leave by an exception, `pthread_exit` or `longjmp`.
///
/// # Safety
/// `e` points to an entry that is only released again (which does nothing) or freed afterwards. It may be dangling when
/// the function returns.
#[inline]
pub(crate) unsafe fn release(e: *mut IobEntry) {
    // SAFETY: the caller vouches for `e`.
    if let Some(cleanup) = unsafe { (*e).cleanup.take() } {
        // SAFETY: as above; the function was given for this entry.
        unsafe { cleanup(&mut IobEntry { ..*e }) };
    }
}
