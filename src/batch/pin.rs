//! Memory of a batch that the kernel may still be reading.
//!
//! Memory that is sent without a copy must not be let go of before the kernel is done with it, which may be long after
//! the batch is done with it. So the clean-up of such an entry moves into a [`Pin`]: the entry has a share in it, and so
//! has each send under way, and the last share that goes runs it. Like everything else that belongs to an entry its
//! share moves with the batch; it lies in the `fd` field, for which a buffer has no use.

use crate::batch::item::{self, Cleanup, address};
use crate::ctypes::IobEntry;
use crate::sys::mem;
use nix::errno::Errno;
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A share in memory that is let go of when the last share goes.
#[derive(Debug)]
pub(crate) struct Pin(NonNull<Pinned>);

struct Pinned {
    shares: AtomicUsize,
    /// The kernel may read on, and nobody will hear when it ends.
    abandoned: AtomicBool,
    /// As it was when it was pinned, with its clean-up function.
    entry: IobEntry,
}

// SAFETY: shares are counted atomically, and only the last one touches the entry. Its memory is `malloc` memory or a
// mapping, which any thread may release.
unsafe impl Send for Pin {}

impl Pin {
    /// A share in the memory of the entry, which keeps one of its own.
    ///
    /// # Safety
    /// `e` points to an entry that [`may_be_pinned`].
    pub(crate) unsafe fn of(e: *mut IobEntry) -> Result<Pin, Errno> {
        // SAFETY: the caller vouches for the entry.
        unsafe {
            if !is_pinned(&*e) {
                let block = mem::realloc(ptr::null_mut(), size_of::<Pinned>())?.cast::<Pinned>();
                let entry = IobEntry { ..*e };
                block.write(Pinned { shares: AtomicUsize::new(1), abandoned: AtomicBool::new(false), entry });
                (*e).fd = block.as_ptr().expose_provenance() as i64;
                (*e).cleanup = Some(unpin);
            }
            // A handle on the entry's share, which stays.
            let mine = std::mem::ManuallyDrop::new(share(e));
            mine.pinned().shares.fetch_add(1, Ordering::Relaxed);
            Ok(Pin(mine.0))
        }
    }

    fn pinned(&self) -> &Pinned {
        // SAFETY: a share keeps it alive.
        unsafe { self.0.as_ref() }
    }

    /// Of a send under way nothing will be heard any more.
    pub(crate) fn abandon(&self) {
        self.pinned().abandoned.store(true, Ordering::Relaxed);
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if self.pinned().shares.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: this was the last share.
            unsafe { release(self.0) };
        }
    }
}

/// # Safety
/// Nobody has a share in it any more.
unsafe fn release(p: NonNull<Pinned>) {
    // SAFETY: the caller vouches for it.
    let pinned = unsafe { &mut *p.as_ptr() };
    let e = &mut pinned.entry;
    // What a mapping or a heap does with memory, it does not do with pages that the kernel holds; but a heap hands
    // out parts of pages. Only whole ones were sent, so it gets others in their place.
    let (start, n) = (e.buf.cast_mut().cast(), e.offset.wrapping_add(e.n) as usize);
    // SAFETY: the batch owns the memory, and has sent it.
    if *pinned.abandoned.get_mut() && unsafe { mem::part_with_pages(start, n) }.is_err() {
        // Locked memory (mlockall). Better lost than in two hands.
        return;
    }
    // SAFETY: the entry's only release; the block is ours.
    unsafe {
        item::release(e);
        mem::free(p.as_ptr().cast());
    }
}

/// The clean-up function of an entry that is pinned.
unsafe extern "C-unwind" fn unpin(e: *mut IobEntry) {
    // SAFETY: the batch calls it once, with an entry that `Pin::of` gave this function to.
    drop(unsafe { share(e) });
}

/// The share of the entry.
///
/// # Safety
/// `e` points to a pinned entry. Its share must not be dropped twice.
unsafe fn share(e: *const IobEntry) -> Pin {
    // SAFETY: the caller vouches for the entry, whose `fd` came from a pointer that was not NULL.
    unsafe { Pin(NonNull::new_unchecked(ptr::with_exposed_provenance_mut((*e).fd as usize))) }
}

fn is_pinned(e: &IobEntry) -> bool {
    e.cleanup.map(address) == Some(address(unpin))
}

/// Whether the batch owns the entry's memory in a way in which it can be kept for longer.
pub(crate) fn may_be_pinned(e: &IobEntry) -> bool {
    const OWNING: [Cleanup; 3] = [item::free_buffer, item::unmap_buffer, unpin];
    e.cleanup.is_some_and(|f| OWNING.map(address).contains(&address(f)))
}
