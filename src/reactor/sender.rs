//! Sending a batch to a registered descriptor.

use super::{STATE, zerocopy};
use crate::batch::Batch;
use crate::batch::pin::Pin;
use crate::batch::plan::{Piece, Small, Ways};
use crate::batch::send::{self, Carrier};
use crate::buf::Source;
use crate::fd::Fd;
use crate::interest::Direction;
use crate::outcome::{Outcome, Readiness};
use crate::sys::guard::{guard, guard_state};
use crate::sys::message::{self, Gather};
use crate::sys::thread::single_threaded;
use crate::xfer::{gather, sendfile};
use nix::errno::Errno;

/// One registered descriptor as the target of one call.
struct Target {
    fd: Fd,
    without_copy: bool,
}

/// Sends what `fd` takes, see [`send::send`], registered or not.
pub(crate) fn send(fd: Fd, batch: Batch) -> Outcome<u64> {
    // Nothing in here is a cancellation point.
    let (followed, without_copy) = guard_state((true, false), || {
        let mut state = STATE.lock();
        // As in `transfer`.
        state.touch(fd);
        let registered = state.table.get(fd);
        let followed = registered.as_ref().is_some_and(|e| e.follows(Direction::Write));
        let without_copy = registered.is_some() && zerocopy::is_asked_for() && state.zerocopy.look(fd);
        (followed, without_copy)
    });
    // No guard and no lock here: clean-up functions run inside.
    let sent = send::send(&mut Target { fd, without_copy }, batch);
    // Another thread may have made an event pending meanwhile.
    if followed || without_copy || !single_threaded() {
        guard((), || note(fd, sent.readiness));
    }
    sent.outcome
}

/// Has the reactor know what came of a send.
#[cold]
fn note(fd: Fd, readiness: Readiness) {
    let mut state = STATE.lock();
    state.moved(fd, Direction::Write, readiness);
    let done = state.zerocopy.take_done();
    drop(state);
    drop(done);
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

    fn headed(&mut self, list: &Gather, Piece { fd, off, n }: Piece) -> Option<Outcome> {
        sendfile::send_headed(self.fd, list, Fd::new(fd).ok()?, off, n)
    }

    #[inline(always)]
    fn ways(&self) -> Ways {
        Ways { without_copy: self.without_copy, headed: message::SENDFILE_HAS_HEADERS }
    }

    fn pinned(&mut self, pin: Pin, piece: Source, more: bool) -> Option<Result<usize, Errno>> {
        let ticket = STATE.lock().zerocopy.begin(self.fd, pin);
        let sent = ticket.map(|ticket| {
            let sent = message::send_without_copy(self.fd, piece, more);
            STATE.lock().zerocopy.end(ticket, sent.is_ok());
            sent
        });
        // ENOBUFS: no more memory of this process may be locked, or no notice can be made (msg_zerocopy).
        let sent = sent.filter(|sent| *sent != Err(Errno::ENOBUFS));
        self.without_copy = sent.is_some();
        sent
    }

    fn push_held(&mut self, is_sure: bool) {
        message::push_held(self.fd, is_sure);
    }
}
