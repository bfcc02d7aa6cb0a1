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
    /// What was allowed to wait for more leaves now, because no more comes.
    fn push_held(&mut self);
}

/// Sends until everything is gone, the descriptor takes less than it is given, or something fails. A file
/// that ends before its piece does is `EIO`, once everything before the gap is sent. Resets the batch when
/// nothing is left.
pub(crate) fn send(to: &mut impl Carrier, batch: Batch) -> Sent {
    let mut list = Gather::new();
    let mut total = 0;
    let mut held = false;
    let (stop, readiness) = loop {
        if batch.bytesleft() == 0 {
            break (None, Readiness::Stands);
        }
        let mut from_file = false;
        let (asked, moved, more) = match batch.with_unsent(|entries| next_step(entries, &mut list)) {
            // The fields contradict each other. Better an error than an endless 0.
            Step::Nothing => break (Some(Stop::Failed(Errno::EINVAL)), Readiness::Unclear),
            Step::Buffers { more } => (list.bytes(), to.buffers(&list, more).map_err(Stop::from), more),
            Step::Around { small, more } => match to.around(&mut list, small, more) {
                Some(moved) => (list.bytes(), moved.map_err(Stop::from), more),
                None => {
                    list.truncate(small.gap);
                    (list.bytes(), to.buffers(&list, true).map_err(Stop::from), true)
                }
            },
            Step::File(piece) => {
                let moved = to.file(piece);
                if moved == Ok(0) {
                    // Older kernels hold the last segment of a file that ended early.
                    held = true;
                    break (Some(Stop::Failed(Errno::EIO)), Readiness::Unclear);
                }
                from_file = true;
                (sendfile::part(piece.n), moved, false)
            }
        };
        let readiness = match from_file {
            true => Readiness::after_file(moved, asked),
            false => Readiness::after(moved, asked),
        };
        match moved {
            Ok(k) => {
                total += k as u64;
                held = more && k == asked;
                batch.advance(k);
                if k < asked {
                    break (Some(Stop::Again), readiness);
                }
            }
            Err(stop) => break (Some(stop), readiness),
        }
    };
    if held {
        to.push_held();
    }
    let outcome = match stop {
        Some(stop) if total == 0 => Err(stop),
        _ => Ok(total),
    };
    Sent { outcome, readiness }
}
