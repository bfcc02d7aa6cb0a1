//! `iob.h`: making, filling and releasing batches.

use super::entry::{cancellable, guard_state, one_or_zero, or_minus_one};
use crate::batch::item::{self, Cleanup};
use crate::batch::window::drop_window;
use crate::batch::{Batch, block, prefetch};
use crate::ctypes::{IoBatch, IobEntry, WideBatch};
use crate::event_loop;
use crate::fd::Fd;
use nix::errno::Errno;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::ptr::{self, NonNull};

/// Room is allocated in advance for at most this many entries, whatever the program's hint.
const HINT_MAX: u32 = 1024;

/// # Safety
/// `b` is NULL or can be written as a 72-byte `io_batch`.
unsafe fn init(b: *mut IoBatch, autofree: bool, hint: u32) -> Result<(), Errno> {
    // SAFETY: the structure is writable, and nothing in it is relied on before `init` has written it.
    let batch = unsafe { Batch::new(b) }?;
    // SAFETY: the caller vouches for the whole of the wider structure.
    unsafe { (&raw mut (*b.cast::<WideBatch>()).autofree).write(autofree.into()) };
    batch.init(autofree, hint.min(HINT_MAX))
}

/// Callers built for 0.32 pass an `int`, so only the lower half of the register is the hint.
fn make(hint: usize, autofree: bool) -> *mut IoBatch {
    let hint = u32::try_from(hint as i32).unwrap_or(0);
    match block::batch(size_of::<WideBatch>()) {
        Ok(block) => {
            let b = block.as_ptr().cast();
            // SAFETY: the block has the size of the wider structure. The only failure is that no room could be
            // allocated in advance, and the batch works without.
            let _ = unsafe { init(b, autofree, hint) };
            b
        }
        Err(e) => {
            e.set();
            ptr::null_mut()
        }
    }
}

/// Clean-up of `iob_addfile_close`.
pub(super) unsafe extern "C-unwind" fn close_file(e: *mut IobEntry) {
    // SAFETY: the batch calls it once with a live entry that `item::file` made.
    let fd = unsafe {
        drop_window(e);
        (*e).fd
    };
    cancellable(|| {
        // A clean-up function cannot report an error. A bad number was reported when it was sent.
        let _ = Fd::new(fd).and_then(event_loop::close);
    });
}

/// # Safety
/// `b` is NULL or a valid batch, and `buf` fits the clean-up function.
#[inline(always)]
unsafe fn add_buffer(b: *mut IoBatch, buf: *const c_void, n: u64, cleanup: Option<Cleanup>) -> c_int {
    // SAFETY: the caller vouches for the batch.
    match unsafe { Batch::new(b) } {
        Ok(batch) if n > 0 && batch.add_at_once(item::buffer(buf.cast(), n, cleanup)) => 1,
        // SAFETY: as above.
        _ => unsafe { add_buffer_slowly(b, buf, n, cleanup) },
    }
}

/// # Safety
/// As for [`add_buffer`].
#[inline(never)]
unsafe fn add_buffer_slowly(b: *mut IoBatch, buf: *const c_void, n: u64, cleanup: Option<Cleanup>) -> c_int {
    // SAFETY: the caller vouches for the batch.
    let batch = unsafe { Batch::new(b) };
    cancellable(|| one_or_zero(item::add_owned(batch, item::buffer(buf.cast(), n, cleanup))))
}

/// # Safety
/// `b` is NULL or a valid batch, `s` is NULL or a string, and it fits the clean-up function.
unsafe fn add_string(b: *mut IoBatch, s: *const c_char, cleanup: Option<Cleanup>) -> c_int {
    if s.is_null() {
        return one_or_zero(Err(Errno::EFAULT));
    }
    // SAFETY: the caller vouches for the string.
    let n = unsafe { CStr::from_ptr(s) }.count_bytes();
    // SAFETY: the caller vouches for the batch.
    unsafe { add_buffer(b, s.cast(), n as u64, cleanup) }
}

/// # Safety
/// `b` is NULL or a valid batch.
#[inline(always)]
unsafe fn add_file(b: *mut IoBatch, fd: i64, off: u64, n: u64, cleanup: Cleanup) -> c_int {
    let file = || item::file(fd, off, n, cleanup);
    // SAFETY: the caller vouches for the batch.
    match unsafe { Batch::new(b) } {
        Ok(batch) if n > 0 && event_loop::is_registered_file(fd) && batch.add_at_once(file()) => 1,
        // SAFETY: as above.
        _ => unsafe { add_file_slowly(b, fd, off, n, cleanup) },
    }
}

