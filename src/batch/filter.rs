//! Sending a batch through a filter, a C function that encrypts or compresses, say.

use crate::batch::item::Cleanup;
use crate::batch::{Batch, window};
use crate::ctypes::FROM_FILE;
use crate::fd::Fd;
use crate::outcome::{Outcome, Stop};
use crate::sys::A_BUG;
use crate::sys::guard::guard;
use crate::xfer::file;
use nix::errno::Errno;
use std::ffi::c_int;

/// The program's side. Both may do anything with the library, this very batch included.
pub(crate) trait Filter {
    /// The descriptor that is passed through to the program's functions.
    fn target(&self) -> i64;
    /// Offers memory; the result is at most `n`.
    fn take(&mut self, bytes: *const u8, n: u64) -> Outcome<u64>;
    /// Whether the program has a function for pieces of files.
    fn takes_files(&self) -> bool;
    /// Offers a piece of a file, as [`Filter::take`] memory.
    fn take_file(&mut self, fd: i64, off: u64, n: u64) -> Outcome<u64>;
}

/// Calls the filter until everything is taken, it takes less than it is offered, or something fails. Resets
/// the batch when nothing is left. `closing` is the clean-up function of file entries that own their
/// descriptor.
///
/// If the filter itself resets or sends the batch, the call ends there: what the filter says it took is reported,
/// the batch stays as the filter left it. If the filter never returns, the batch is as it was before the call.
pub(crate) fn write(batch: Batch, closing: Cleanup, filter: &mut impl Filter) -> Outcome<u64> {
    let mut total = 0;
    let stop = loop {
        if batch.bytesleft() == 0 {
            break None;
        }
        let Some((place, kind, bytes)) = first_unsent(batch) else {
            // The fields contradict each other. Better an error than an endless 0.
            break Some(Stop::Failed(Errno::EINVAL));
        };
        let offer = if kind != FROM_FILE {
            let (taken, still_there) = watched(batch, &place, || filter.take(bytes, place.n));
            Ok(Offer { asked: place.n, taken, still_there })
        } else {
            offer_file(batch, &place, closing, filter)
        };
        let (asked, taken, still_there) = match offer {
            Ok(Offer { asked, taken: Ok(taken), still_there }) => (asked, taken, still_there),
            Ok(Offer { taken: Err(stop), .. }) | Err(stop) => break Some(stop),
        };
        // More than fits, if the filter queues more.
        total = u64::saturating_add(total, taken);
        if !still_there {
            break None;
        }
        batch.consume(place.i, place.n, taken);
        if taken < asked {
            break None;
        }
    };
    match stop {
        Some(stop) if total == 0 => Err(stop),
        _ => Ok(total),
    }
}

/// An entry and how far it has been sent.
struct Place {
    i: usize,
    offset: u64,
    n: u64,
}

/// The first entry with unsent bytes, with its kind and, if it is a buffer, where the bytes are.
#[inline(always)]
fn first_unsent(batch: Batch) -> Option<(Place, c_int, *const u8)> {
    let mut i = batch.next();
    loop {
        // SAFETY: an entry of the array, looked at while nothing else runs.
        let e = unsafe { &*batch.entry(i)? };
        if e.n > 0 {
            let place = Place { i, offset: e.offset, n: e.n };
            return Some((place, e.kind, e.buf.cast::<u8>().wrapping_add(e.offset as usize)));
        }
        i += 1;
    }
}

/// One call of the filter.
struct Offer {
    asked: u64,
    taken: Outcome<u64>,
    /// The entry is as it was before the call.
    still_there: bool,
}

/// Makes one offer from a file entry. Fails if there is nothing to offer.
#[inline(never)]
fn offer_file(
    batch: Batch,
    place: &Place,
    closing: Cleanup,
    filter: &mut impl Filter,
) -> Result<Offer, Stop> {
    let Some(e) = batch.entry(place.i) else { return Err(Stop::Failed(Errno::EINVAL)) };
    // SAFETY: an entry of the array, of which no reference exists.
    let (fd, is_ours) = unsafe { ((*e).fd, window::may_have_one(&*e, closing)) };
    if filter.takes_files() {
        let (taken, still_there) = watched(batch, place, || filter.take_file(fd, place.offset, place.n));
        return Ok(Offer { asked: place.n, taken, still_there });
    }
    if !is_ours {
        let file = Fd::new(fd)?;
        let target = filter.target();
        let feed = || file::feed(target, file, place.offset, place.n, |bytes, n| filter.take(bytes, n));
        let (taken, still_there) = watched(batch, place, feed);
        return Ok(Offer { asked: place.n, taken, still_there });
    }
    // SAFETY: `may_have_one` says that it is an entry of `item::file`.
    let offered = guard(Err(A_BUG.0.into()), || unsafe { window::offer(e, fd, place.offset, place.n) });
    let (bytes, asked) = offered?;
    let (taken, still_there) = watched(batch, place, || filter.take(bytes, asked));
    if let (true, Some(e)) = (still_there, batch.entry(place.i)) {
        let done = taken.unwrap_or(0);
        let refused_at = (done < asked).then(|| place.offset.wrapping_add(done));
        // SAFETY: it is the entry of before, one of `item::file`.
        guard((), || unsafe { window::settle(e, refused_at, place.n.saturating_sub(done)) });
    }
    Ok(Offer { asked, taken, still_there })
}

/// Lets the filter look at an entry. Also tells whether it is still there, as it was: the filter may have added
/// entries behind it.
#[inline(always)]
fn watched<R>(batch: Batch, place: &Place, look: impl FnOnce() -> R) -> (R, bool) {
    let (answer, not_reset) = batch.marked(look);
    // Without a reset an entry only changes by being sent.
    let unchanged = not_reset
        && batch.next() <= place.i
        // SAFETY: a short look, during which nothing else runs.
        && batch.entry(place.i).is_some_and(|e| unsafe { (*e).offset == place.offset && (*e).n == place.n });
    (answer, unchanged)
}
