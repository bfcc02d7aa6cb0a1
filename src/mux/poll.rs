//! The queue where there is no epoll: a list of what is armed, which is found by the number of `ctx`, and poll(2).
//!
//! Each thread that waits sleeps in poll(2) on everything that is armed and on a pipe, whose read end is `ctx`. A thread
//! that changes the list writes a byte to the pipe. The next thread that begins a sleep reads the byte and becomes the leader:
//! it sleeps on the new list, while the others may go on sleeping on an older one. A leader that stops writes a byte again. An
//! event that a thread finds counts only if the list still has it.

use super::kernel::Taken;
use crate::backend::{Probe, Token};
use crate::fd::Fd;
use crate::interest::Interest;
use crate::mode::FileKind;
use crate::sorted::Sorted;
use crate::sys::lock::ForkLock;
use crate::sys::mode::{Identity, identity, is_path_only, who};
use crate::sys::poll::NVAL;
use crate::sys::shared::Shared;
use crate::sys::thread::this_thread;
use crate::sys::waker::Waker;
use crate::time::{Moment, Span};
use nix::errno::Errno;
use std::ffi::c_int;
use std::mem;

/// The queues of this process, by `ctx`.
static QUEUES: ForkLock<Sorted<Fd, Shared<Queue>>> = ForkLock::new(Sorted::new());

const NOBODY: usize = 0;

pub(super) struct Queue {
    waker: Waker,
    list: ForkLock<List>,
}

struct List {
    entries: Sorted<Fd, Entry>,
    /// The next look begins with this number, so that nobody starves.
    start: Fd,
    /// The generation of the last entry that was armed.
    generation: u32,
    /// How many threads are in a wait.
    sleepers: usize,
    /// The thread that leads, or [`NOBODY`].
    leader: usize,
    /// There is an unread byte in the pipe.
    has_note: bool,
}

/// A descriptor that was added.
#[derive(Clone, Copy)]
struct Entry {
    /// Which file was added. The number may be another file's by now.
    file: Identity,
    generation: u32,
    /// What it is armed for; `None` once its event was taken.
    armed: Option<Interest>,
}

/// Opens a queue. Returns its `ctx`, and the number and the file of the pipe's other end. Frees queues whose `ctx` was
/// closed.
pub(super) fn create() -> Result<(Fd, Fd, Identity), Errno> {
    let mut queues = QUEUES.lock();
    queues.retain(|_, queue| queue.waker.confirm() != Err(Errno::EBADF));
    let waker = Waker::open_pipe()?;
    let (ctx, (write, file)) = (waker.fd(), waker.pipe());
    let list = List {
        entries: Sorted::new(),
        start: ctx,
        generation: 0,
        sleepers: 0,
        leader: NOBODY,
        has_note: false,
    };
    // Its drop closes the pipe if there is no memory.
    let queue = Shared::new(Queue { waker, list: ForkLock::new(list) })?;
    queues.get_or_insert_with(ctx, || queue)?;
    Ok((ctx, write, file))
}

/// Frees the queues whose `ctx` was closed.
pub(super) fn shut_down() {
    let mut queues = QUEUES.lock();
    queues.retain(|_, queue| queue.waker.is_pipe());
    if queues.len() == 0 {
        *queues = Sorted::new();
    }
}

/// The queue of `ctx`. `EBADF` if it was closed, `EINVAL` if another process opened it.
pub(super) fn find(ctx: Fd) -> Result<Shared<Queue>, Errno> {
    let found = QUEUES.lock().get_mut(ctx).map(|queue| queue.clone());
    match found {
        Some(queue) => queue.waker.confirm().map(|()| queue),
        None => identity(ctx).and(Err(Errno::EINVAL)),
    }
}

/// Wakes every thread, after the multiplexer was marked as aborted. Takes no lock, so a signal handler may call it.
pub(super) fn wake(ctx: Fd, write: Fd, inode: u32) -> Result<(), Errno> {
    let file = identity(ctx)?;
    let waker = Waker::of_pipe(ctx, write, file);
    if file.inode as u32 != inode {
        return Err(Errno::EBADF);
    }
    waker.confirm().map(|()| waker.wake())
}

/// For a new child process. It forgets the queues, because their pipes wake threads of the parent.
pub(super) fn in_child() {
    QUEUES.in_child(|queues, _| mem::forget(mem::replace(queues, Sorted::new())));
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.waker.close();
    }
}

impl Queue {
    pub(super) fn arm(&self, fd: Fd, interest: Interest) -> Result<(), Errno> {
        self.put(fd, interest, false)
    }

