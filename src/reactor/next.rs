//! What is reported next: `io_canread`, `io_canwrite`, `io_timeouted`.

use super::{Reactor, hot};
use crate::fd::Fd;
use crate::interest::{Direction, Interest};
use crate::table::Rhythm;
use crate::time::Deadline;
use nix::errno::Errno;

impl Reactor {
    /// Pops the first pending event of a direction.
    #[inline]
    pub(super) fn next(&mut self, dir: Direction) -> Option<u32> {
        if self.has_rest() {
            match dir {
                Direction::Read => self.apply_next(),
                Direction::Write => self.apply_rest(),
            }
        }
        match dir {
            Direction::Read => self.readable.pop(&mut self.table, |number, e| {
                if e.is_plain_reader() {
                    hot::remember(number);
                } else {
                    hot::forget();
                }
                if e.rhythm == Rhythm::TakesTurns {
                    e.open |= Interest::READ;
                }
            }),
            Direction::Write => self.writable.pop(&mut self.table, |_, e| {
                hot::forget();
                e.fresh = 0;
                // The program's word counts for one event, and is no sign of how it works.
                if !std::mem::take(&mut e.can_write_hint) && e.rhythm == Rhythm::Unknown {
                    e.rhythm = Rhythm::Answering;
                }
            }),
        }
    }

    pub(super) fn set_deadline(&mut self, fd: Fd, at: Deadline) -> Result<(), Errno> {
        let Some(e) = self.table.get(fd) else { return Ok(()) };
        let earlier = at < e.deadline;
        self.timer.set(&mut self.table, fd.index() as u32, at)?;
        if earlier && self.sleepers.any() {
            self.wake_sleepers();
        }
        self.dismiss_sleepers();
        Ok(())
    }

    /// The deadline of `fd`; never for one that is not registered.
    pub(super) fn deadline(&mut self, fd: Fd) -> Deadline {
        self.table.get(fd).map_or(Deadline::NEVER, |e| e.deadline)
    }

    /// The next expired descriptor of the running sweep.
    pub(super) fn next_expired(&mut self, now: impl FnOnce() -> Deadline) -> Option<u32> {
        if self.has_rest() {
            self.apply_rest();
        }
        self.timer.sweep(&mut self.table, now)
    }
}
