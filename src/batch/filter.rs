//! `iob_write`: passes a batch to a filter, a C function of the program that encrypts or compresses, for example.

use crate::batch::item::Cleanup;
use crate::batch::{Batch, Look, Place, window};
use crate::ctypes::{FROM_FILE, IobEntry};
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
    let mut total: u64 = 0;
    let mut look = batch.begin_looking();
    let stop = loop {
        if batch.bytesleft() == 0 {
            break None;
        }
        let Some((place, e)) = batch.first_unsent() else {
            // The program has changed fields so that they contradict each other. 0 would make it try for ever.
            break Some(Stop::Failed(Errno::EINVAL));
        };
        // SAFETY: an entry of the array, of which no reference exists.
        let (is_file, bytes, n) = unsafe {
            ((*e).kind == FROM_FILE, (*e).buf.cast::<u8>().wrapping_add((*e).offset as usize), (*e).n)
        };
        // Clean-up functions may have run.
        look.now = batch.marks();
        let (asked, answer) = if is_file {
            let offer = offer_file(batch, (place, e), closing, filter, look);
            total = total.saturating_add(offer.before);
            (offer.asked, offer.answer)
        } else {
            (n, filter.take(bytes, n))
        };
        let taken = match answer {
            Ok(taken) => taken,
            Err(stop) => break Some(stop),
        };
        // It saturates, because a filter can queue more without end.
        total = total.saturating_add(taken);
        let Some(e) = batch.still_there(look, place) else { break None };
        batch.consume(place, e, taken);
        if taken < asked {
            break None;
        }
    };
    batch.end_looking(look, total);
    match stop {
        Some(stop) if total == 0 => Err(stop),
        _ => Ok(total),
    }
}

/// What came of a file entry: how many bytes were taken before the last piece and are counted off the batch, and that one.
struct Offer {
    before: u64,
    asked: u64,
    answer: Outcome<u64>,
}

/// Offers a file entry, piece by piece, until one is refused or is the last.
#[inline(never)]
fn offer_file(
    batch: Batch,
    (place, mut e): (Place, *mut IobEntry),
    closing: Cleanup,
    filter: &mut impl Filter,
    look: Look,
) -> Offer {
    // SAFETY: an entry of the array, of which no reference exists.
    let (fd, mut off, mut n) = unsafe { ((*e).fd, (*e).offset, (*e).n) };
    if filter.takes_files() {
        return Offer { before: 0, asked: n, answer: filter.take_file(fd, off, n) };
    }
    // SAFETY: as above.
    if !unsafe { window::may_have_one(&*e, closing) } {
        let target = filter.target();
        let feed = |file| file::feed(target, file, off, n, |bytes, n| filter.take(bytes, n));
        return Offer { before: 0, asked: n, answer: Fd::new(fd).map_err(Stop::from).and_then(feed) };
    }
    let mut before: u64 = 0;
    loop {
        // SAFETY: `may_have_one` says that it is an entry of `item::file`.
        let (bytes, asked) = match unsafe { window::offer(e, fd, off, n) } {
            Ok(piece) => piece,
            Err(stop) => return Offer { before, asked: n, answer: Err(stop) },
        };
        let answer = filter.take(bytes, asked);
        let Some(now) = batch.still_there(look, place) else { return Offer { before, asked, answer } };
        if answer == Ok(asked) && asked < n {
            batch.take_off(now, asked);
            (e, off, n) = (now, off.wrapping_add(asked), n - asked);
            before = before.saturating_add(asked);
            continue;
        }
        let done = answer.unwrap_or(0);
        let refused_at = (done < asked).then(|| off.wrapping_add(done));
        // SAFETY: it is the same entry, which `item::file` made.
        cancellable(|| unsafe { window::settle(now, refused_at, n.saturating_sub(done)) });
        return Offer { before, asked, answer };
    }
}
