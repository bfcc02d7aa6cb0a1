//! Sending a batch through a filter, a C function that encrypts or compresses, say.

use crate::batch::item::{self, Cleanup};
use crate::batch::{Batch, window};
use crate::ctypes::{FROM_FILE, IobEntry};
use crate::fd::Fd;
use crate::outcome::{Outcome, Stop};
use crate::xfer::file;
use nix::errno::Errno;
use std::ptr;

/// The program's side. Both may do anything with the library, this very batch included.
pub(crate) trait Filter {
    /// The descriptor that is passed through to the program's functions.
    fn target(&self) -> i64;
    /// Offers memory; the result is at most `n`.
    fn take(&mut self, bytes: *const u8, n: u64) -> Outcome;
    /// Offers a piece of a file; `None` if the program has no function for that.
    fn take_file(&mut self, fd: i64, off: u64, n: u64) -> Option<Outcome>;
}

/// Calls the filter until everything is taken, it takes less than it is offered, or something fails. Resets
/// the batch when nothing is left. `closing` is the clean-up function of file entries that own their
/// descriptor.
///
/// If the filter itself resets or sends the batch, the call ends there: what was taken is reported, the batch
/// stays as the filter left it.
pub(crate) fn write(batch: Batch, closing: Cleanup, filter: &mut impl Filter) -> Outcome {
    let mut total = 0;
    let stop = loop {
        if batch.bytesleft() == 0 {
            break None;
        }
        let Some((i, e)) = first_unsent(batch) else {
            // The fields contradict each other. Better an error than an endless 0.
            break Some(Stop::Failed(Errno::EINVAL));
        };
        let before = batch.bytesleft();
        let offer = offer(batch, i, &e, closing, filter);
        let (asked, taken) = match offer {
            Ok(offer) => offer,
            Err(stop) => break Some(stop),
        };
        total += taken as usize;
        if !still_there(batch, i, &e, before) {
            break None;
        }
        if taken > 0 {
            batch.consume(i, taken as usize);
        }
        if taken < asked {
            break None;
        }
    };
    match stop {
        Some(stop) if total == 0 => Err(stop),
        _ => Ok(total),
    }
}

/// The first entry with unsent bytes, as it is now.
fn first_unsent(batch: Batch) -> Option<(usize, IobEntry)> {
    let from = batch.next();
    batch.with_unsent(|entries| {
        let i = entries.iter().position(|e| e.n > 0)?;
        Some((from + i, IobEntry { ..entries[i] }))
    })
}

/// Makes one offer from entry `i`, which looks like `e`: bytes offered and bytes taken.
fn offer(
    batch: Batch,
    i: usize,
    e: &IobEntry,
    closing: Cleanup,
    filter: &mut impl Filter,
) -> Result<(u64, u64), Stop> {
    if e.kind != FROM_FILE {
        let taken = filter.take(e.buf.cast::<u8>().wrapping_add(e.offset as usize), e.n)?;
        return Ok((e.n, taken as u64));
    }
    if let Some(r) = filter.take_file(e.fd, e.offset, e.n) {
        return Ok((e.n, r? as u64));
    }
    let fd = Fd::new(e.fd)?;
    if !window::may_have_one(e, closing) {
        let target = filter.target();
        let r = file::feed(target, fd, e.offset, e.n, |bytes, n| filter.take(bytes, n as u64));
        return Ok((e.n, r? as u64));
    }
    // While the filter looks at the window it is ours, so that a reset from inside does not free it.
    // SAFETY: `may_have_one` says that it is an entry of `item::file`.
    let mut window = batch.entry(i).map_or_else(Default::default, |e| unsafe { window::take(e) });
    let bytes = window.at(fd, e.offset, e.n)?;
    let (bytes, n) = (ptr::from_ref(bytes).cast::<u8>(), bytes.len());
    let taken = filter.take(bytes, n as u64);
    if let Some(now) = batch.entry(i).filter(|_| taken != Ok(n) || (n as u64) < e.n) {
        // SAFETY: the entry is looked at while nothing else runs, and if it is the same as before the call it
        // is one of `item::file`.
        unsafe {
            if item::same(&*now, e) {
                window::put(now, window);
            }
        }
    }
    Ok((n as u64, taken? as u64))
}

/// Whether the entry is as it was before the filter ran. The filter may have added entries behind it.
fn still_there(batch: Batch, i: usize, e: &IobEntry, bytesleft: u64) -> bool {
    // SAFETY: a short look, during which nothing else runs.
    let unchanged = batch.entry(i).is_some_and(|now| item::same(unsafe { &*now }, e));
    unchanged && batch.next() <= i && batch.bytesleft() >= bytesleft
}
