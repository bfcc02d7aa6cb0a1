//! `iob_send`: connects the sending of a batch ([`send()`]) with the loop and the transfers.

use super::transfer::used;
use crate::batch::Batch;
use crate::batch::plan::{Piece, Small};
use crate::batch::send::{self, Carrier};
use crate::fd::Fd;
use crate::interest::Direction;
use crate::outcome::{Outcome, Readiness};
use crate::sys::message::{self, Gather};
use crate::xfer::{gather, sendfile};
use nix::errno::Errno;

/// The target of one call.
struct Target {
    fd: Fd,
}

/// Sends what `fd` takes, registered or not; see [`send::send`]. It may run clean-up functions of the program.
pub(crate) fn send(fd: Fd, batch: Batch) -> Outcome<u64> {
    let sent = send::send(&mut Target { fd }, batch);
    used(fd, Direction::Write, sent.readiness == Readiness::Stands);
    sent.outcome
}

impl Carrier for Target {
    fn buffers(&mut self, list: &Gather, more: bool) -> Result<usize, Errno> {
        gather::send(self.fd, list, more)
    }

    fn around(&mut self, list: &mut Gather, small: Small, more: bool) -> Option<Result<usize, Errno>> {
        let Small { gap, fd, off, n } = small;
        gather::send_around(self.fd, list, (gap, n), (Fd::new(fd).ok()?, off), more)
    }

    fn file(&mut self, Piece { fd, off, n }: Piece) -> Outcome {
        sendfile::send(self.fd, Fd::new(fd)?, off, n)
    }

    fn push_held(&mut self, is_sure: bool) {
        message::push_held(self.fd, is_sure);
    }

    fn drop_held(&mut self) -> bool {
        message::drop_held(self.fd)
    }
}
