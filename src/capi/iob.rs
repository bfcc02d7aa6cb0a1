//! `iob.h`: making, filling and releasing batches.

use crate::batch::item::{self, Cleanup};
use crate::batch::window::drop_window;
use crate::batch::{Batch, block, prefetch};
use crate::capi::guard::{cancellable, guard_state};
use crate::capi::ret;
use crate::ctypes::{IoBatch, IobEntry, WideBatch};
use crate::event_loop;
use crate::fd::Fd;
use nix::errno::Errno;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::ptr::{self, NonNull};

/// Room is got in advance for this many entries at most, however many the program hints at.
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

/// Callers built for 0.32 pass an `int`, so the upper half of the register is not theirs.
fn make(hint: usize, autofree: bool) -> *mut IoBatch {
    let hint = u32::try_from(hint as i32).unwrap_or(0);
    match block::batch(size_of::<WideBatch>()) {
        Ok(block) => {
            let b = block.as_ptr().cast();
            // SAFETY: the block has the size of the wider structure. Without room in advance the batch works
            // as well, so that is no error here.
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
        // A number that was never open fails at the sends; there is nobody to tell here.
        let _ = Fd::new(fd).and_then(event_loop::close);
    });
}

/// # Safety
/// `b` is NULL or a valid batch, and `buf` fits the clean-up function.
#[inline(always)]
unsafe fn add_buffer(b: *mut IoBatch, buf: *const c_void, n: u64, cleanup: Option<Cleanup>) -> c_int {
    // SAFETY: the caller vouches for the batch.
    let batch = unsafe { Batch::new(b) };
    match batch {
        Ok(batch) if n > 0 && batch.add_quickly(item::buffer(buf.cast(), n, cleanup)) => 1,
        _ => add_slowly(batch, &item::buffer(buf.cast(), n, cleanup)),
    }
}

#[inline(never)]
fn add_slowly(batch: Result<Batch, Errno>, e: &IobEntry) -> c_int {
    cancellable(|| ret::one_or_zero(item::add_owned(batch, IobEntry { ..*e })))
}

/// # Safety
/// `b` is NULL or a valid batch, `s` is NULL or a string, and it fits the clean-up function.
unsafe fn add_string(b: *mut IoBatch, s: *const c_char, cleanup: Option<Cleanup>) -> c_int {
    if s.is_null() {
        return ret::one_or_zero(Err(Errno::EFAULT));
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
    // SAFETY: the caller vouches for the batch.
    let batch = unsafe { Batch::new(b) };
    match batch {
        Ok(batch)
            if n > 0
                && event_loop::is_registered_file(fd)
                && batch.add_quickly(item::file(fd, off, n, cleanup)) =>
        {
            1
        }
        _ => add_file_slowly(batch, &item::file(fd, off, n, cleanup)),
    }
}

#[inline(never)]
fn add_file_slowly(batch: Result<Batch, Errno>, e: &IobEntry) -> c_int {
    // An empty piece of an owned file is closed at once and never becomes known.
    if let (Ok(fd), true) = (Fd::new(e.fd), e.n > 0) {
        guard_state((), || event_loop::register_file(fd));
    }
    add_slowly(batch, e)
}

/// Makes a batch; `iob_free` releases it.
///
/// `hint_entries`: entries expected, only to save time; a senseless number does no harm.
/// Returns the batch, or NULL with errno `ENOMEM`. Like all `iob_` functions it may be called in any thread,
/// but only one thread at a time may use a given batch.
///
/// A batch need not come from here: 64 zero bytes are an empty batch.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn iob_new(hint_entries: usize) -> *mut IoBatch {
    guard_state(ptr::null_mut(), || make(hint_entries, false))
}

/// As `iob_new`; the batch lets go of each entry (frees, unmaps, closes) as soon as it is completely sent,
/// not when all are. After `iob_reset` it is a batch like any other. (libowfat 0.34)
#[unsafe(no_mangle)]
pub extern "C-unwind" fn iob_new_autofree(hint_entries: usize) -> *mut IoBatch {
    guard_state(ptr::null_mut(), || make(hint_entries, true))
}

/// Makes `*b` an empty batch, whatever was there before.
///
/// The structure must have the 72 bytes of this header; the `autofree` member is written. `hint_entries` as
/// for `iob_new`. Returns 0, or -1 with errno `ENOMEM` (the batch is empty and usable all the same) or
/// `EFAULT` (`b` is NULL). (libowfat 0.34)
///
/// # Safety
/// `b` is NULL or points to 72 writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_init(b: *mut IoBatch, hint_entries: usize) -> c_int {
    // SAFETY: the C caller's promise.
    guard_state(-1, || unsafe { init_result(b, false, hint_entries) })
}

