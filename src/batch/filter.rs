//! Sending a batch through a filter, a C function that encrypts or compresses, say.

use crate::batch::item::Cleanup;
use crate::batch::{AUTOFREE, Batch, window};
use crate::ctypes::{FROM_FILE, IobEntry};
use crate::fd::Fd;
use crate::outcome::{Outcome, Stop};
use crate::xfer::file::{self, Window};
use nix::errno::Errno;
use std::{mem, ptr};

/// In `headroom` of the array while the filter looks at an entry. A reset writes over it, so it shows even if the
/// filter then queues an entry that looks like the old one.
const LOOKING: usize = 0x6f77_6c6b;

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
/// If the filter itself resets or sends the batch, the call ends there: what the filter says it took is reported,
/// the batch stays as the filter left it.
pub(crate) fn write(batch: Batch, closing: Cleanup, filter: &mut impl Filter) -> Outcome {
    let mut total = 0;
    let mut window = Window::default();
    let stop = loop {
        if batch.bytesleft() == 0 {
            break None;
        }
        let Some((i, e)) = first_unsent(batch) else {
            // The fields contradict each other. Better an error than an endless 0.
            break Some(Stop::Failed(Errno::EINVAL));
        };
        let offer = if e.kind != FROM_FILE {
            let bytes = e.buf.cast::<u8>().wrapping_add(e.offset as usize);
            let (taken, still_there) = watched(batch, i, &e, || filter.take(bytes, e.n));
            Offer { asked: e.n, taken, still_there }
        } else {
            match offer_file(batch, i, &e, closing, &mut window, filter) {
                Ok(offer) => offer,
                Err(stop) => break Some(stop),
            }
        };
        let taken = match offer.taken {
            Ok(taken) => taken,
            Err(stop) => break Some(stop),
        };
        total += taken;
        if !offer.still_there {
            break None;
        }
        if taken > 0 {
            batch.consume(i, taken);
        }
        if (taken as u64) < offer.asked {
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

/// One call of the filter.
struct Offer {
    asked: u64,
    taken: Outcome,
    /// The entry is as it was before the call.
    still_there: bool,
}

/// Makes one offer from file entry `i`, which looks like `e`. Fails if there is nothing to offer. `window` is empty
/// before and after; its memory serves all entries of a call.
fn offer_file(
    batch: Batch,
    i: usize,
    e: &IobEntry,
    closing: Cleanup,
    window: &mut Window,
    filter: &mut impl Filter,
) -> Result<Offer, Stop> {
    if let (Some(taken), still_there) = watched(batch, i, e, || filter.take_file(e.fd, e.offset, e.n)) {
        return Ok(Offer { asked: e.n, taken, still_there });
    }
    let fd = Fd::new(e.fd)?;
    if !window::may_have_one(e, closing) {
        let target = filter.target();
        let feed = || file::feed(target, fd, e.offset, e.n, |bytes, n| filter.take(bytes, n as u64));
        let (taken, still_there) = watched(batch, i, e, feed);
        return Ok(Offer { asked: e.n, taken, still_there });
    }
    // While the filter looks at the window it is ours, so that a reset from inside does not free it.
    // SAFETY: `may_have_one` says that it is an entry of `item::file`.
    if let Some(kept) = batch.entry(i).and_then(|e| unsafe { window::take(e) }) {
        *window = kept;
    }
    let bytes = window.at(fd, e.offset, e.n)?;
    let (bytes, n) = (ptr::from_ref(bytes).cast::<u8>(), bytes.len());
    let (taken, still_there) = watched(batch, i, e, || filter.take(bytes, n as u64));
    if still_there
        && taken != Ok(n)
        && let Some(now) = batch.entry(i)
    {
        // SAFETY: it is the entry of before, one of `item::file`.
        unsafe { window::put(now, mem::take(window)) };
    }
    window.clear();
    Ok(Offer { asked: n as u64, taken, still_there })
}

/// Lets the filter look at entry `i`, which looks like `e`. Also tells whether it is still there, as it was: the
/// filter may have added entries behind it.
fn watched<R>(batch: Batch, i: usize, e: &IobEntry, look: impl FnOnce() -> R) -> (R, bool) {
    let before = batch.with_array(|b| mem::replace(&mut b.headroom, LOOKING));
    let answer = look();
    let not_reset = batch.with_array(|b| {
        let not_reset = b.headroom == LOOKING;
        // The mark of a call further out must not come back after a reset.
        if not_reset || before == AUTOFREE {
            b.headroom = before;
        }
        not_reset
    });
    // Without a reset an entry only changes by being sent.
    // SAFETY: a short look, during which nothing else runs.
    let unchanged = not_reset
        && batch.entry(i).is_some_and(|now| unsafe { (*now).offset == e.offset && (*now).n == e.n });
    (answer, unchanged && batch.next() <= i)
}
