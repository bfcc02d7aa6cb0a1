//! `iob_send`: sends a batch to a descriptor, in as many system calls as it takes.

use crate::batch::Batch;
use crate::batch::plan::{Piece, Small, Step, next_step};
use crate::outcome::{Outcome, Readiness, Stop};
use crate::sys::message::Gather;
use crate::xfer::sendfile;
use nix::errno::Errno;

/// The result of a call.
pub(crate) struct Sent {
    /// How many bytes of all entries were sent, or why none.
    pub(crate) outcome: Outcome<u64>,
    /// Whether the descriptor can still be written to.
    pub(crate) readiness: Readiness,
}

/// Makes the system calls. The tests have one that follows a script.
pub(crate) trait Carrier {
    fn buffers(&mut self, list: &Gather, more: bool) -> Result<usize, Errno>;
    /// Sends buffers around a small piece of a file; `None` if the piece has to be sent by itself.
    fn around(&mut self, list: &mut Gather, small: Small, more: bool) -> Option<Result<usize, Errno>>;
    fn file(&mut self, piece: Piece) -> Outcome;
    /// Has the kernel send what it holds back for more, because no more comes. `is_sure`: it does hold something back.
    fn push_held(&mut self, is_sure: bool);
    /// Drops a datagram of which the kernel holds a part back. False if the descriptor holds no parts of datagrams.
    fn drop_held(&mut self) -> bool;
}

/// The result of one system call, or two.
struct Moved {
    /// Bytes that were offered.
    asked: usize,
    /// Bytes that were sent.
    outcome: Outcome,
    /// Whether the kernel may hold the last of them back for more.
    more: bool,
    from_file: bool,
}

/// The result of one step.
enum Turn {
    /// The program has changed fields so that they contradict each other.
    Nothing,
    /// A file ends before the queued piece does.
    EndedEarly,
    Moved(Moved),
}

/// Sends until nothing is left, the descriptor takes less than it is given, or something fails. If a file ends before its
/// piece does, everything before the gap is sent and the result is `EIO`. Resets the batch when nothing is left. If a
/// datagram cannot be completed, no part of it counts as sent.
///
/// Clean-up functions run between the steps, where nothing is held, because they may leave by a jump.
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
            // 0 would make the program try for ever.
            Turn::Nothing => break (Some(Stop::Failed(Errno::EINVAL)), Readiness::Unclear),
            Turn::EndedEarly => {
                // Older kernels hold the last segment back if a file ended early.
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

/// Whether the file could not be read. The socket has what came before it.
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
