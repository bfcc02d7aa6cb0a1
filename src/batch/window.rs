//! What a filter was offered of a file and did not take, kept in the file's entry.
//!
//! The entry is the right owner: it moves with the batch, and what resets the batch drops the window, so no
//! other file's bytes can ever be served in its place. The `buf` field, which a file entry does not need,
//! holds it. Entries that libowfat's own code made may have anything there; ours are known by their clean-up
//! function.

use crate::batch::item::{Cleanup, address};
use crate::ctypes::IobEntry;
use crate::sys::mem;
use crate::xfer::file::Window;
use std::ptr;

/// The clean-up function of a file entry that does not own its descriptor.
///
/// # Safety
/// `e` points to an entry that [`item::file`](crate::batch::item::file) made.
pub(crate) unsafe extern "C" fn drop_window(e: *mut IobEntry) {
    // SAFETY: the caller vouches for the entry.
    drop(unsafe { take(e) });
}

/// Whether the entry is one of ours; `closing` is the clean-up function of those that own their descriptor.
pub(crate) fn may_have_one(e: &IobEntry, closing: Cleanup) -> bool {
    e.cleanup.is_some_and(|f| [drop_window as Cleanup, closing].map(address).contains(&address(f)))
}

/// Takes the window out of the entry, if it has one.
///
/// # Safety
/// `e` points to an entry that [`item::file`](crate::batch::item::file) made.
pub(crate) unsafe fn take(e: *mut IobEntry) -> Option<Window> {
    // SAFETY: the caller vouches for the entry; `buf` is NULL or what `put` left, and is taken once.
    unsafe {
        let kept = ptr::replace(&raw mut (*e).buf, ptr::null()).cast_mut().cast::<Window>();
        if kept.is_null() { None } else { Some(*Box::from_raw(kept)) }
    }
}

/// Puts a window into an entry that has none. Without memory for that the filter is offered a fresh copy.
///
/// # Safety
/// `e` points to an entry that [`item::file`](crate::batch::item::file) made.
pub(crate) unsafe fn put(e: *mut IobEntry, window: Window) {
    // SAFETY: the caller vouches for the entry.
    let vacant = unsafe { (*e).buf.is_null() };
    if vacant && let Ok(room) = mem::boxed(window) {
        // SAFETY: as above.
        unsafe { (*e).buf = Box::into_raw(room).cast_const().cast() };
    }
}