    /// `ENOENT`: the file that `fd` is now was never added.
    pub(super) fn arm_again(&self, fd: Fd, interest: Interest) -> Result<(), Errno> {
        self.put(fd, interest, true)
    }

    /// Fails with the errno that epoll_ctl(2) would give.
    fn put(&self, fd: Fd, interest: Interest, was_added: bool) -> Result<(), Errno> {
        let (kind, file) = who(fd)?;
        match kind {
            _ if self.waker.has_number(fd) => return Err(Errno::EINVAL),
            _ if is_path_only(fd) => return Err(Errno::EBADF),
            FileKind::Regular => return Err(Errno::EPERM),
            _ => {}
        }
        let mut list = self.list.lock();
        if was_added && list.entries.get_mut(fd).is_none_or(|entry| entry.file != file) {
            return Err(Errno::ENOENT);
        }
        let entry = Entry { file, generation: list.generation.wrapping_add(1), armed: Some(interest) };
        *list.entries.get_or_insert_with(fd, || entry)? = entry;
        list.generation = entry.generation;
        if list.leader != NOBODY {
            self.note_change(&mut list);
        }
        Ok(())
    }

    /// Takes one event. Waits up to `slice` milliseconds for it, without limit if that is negative.
    pub(super) fn take(&self, slice: c_int, is_aborted: impl Fn() -> bool) -> Result<Option<Taken>, Errno> {
        let end = u64::try_from(slice).ok().map(|ms| Moment::now().after(Span::millis(ms)));
        let mut probe = Probe::new();
        let _sleeper = (slice != 0).then(|| Sleeper::begin(self));
        loop {
            let mut list = self.list.lock();
            if slice != 0 {
                self.catch_up(&mut list, &is_aborted);
            }
            list.ask(&mut probe)?;
            drop(list);
            let left = end.map_or(Span::FOREVER, Moment::left);
            probe.ask(Some(self.waker.fd()), left)?;
            if is_aborted() {
                return Ok(Some(Taken::Woken));
            }
            if let Some(event) = self.list.lock().take(&probe) {
                return Ok(Some(event));
            }
            if left == Span::ZERO {
                return Ok(None);
            }
            self.waker.confirm()?;
        }
    }

    /// Called before this thread sleeps on the current list. The first thread after a change becomes the leader.
    fn catch_up(&self, list: &mut List, is_aborted: impl Fn() -> bool) {
        if mem::take(&mut list.has_note) {
            self.waker.drain();
            list.leader = NOBODY;
            // The byte of an abort has to stay, because it ends every wait.
            if is_aborted() {
                self.waker.wake();
            }
        }
        if list.leader == NOBODY {
            list.leader = this_thread();
        }
    }

    fn note_change(&self, list: &mut List) {
        if !mem::replace(&mut list.has_note, true) {
            self.waker.wake();
        }
    }
}

/// Counts a thread in a wait. A destructor ends that, because the thread may be cancelled.
struct Sleeper<'a>(&'a Queue);

impl Sleeper<'_> {
    fn begin(queue: &Queue) -> Sleeper<'_> {
        queue.list.lock().sleepers += 1;
        Sleeper(queue)
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        let mut list = self.0.list.lock();
        list.sleepers -= 1;
        if list.leader == this_thread() {
            list.leader = NOBODY;
            if list.sleepers > 0 {
                self.0.note_change(&mut list);
            }
        }
    }
}

impl List {
    /// Fills `probe` with all that is armed.
    fn ask(&self, probe: &mut Probe) -> Result<(), Errno> {
        probe.begin(self.entries.len())?;
        for (fd, entry) in self.entries.iter_from(self.start) {
            if let Some(interest) = entry.armed {
                probe.add(Token { fd, generation: entry.generation }, interest);
            }
        }
        Ok(())
    }

    /// Takes the first event among the answers. An entry whose file was closed is disarmed.
    fn take(&mut self, probe: &Probe) -> Option<Taken> {
        for (token, flags) in probe.answers() {
            let Some(entry) = self.entries.get_mut(token.fd) else { continue };
            if entry.generation != token.generation || entry.armed.is_none() {
                continue;
            }
            let is_closed = match identity(token.fd) {
                Ok(file) => file != entry.file,
                // Any other error says nothing about the file.
                Err(e) => e == Errno::EBADF,
            };
            entry.armed = None;
            if is_closed || flags & NVAL != 0 {
                continue;
            }
            self.start = Fd::from_index(token.fd.index() as u32 + 1);
            return Some(Taken::Event(token.fd.raw().into(), flags));
        }
        None
    }
}