/// # Safety
/// As for [`add_file`].
#[inline(never)]
unsafe fn add_file_slowly(b: *mut IoBatch, fd: i64, off: u64, n: u64, cleanup: Cleanup) -> c_int {
    // An empty piece of an owned file is closed at once and never becomes known.
    if let (Ok(fd), true) = (Fd::new(fd), n > 0) {
        guard_state((), || event_loop::register_file(fd));
    }
    // SAFETY: the caller vouches for the batch.
    let batch = unsafe { Batch::new(b) };
    cancellable(|| one_or_zero(item::add_owned(batch, item::file(fd, off, n, cleanup))))
}

/// Allocates an empty batch; `iob_free` releases it. `hint_entries` is the number of entries expected. It
/// saves time, and any value is allowed.
///
/// A batch need not come from here: an `io_batch` of zeros is an empty batch.
///
/// Returns the batch, or NULL with errno ENOMEM. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn iob_new(hint_entries: usize) -> *mut IoBatch {
    guard_state(ptr::null_mut(), || make(hint_entries, false))
}

/// Allocates a batch as `iob_new` does, which releases each entry (frees, unmaps, closes it) as soon as it is
/// sent. Other batches release their entries when all are sent. `iob_reset` makes it a batch like the others.
/// (libowfat 0.34)
///
/// Returns the batch, or NULL with errno ENOMEM. Any thread may call it.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn iob_new_autofree(hint_entries: usize) -> *mut IoBatch {
    guard_state(ptr::null_mut(), || make(hint_entries, true))
}

/// Makes `*b` an empty batch. What it held before does not matter. It must have all 72 bytes of this header's
/// structure. `hint_entries` is as for `iob_new`. (libowfat 0.34)
///
/// Returns 0, or -1 with errno: ENOMEM (the batch is empty and can be used all the same), EFAULT (`b` is
/// NULL). Any thread may call it.
///
/// # Safety
/// `b` is NULL or points to 72 writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_init(b: *mut IoBatch, hint_entries: usize) -> c_int {
    // SAFETY: the C caller's promise.
    guard_state(-1, || unsafe { init_result(b, false, hint_entries) })
}

/// Makes `*b` an empty batch as `iob_init` does, which releases each entry as soon as it is sent, until
/// `iob_reset`. (libowfat 0.34)
///
/// Returns 0, or -1 with errno: ENOMEM (the batch is empty and can be used all the same), EFAULT (`b` is
/// NULL). Any thread may call it.
///
/// # Safety
/// `b` is NULL or points to 72 writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_init_autofree(b: *mut IoBatch, hint_entries: usize) -> c_int {
    // SAFETY: the C caller's promise.
    guard_state(-1, || unsafe { init_result(b, true, hint_entries) })
}

/// # Safety
/// As for [`init`].
unsafe fn init_result(b: *mut IoBatch, autofree: bool, hint: usize) -> c_int {
    let hint = u32::try_from(hint).unwrap_or(u32::MAX);
    // SAFETY: the caller's promise.
    or_minus_one(unsafe { init(b, autofree, hint) }.map(|()| 0)) as c_int
}

/// Queues the `n` bytes at `buf` without copying them. The program keeps them alive and unchanged until they
/// are sent or the batch is reset. 0 bytes are a success that queues nothing.
///
/// Returns 1, or 0 with errno: ENOMEM, EOVERFLOW (more than 2^64-1 bytes in the batch), EFAULT (`b` is NULL).
/// A failure changes nothing. A bad `buf` is noticed when it is sent. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch; `buf` as said.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addbuf(b: *mut IoBatch, buf: *const c_void, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_buffer(b, buf, n, None) }
}

/// Queues the `n` bytes at `buf`, which come from malloc(3) and belong to the batch from now on. The batch
/// frees them when everything is sent or it is reset; at once if the function fails or `n` is 0.
///
/// Returns 1, or 0 with the errno of `iob_addbuf`. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch; `buf` can be passed to `free`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addbuf_free(b: *mut IoBatch, buf: *const c_void, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_buffer(b, buf, n, Some(item::free_buffer)) }
}

/// Queues the `n` bytes at `buf`, which come from mmap(2) and belong to the batch from now on. The batch
/// unmaps them when everything is sent or it is reset; at once if the function fails.
///
/// Returns 1, or 0 with the errno of `iob_addbuf`. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch; `munmap(buf, n)` is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addbuf_munmap(b: *mut IoBatch, buf: *const c_void, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_buffer(b, buf, n, Some(item::unmap_buffer)) }
}

/// Queues the string `s` without its terminating zero, as `iob_addbuf` does.
///
/// Returns 1, or 0 with the errno of `iob_addbuf`, or EFAULT if `s` is NULL. One thread at a time may use a
/// batch.
///
/// # Safety
/// `b` is NULL or a valid batch; `s` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_adds(b: *mut IoBatch, s: *const c_char) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_string(b, s, None) }
}

