//! Sending a batch to a registered descriptor.

use super::STATE;
use crate::batch::Batch;
use crate::batch::plan::{Piece, Small};
use crate::batch::send::{self, Carrier};
use crate::fd::Fd;
use crate::interest::Direction;
use crate::outcome::{Outcome, Readiness};
use crate::sys::message::{self, Gather};
use crate::sys::thread::single_threaded;
use crate::xfer::{gather, sendfile};
use nix::errno::Errno;

/// One registered descriptor as the target of one call.
struct Target {
    fd: Fd,
}

/// Sends what `fd` takes, see [`send::send`]. `EBADF` if it is not registered.
pub(crate) fn send(fd: Fd, batch: Batch) -> Outcome<u64> {
    let mut state = STATE.lock();
    // As in `transfer`.
    state.touch(fd);
    let Some(e) = state.table.get(fd) else { return Err(Errno::EBADF.into()) };
    let followed = e.follows(Direction::Write);
    drop(state);
    let sent = send::send(&mut Target { fd }, batch);
    // Another thread may have made an event pending meanwhile.
    if followed || !single_threaded() {
        note(fd, sent.readiness);
    }
    sent.outcome
}

/// Has the reactor know what came of a send.
#[cold]
fn note(fd: Fd, readiness: Readiness) {
    STATE.lock().moved(fd, Direction::Write, readiness);
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

    fn push_held(&mut self) {
        message::push_held(self.fd);
    }
}
