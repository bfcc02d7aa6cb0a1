//! What is reported next: `io_canread`, `io_canwrite`, `io_timeouted`.

use super::Reactor;
use crate::fd::Fd;
use crate::interest::Direction;
use crate::time::Deadline;
use nix::errno::Errno;

impl Reactor {
    /// Pops the first pending event of a direction.
    pub(super) fn next(&mut self, dir: Direction) -> Option<u32> {
        let (queue, table) = self.queue(dir);
        let number = queue.pop(table)?;
        if dir == Direction::Write {
            // The program's word counts for one event.
            table.listed(number).can_write_hint = false;
        }
        Some(number)
    }

    pub(super) fn set_deadline(&mut self, fd: Fd, at: Deadline) -> Result<(), Errno> {
        let Some(e) = self.table.get(fd) else { return Ok(()) };
        let earlier = at < e.deadline;
        self.timer.set(&mut self.table, fd.index() as u32, at)?;
        if earlier && self.sleepers > 0 {
            self.wake_sleepers();
        }
        Ok(())
    }

    /// The deadline of `fd`; never for one that is not registered.
    pub(super) fn deadline(&mut self, fd: Fd) -> Deadline {
        self.table.get(fd).map_or(Deadline::NEVER, |e| e.deadline)
    }

    /// The next expired descriptor of the running sweep.
    pub(super) fn next_expired(&mut self, now: impl FnOnce() -> Deadline) -> Option<u32> {
        self.timer.sweep(&mut self.table, now)
    }
}