/// Queues the string `s` without its terminating zero, as `iob_addbuf_free` does.
///
/// Returns 1, or 0 with the errno of `iob_addbuf`, or EFAULT if `s` is NULL. One thread at a time may use a
/// batch.
///
/// # Safety
/// `b` is NULL or a valid batch; `s` is NULL or a string that can be passed to `free`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_adds_free(b: *mut IoBatch, s: *const c_char) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_string(b, s, Some(item::free_buffer)) }
}

/// Queues the `n` bytes at `buf` with a clean-up function of the program. The batch calls it once, with the
/// address of the entry, when it releases the entry. NULL means none.
///
/// Returns 1, or 0 with the errno of `iob_addbuf`. If it fails, or if `n` is 0, nothing is queued and
/// `cleanup` is not called.
///
/// # Safety
/// `b` is NULL or a valid batch; `buf` and the clean-up function belong together.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addbuf_internal(
    b: *mut IoBatch,
    buf: *const c_void,
    n: u64,
    cleanup: Option<unsafe extern "C-unwind" fn(*mut IobEntry)>,
) -> c_int {
    guard_state(0, || {
        // SAFETY: the C caller's promise.
        let batch = unsafe { Batch::new(b) };
        one_or_zero(batch.and_then(|b| match n {
            0 => Ok(()),
            n => b.add(item::buffer(buf.cast(), n, cleanup)),
        }))
    })
}

/// Queues `n` bytes of the file `fd` from position `off`. The program keeps `fd` open until they are sent or
/// the batch is reset. The position of `fd` does not matter and does not move. 0 bytes are a success that
/// queues nothing.
///
/// Returns 1, or 0 with the errno of `iob_addbuf`. A bad `fd`, or a file that ends before `off` + `n`, is
/// noticed when it is sent. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addfile(b: *mut IoBatch, fd: i64, off: u64, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_file(b, fd, off, n, drop_window) }
}

/// Queues `n` bytes of the file `fd` from position `off`. `fd` belongs to the batch from now on. The batch
/// closes it, as `io_close` does, when everything is sent or it is reset; at once if the function fails or
/// `n` is 0. If you queue several pieces of one `fd`, use this function for the last one only.
///
/// Returns 1, or 0 with the errno of `iob_addbuf`. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addfile_close(b: *mut IoBatch, fd: i64, off: u64, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_file(b, fd, off, n, close_file) }
}

/// Releases every entry, in the order in which they were added, and leaves an empty batch that can be filled
/// again. What a clean-up function adds to the batch meanwhile stays queued. If a clean-up function leaves by
/// an exception, `pthread_exit` or `longjmp`, the next reset goes on with the entry after it. A filter may
/// reset its own batch; see `iob_write`.
///
/// Returns nothing and never fails; does nothing if `b` is NULL. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_reset(b: *mut IoBatch) {
    // SAFETY: the C caller's promise.
    match unsafe { Batch::new(b) } {
        Ok(batch) if !batch.is_pristine() => batch.reset(),
        _ => {}
    }
}

/// Releases every entry as `iob_reset` does, and frees the batch, which came from `iob_new` or
/// `iob_new_autofree`. What a clean-up function adds meanwhile is released as well.
///
/// Returns nothing and never fails; does nothing if `b` is NULL. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or came from `iob_new` or `iob_new_autofree`, and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_free(b: *mut IoBatch) {
    // SAFETY: the C caller's promise.
    if let (Ok(batch), Some(p)) = (unsafe { Batch::new(b) }, NonNull::new(b)) {
        batch.reset_for_good();
        // SAFETY: as above.
        unsafe { block::free_batch(p.cast(), size_of::<WideBatch>()) };
    }
}

/// Asks the kernel to read ahead the next `bytes` bytes of files in the batch. This is only a hint: it does
/// not wait for the disk and does not change the batch.
///
/// Returns nothing and never fails; does nothing if `b` is NULL. One thread at a time may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_prefetch(b: *mut IoBatch, bytes: u64) {
    guard_state((), || {
        // SAFETY: the C caller's promise.
        let _ = unsafe { Batch::new(b) }.map(|batch| prefetch::prefetch(batch, bytes));
    });
}

/// Returns the number of bytes that are queued and not sent yet, or 0 if `b` is NULL. One thread at a time
/// may use a batch.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_bytesleft(b: *const IoBatch) -> u64 {
    // SAFETY: the C caller's promise; the batch is only read.
    guard_state(0, || unsafe { Batch::new(b.cast_mut()) }.map_or(0, Batch::bytesleft))
}
