//! `iob_write`: passes a batch to a filter, a C function of the program that encrypts or compresses, for example.

use crate::batch::item::Cleanup;
use crate::batch::{Batch, Look, Place, window};
use crate::ctypes::FROM_FILE;
use crate::fd::Fd;
use crate::outcome::{Outcome, Stop};
use crate::sys::guard::cancellable;
use crate::xfer::file;
use nix::errno::Errno;

/// The program's functions. They may call every function of the library, on this batch as well.
pub(crate) trait Filter {
    /// The descriptor that is handed to the program's functions.
    fn target(&self) -> i64;
    /// Offers `n` bytes. The result is at most `n`.
    fn take(&mut self, bytes: *const u8, n: u64) -> Outcome<u64>;
    /// Whether the program has a function for pieces of files.
    fn takes_files(&self) -> bool;
    /// Offers a piece of a file. The result is at most `n`.
    fn take_file(&mut self, fd: i64, off: u64, n: u64) -> Outcome<u64>;
}

/// Calls the filter until everything is taken, it takes less than it is offered, or something fails. Resets the batch when
/// nothing is left. `closing` is the clean-up function of file entries that own their descriptor.
///
/// If the filter resets or sends the batch, the call ends with the filter's answer, and the batch stays as the filter left
/// it. If the filter leaves by an exception or a jump, the batch is as it was before the filter was called.
#[inline(always)]
pub(crate) fn write(batch: Batch, closing: Cleanup, filter: &mut impl Filter) -> Outcome<u64> {
    let mut total = 0;
    let mut look = batch.begin_looking();
    let stop = loop {
        if batch.bytesleft() == 0 {
            break None;
        }
        let Some(mut place) = batch.first_unsent() else {
            // The program has changed fields so that they contradict each other. 0 would make it try for ever.
            break Some(Stop::Failed(Errno::EINVAL));
        };
        let (asked, answer) = if place.kind != FROM_FILE {
            (place.n, filter.take(place.bytes, place.n))
        } else {
            match offer_file(batch, &look, &mut place, closing, filter, &mut total) {
                Ok(offer) => offer,
                Err(stop) => break Some(stop),
            }
        };
        let taken = match answer {
            Ok(taken) => taken,
            Err(stop) => break Some(stop),
        };
        // It saturates, because a filter can queue more without end.
        total = u64::saturating_add(total, taken);
        let Some(e) = batch.still_there(&look, &place) else { break None };
        if !batch.consume(e, &place, taken) {
            batch.end_looking(look);
            batch.emptied();
            look = batch.begin_looking();
        }
        if taken < asked {
            break None;
        }
    };
    batch.end_looking(look);
    match stop {
        Some(stop) if total == 0 => Err(stop),
        _ => Ok(total),
    }
}

/// Offers a file entry, piece by piece, until one is refused or is the last. Returns the size of that piece and the answer.
/// The pieces before it are taken off the batch and added to `total`, and `place` is moved past them. Fails if no piece
/// could be offered.
#[inline(never)]
fn offer_file(
    batch: Batch,
    look: &Look,
    place: &mut Place,
    closing: Cleanup,
    filter: &mut impl Filter,
    total: &mut u64,
) -> Result<(u64, Outcome<u64>), Stop> {
    let Some(mut e) = batch.entry(place.i) else { return Err(Stop::Failed(Errno::EINVAL)) };
    // SAFETY: an entry of the array, of which no reference exists.
    let (fd, is_ours) = unsafe { ((*e).fd, window::may_have_one(&*e, closing)) };
    if filter.takes_files() {
        return Ok((place.n, filter.take_file(fd, place.offset, place.n)));
    }
    if !is_ours {
        let file = Fd::new(fd)?;
        let target = filter.target();
        let taken = file::feed(target, file, place.offset, place.n, |bytes, n| filter.take(bytes, n));
        return Ok((place.n, taken));
    }
    loop {
        // SAFETY: `may_have_one` says that it is an entry of `item::file`.
        let (bytes, asked) = match unsafe { window::offer_held(e, place.offset, place.n) } {
            Some(held) => held,
            None => {
                // SAFETY: as above.
                let offer = || unsafe { window::offer(e, fd, place.offset, place.n) };
                cancellable(offer)?
            }
        };
        let answer = filter.take(bytes, asked);
        let Some(now) = batch.still_there(look, place) else { return Ok((asked, answer)) };
        if answer == Ok(asked) && asked < place.n && asked < batch.bytesleft() {
            batch.consume(now, place, asked);
            (place.offset, place.n) = (place.offset.wrapping_add(asked), place.n - asked);
            *total = total.saturating_add(asked);
            e = now;
            continue;
        }
        let done = answer.unwrap_or(0);
        let refused_at = (done < asked).then(|| place.offset.wrapping_add(done));
        // SAFETY: it is the same entry, which `item::file` made.
        cancellable(|| unsafe { window::settle(now, refused_at, place.n.saturating_sub(done)) });
        return Ok((asked, answer));
    }
}