/// As `iob_init`; the batch lets go of each entry as soon as it is completely sent. After `iob_reset` it is
/// a batch like any other. (libowfat 0.34)
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
    ret::or_minus_one(unsafe { init(b, autofree, hint) }.map(|()| 0)) as c_int
}

/// Queues `n` bytes at `buf`, which the program keeps alive and unchanged until they are sent or the batch is
/// reset.
///
/// `n` = 0 queues nothing and is a success. Returns 1, or 0 with errno `ENOMEM`, `EOVERFLOW` (more than
/// 2^64-1 bytes in the batch) or `EFAULT` (`b` is NULL); a failure changes nothing. A bad `buf` shows when it
/// is sent.
///
/// # Safety
/// `b` is NULL or a valid batch; `buf` as said.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addbuf(b: *mut IoBatch, buf: *const c_void, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_buffer(b, buf, n, None) }
}

/// As `iob_addbuf` for `malloc` memory that now belongs to the batch: it is passed to `free` when everything
/// is sent or the batch is reset, and at once if the function fails or `n` is 0.
///
/// # Safety
/// `b` is NULL or a valid batch; `buf` can be passed to `free`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addbuf_free(b: *mut IoBatch, buf: *const c_void, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_buffer(b, buf, n, Some(item::free_buffer)) }
}

/// As `iob_addbuf` for a mapping of `n` bytes that now belongs to the batch: it is unmapped when everything is
/// sent or the batch is reset, and at once if the function fails.
///
/// # Safety
/// `b` is NULL or a valid batch; `munmap(buf, n)` is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addbuf_munmap(b: *mut IoBatch, buf: *const c_void, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_buffer(b, buf, n, Some(item::unmap_buffer)) }
}

/// `iob_addbuf` of a string, without its terminating NUL. NULL is refused with `EFAULT`.
///
/// # Safety
/// `b` is NULL or a valid batch; `s` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_adds(b: *mut IoBatch, s: *const c_char) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_string(b, s, None) }
}

/// `iob_addbuf_free` of a string, without its terminating NUL. NULL is refused with `EFAULT`.
///
/// # Safety
/// `b` is NULL or a valid batch; `s` is NULL or a string that can be passed to `free`.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_adds_free(b: *mut IoBatch, s: *const c_char) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_string(b, s, Some(item::free_buffer)) }
}

/// Queues a buffer with a clean-up function of the program's own, which is called once with the entry's
/// address when the batch lets go of it (NULL: none).
///
/// If the function returns 0, or `n` is 0, the entry was not queued and the clean-up function is not called;
/// otherwise as `iob_addbuf`.
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
        ret::one_or_zero(batch.and_then(|b| match n {
            0 => Ok(()),
            n => b.add(item::buffer(buf.cast(), n, cleanup)),
        }))
    })
}

/// Queues `n` bytes of the file `fd` from position `off`. The program keeps `fd` open until they are sent or
/// the batch is reset; the file's own position does not matter.
///
/// Neither `fd` nor the size of the file is checked here: a bad descriptor, or a file that ends before
/// `off` + `n` (errno `EIO`), shows when it is sent. `n` = 0 queues nothing. Returns and errno as `iob_addbuf`.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addfile(b: *mut IoBatch, fd: i64, off: u64, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_file(b, fd, off, n, drop_window) }
}

/// As `iob_addfile` for a descriptor that now belongs to the batch: it is closed as by `io_close` when
/// everything is sent or the batch is reset, and at once if the function fails or `n` is 0.
///
/// Of several pieces of one file only the last may be queued with this function.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_addfile_close(b: *mut IoBatch, fd: i64, off: u64, n: u64) -> c_int {
    // SAFETY: the C caller's promise.
    unsafe { add_file(b, fd, off, n, close_file) }
}

/// Lets go of everything that is queued, in the order in which it was added, and leaves an empty batch that
/// can be filled again. Inside a filter function of this batch it ends the call of `iob_write`, as said there. What a
/// clean-up function adds to the batch meanwhile is queued in it. If a clean-up function leaves by an exception,
/// `pthread_exit` or `longjmp`, the next reset goes on behind it. NULL: nothing.
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

/// `iob_reset`, then `free`, for batches that came from `iob_new` or `iob_new_autofree`. What clean-up functions add
/// meanwhile is let go of, too. NULL: nothing.
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

/// Asks the kernel to read ahead the next `bytes` bytes of queued file content. Only a hint: it never fails,
/// waits for the disk or changes the batch. NULL: nothing.
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

/// The bytes that are queued and not yet sent; 0 for NULL.
///
/// # Safety
/// `b` is NULL or a valid batch.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn iob_bytesleft(b: *const IoBatch) -> u64 {
    // SAFETY: the C caller's promise; the batch is only read.
    guard_state(0, || unsafe { Batch::new(b.cast_mut()) }.map_or(0, Batch::bytesleft))
}
