//! Sending a batch to a descriptor.

use crate::batch::Batch;
use crate::batch::plan::{Piece, Small, Step, next_step};
use crate::outcome::{Outcome, Readiness, Stop};
use crate::sys::message::Gather;
use crate::xfer::sendfile;
use nix::errno::Errno;

/// What a call came to.
pub(crate) struct Sent {
    /// Bytes sent over all entries, or why none.
    pub(crate) outcome: Outcome<u64>,
    /// Of the descriptor, to be written to.
    pub(crate) readiness: Readiness,
}

/// Where the bytes go; the tests have one that follows a script.
pub(crate) trait Carrier {
    fn buffers(&mut self, list: &Gather, more: bool) -> Result<usize, Errno>;
    /// Buffers around a small piece of a file; `None` if that has to be sent by itself.
    fn around(&mut self, list: &mut Gather, small: Small, more: bool) -> Option<Result<usize, Errno>>;
    fn file(&mut self, piece: Piece) -> Outcome;
    /// What was allowed to wait for more leaves now, because no more comes. `is_sure`: there is something that waits.
    fn push_held(&mut self, is_sure: bool);
    /// A packet, of which a part waits for more, is dropped as a whole. False: the descriptor sends no packets in parts.
    fn drop_held(&mut self) -> bool;
}

/// What one call of the kernel, or two, came to.
struct Moved {
    /// Bytes that were offered.
    asked: usize,
    /// Bytes that went.
    outcome: Outcome,
    /// The last of them were allowed to wait for more.
    more: bool,
    from_file: bool,
}

/// One step.
enum Turn {
    /// The fields contradict each other.
    Nothing,
    /// A file has no more bytes, and should.
    EndedEarly,
    Moved(Moved),
}

/// Sends until everything is gone, the descriptor takes less than it is given, or something fails. A file
/// that ends before its piece does is `EIO`, once everything before the gap is sent. Resets the batch when
/// nothing is left. Of a packet that does not get whole no part counts as sent.
///
/// Clean-up functions run between the steps, where nothing is held: they may never come back.
pub(crate) fn send(to: &mut impl Carrier, batch: Batch) -> Sent {
    let mut total = 0;
    let mut held = false;
    let mut ended_early = false;
    let mut begin = batch.mark();
    let (stop, readiness) = loop {
        if batch.bytesleft() == 0 {
            break (None, Readiness::Stands);
        }
        if !held {
            begin = batch.mark();
        }
        let Moved { asked, outcome, more, from_file } = match take_turn(to, batch) {
            Turn::Moved(moved) => moved,
            // Better an error than an endless 0.
            Turn::Nothing => break (Some(Stop::Failed(Errno::EINVAL)), Readiness::Unclear),
            Turn::EndedEarly => {
                // Older kernels hold the last segment of a file that ended early.
                ended_early = true;
                break (Some(Stop::Failed(Errno::EIO)), Readiness::Unclear);
            }
        };
        let readiness = match from_file {
            true => Readiness::after_file(outcome, asked),
            false => Readiness::after(outcome, asked),
        };
        match outcome {
            Ok(k) => {
                total += k as u64;
                held = more && k == asked;
                batch.advance(k);
                if !held {
                    batch.release_since(begin);
                }
                if k < asked {
                    break (Some(Stop::Again), readiness);
                }
            }
            Err(stop) => {
                if held && !(from_file && is_of_the_file(stop)) && to.drop_held() {
                    total -= batch.back_to(begin);
                    held = false;
                }
                break (Some(stop), readiness);
            }
        }
    };
    if held || ended_early {
        to.push_held(held);
        batch.release_since(begin);
    }
    let outcome = match stop {
        Some(stop) if total == 0 => Err(stop),
        _ => Ok(total),
    };
    Sent { outcome, readiness }
}

/// Whether it was the file that could not be read: the socket has what went before.
#[cold]
fn is_of_the_file(stop: Stop) -> bool {
    matches!(stop, Stop::Failed(Errno::EBADF | Errno::EINVAL | Errno::EIO | Errno::ESPIPE | Errno::EISDIR))
}

#[inline(always)]
fn take_turn(to: &mut impl Carrier, batch: Batch) -> Turn {
    let mut list = Gather::new();
    let moved = |asked, outcome, more, from_file| Turn::Moved(Moved { asked, outcome, more, from_file });
    match batch.with_unsent(|entries| next_step(entries, &mut list)) {
        Step::Nothing => Turn::Nothing,
        Step::Buffers { more } => {
            moved(list.bytes(), to.buffers(&list, more).map_err(Stop::from), more, false)
        }
        Step::Around { small, more } => match to.around(&mut list, small, more) {
            Some(went) => moved(list.bytes(), went.map_err(Stop::from), more, false),
            None => {
                list.truncate(small.gap);
                moved(list.bytes(), to.buffers(&list, true).map_err(Stop::from), true, false)
            }
        },
        Step::File(piece) => match to.file(piece) {
            Ok(0) => Turn::EndedEarly,
            outcome => moved(sendfile::part(piece.n), outcome, false, true),
        },
    }
}
