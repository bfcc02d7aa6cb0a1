//! The window on a file that a filter is offered. It is kept in the file's entry.
//!
//! The entry owns the window, also while the filter runs, because the filter may leave by a jump. So the window moves with
//! the batch, and a reset drops it; bytes of another file can never be offered in its place. The pointer is in `buf`, which
//! a file entry does not use. Entries that libowfat's code made may have anything there. Ours are recognised by their
//! clean-up function.

use crate::batch::item::{Cleanup, address};
use crate::ctypes::IobEntry;
use crate::fd::Fd;
use crate::outcome::Stop;
use crate::sys::guard::cancellable;
use crate::sys::mem;
use crate::sys::spare::Spare;
use crate::xfer::window::Window;
use nix::errno::Errno;
use std::ptr::{self, NonNull};

/// The clean-up function of a file entry that does not own its descriptor.
///
/// # Safety
/// `e` points to an entry that [`item::file`](crate::batch::item::file) made.
pub(crate) unsafe extern "C-unwind" fn drop_window(e: *mut IobEntry) {
    // SAFETY: the caller vouches for the entry; `buf` is NULL or what `offer` left, and is taken once.
    unsafe {
        let kept = ptr::replace(&raw mut (*e).buf, ptr::null()).cast_mut().cast::<Window>();
        if let Some(kept) = NonNull::new(kept) {
            give_up(kept);
        }
    }
}

/// The last window that was given up, kept with its memory for the next file.
static SPARE: Spare = Spare::new();

/// # Safety
/// A window that nobody uses any more.
unsafe fn give_up(window: NonNull<Window>) {
    // SAFETY: it is the caller's.
    unsafe { (*window.as_ptr()).forget() };
    if let Some(superfluous) = SPARE.leave(window.cast()) {
        // SAFETY: it came from `Box::new`, and nobody else has it.
        drop(unsafe { Box::from_raw(superfluous.cast::<Window>().as_ptr()) });
    }
}

fn new() -> Result<NonNull<Window>, Errno> {
    match SPARE.take() {
        Some(p) => Ok(p.cast()),
        None => mem::boxed(Window::default()).map(|new| NonNull::from(Box::leak(new))),
    }
}

/// Frees the spare window.
pub(super) fn shut_down() {
    if let Some(p) = SPARE.take() {
        // SAFETY: as in `give_up`.
        drop(unsafe { Box::from_raw(p.cast::<Window>().as_ptr()) });
    }
}

/// Whether the entry is one of ours; `closing` is the clean-up function of those that own their descriptor.
pub(crate) fn may_have_one(e: &IobEntry, closing: Cleanup) -> bool {
    e.cleanup.is_some_and(|f| [drop_window as Cleanup, closing].map(address).contains(&address(f)))
}

/// Where the file's next bytes are, and how many: at most `n` of `fd` from `off` on. They stay there until the entry is
/// released or [`settle`] lets them go.
///
/// # Safety
/// `e` points to an entry that [`item::file`](crate::batch::item::file) made.
#[inline(always)]
pub(crate) unsafe fn offer(e: *mut IobEntry, fd: i64, off: u64, n: u64) -> Result<(*const u8, u64), Stop> {
    // SAFETY: the caller vouches for the entry; `buf` is NULL or a window of ours.
    let held = unsafe { (*e).buf.cast::<Window>().as_ref() }.and_then(|window| window.held(off, n));
    match held {
        Some(bytes) => Ok((bytes.as_ptr(), bytes.len() as u64)),
        // SAFETY: as above.
        None => cancellable(|| unsafe { read(e, fd, off, n) }),
    }
}

/// [`offer`] of bytes that are not there yet.
///
/// # Safety
/// As for [`offer`].
#[inline(never)]
unsafe fn read(e: *mut IobEntry, fd: i64, off: u64, n: u64) -> Result<(*const u8, u64), Stop> {
    let file = Fd::new(fd)?;
    // SAFETY: the caller vouches for the entry; `buf` is NULL or a window of ours.
    let window = unsafe {
        if (*e).buf.is_null() {
            (*e).buf = new()?.as_ptr().cast_const().cast();
        }
        &mut *(*e).buf.cast_mut().cast::<Window>()
    };
    let bytes = window.at(file, off, n)?;
    Ok((bytes.as_ptr(), bytes.len() as u64))
}

/// Ends an offer. What begins at `refused_at` was not taken and stays. If everything was taken and nothing is `left` of the
/// entry, the window is given up.
///
/// # Safety
/// As for [`offer`].
pub(crate) unsafe fn settle(e: *mut IobEntry, refused_at: Option<u64>, left: u64) {
    // SAFETY: the caller vouches for the entry; `buf` is NULL or a window of ours.
    unsafe {
        match (refused_at, (*e).buf.cast_mut().cast::<Window>()) {
            (_, kept) if kept.is_null() => {}
            (Some(off), kept) => (*kept).keep(off),
            (None, _) if left == 0 => drop_window(e),
            (None, _) => {}
        }
    }
}
