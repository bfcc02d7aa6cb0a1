//! What the kernel has to be told, and when.
//!
//! * **What begins is told at once**, because the filter belongs to the file that is open at that moment: told later, it
//!   might watch what has come under the number since. Only the kernel can say that a number is not open, besides.
//! * **What ends is put off** to the next wait, or to the next change that is not, which takes it along: in front, so
//!   that what ended and begins again does begin. The kernel may have ended it itself by then, with the descriptor.
//! * **Nothing is put off while a thread sleeps** in a wait: it would be woken for what nobody wants any more.
//!
//! Each change may be told twice: a filter that is there is only marked anew, and one that is not there has ended. So
//! when a call fails, what it was to tell simply stays on the list.

use crate::backend::Token;
use crate::fd::Fd;
use crate::grow::Grow;
use crate::interest::{Direction, Interest, Trigger, Watch};
use crate::sys::kevent::{ADD, Answer, CHANGES, CLEAR, DELETE, Kevent};
use nix::errno::Errno;

/// What has been put off.
pub(super) struct Changes(Vec<Kevent>);

impl Changes {
    pub(super) const fn new() -> Changes {
        Changes(Vec::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what it takes to watch `new` instead of `old`.
    pub(super) fn add(&mut self, token: Token, old: Watch, new: Watch) -> Result<(), Errno> {
        let Step { ends, begins } = step(old, new);
        self.0.try_reserve(ends.count() + begins.count()).map_err(|_| Errno::ENOMEM)?;
        self.end(token, ends);
        let how = if new.trigger == Trigger::Edge { ADD | CLEAR } else { ADD };
        each(begins).for_each(|dir| self.0.put(Kevent::change(token.fd, dir, how, token.generation)));
        Ok(())
    }

    /// There is room for two.
    fn end(&mut self, token: Token, ends: Interest) {
        each(ends).for_each(|dir| self.0.put(Kevent::change(token.fd, dir, DELETE, token.generation)));
    }

    /// After a failure to watch `new` instead of `old`: none of it goes on.
    pub(super) fn give_up(&mut self, token: Token, old: Watch, new: Watch) {
        self.0.retain(|change| change.flags & ADD == 0);
        if self.0.try_reserve(2).is_ok() {
            self.end(token, new.interest - old.interest);
        }
    }

    /// Has `call` tell the kernel, in pieces, and takes off what was told. What became of the changes of `asker` is the
    /// answer; those of others were put off, and nobody waits for what becomes of them.
    pub(super) fn tell(
        &mut self,
        asker: Option<Fd>,
        mut call: impl FnMut(&[Kevent], &mut dyn FnMut(Kevent)) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut verdict = Ok(());
        while !self.0.is_empty() {
            let n = CHANGES.min(self.0.len());
            let mut hear = |entry: Kevent| {
                if asker == Some(entry.fd) && verdict.is_ok() {
                    verdict = judge(entry);
                }
            };
            match call(self.0.get(..n).unwrap_or_default(), &mut hear) {
                Ok(()) => drop(self.0.drain(..n)),
                // It may have told them: again.
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
        }
        verdict
    }

    /// The rest, to be told by a call that also waits; so few that it can. See [`Changes::told`].
    pub(super) fn rest(&self) -> &[Kevent] {
        self.0.get(..CHANGES.min(self.0.len())).unwrap_or_default()
    }

    /// So many from the front have been told.
    pub(super) fn told(&mut self, n: usize) {
        self.0.drain(..n.min(self.0.len()));
    }
}

/// Whether a change from `old` to `new` can be put off.
pub(super) fn can_wait(old: Watch, new: Watch) -> bool {
    step(old, new).begins.is_none()
}

struct Step {
    ends: Interest,
    begins: Interest,
}

/// Where something begins, all of it is told: what goes on may be a mistake of ours, of a number that was closed and
/// reused. A filter is for edges or not from its beginning.
fn step(old: Watch, new: Watch) -> Step {
    let is_edge = |watch: Watch| watch.trigger == Trigger::Edge;
    let anew = is_edge(old) != is_edge(new) && !new.is_none();
    let ends = if anew { old.interest } else { old.interest - new.interest };
    let goes_on = !anew && (new.interest - old.interest).is_none();
    Step { ends, begins: if goes_on { Interest::NONE } else { new.interest } }
}

fn each(of: Interest) -> impl Iterator<Item = Direction> {
    [Direction::Read, Direction::Write].into_iter().filter(move |&dir| of.has(dir))
}

/// What an entry says of a change.
fn judge(entry: Kevent) -> Result<(), Errno> {
    match entry.answer() {
        // What was to end had ended.
        Answer::Change(Err(Errno::ENOENT)) | Answer::Change(Ok(())) | Answer::Event(_) => Ok(()),
        // The other end of a pipe is gone: ready for good, which cannot be watched.
        Answer::Change(Err(Errno::EPIPE)) => Err(Errno::EPERM),
        Answer::Change(refused) => refused,
    }
}
