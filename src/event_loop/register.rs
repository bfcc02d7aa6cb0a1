//! Registrations: how they begin (`io_fd`), how they end (`io_close`, `io_finishandshutdown`), and the facts that they
//! carry: mode, cookie, and which file it is.

use super::looking::token;
use super::threads::Group;
use super::{EventLoop, attention, state};
use crate::backend::{Backend, Watch};
use crate::batch::block;
use crate::fd::Fd;
use crate::interest::Interest;
use crate::mode::{FileKind, Mode};
use crate::mux;
use crate::slot::{Access, Dirty, Hint, Slot};
use crate::sys::mode::{self, Identity, who};
use crate::table::{self, registered, slot_of};
use crate::time::Deadline;
use crate::timer::Place;
use crate::xfer::{file, room};
use nix::errno::Errno;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How a descriptor is registered.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Flags {
    /// The caller knows that it can be written to.
    pub(crate) can_write: bool,
    /// The mode, if the caller knows it. Otherwise the kernel is asked.
    pub(crate) mode: Option<Mode>,
}

/// What the kernel says about a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct File {
    pub(super) access: Access,
    pub(super) identity: Identity,
}

/// Registers `fd`, or refreshes what is known about it. If the program closed the number with close(2) and it is another
/// file now, it starts clean.
pub(crate) fn register(fd: Fd, flags: Flags) -> Result<(), Errno> {
    match look_at(fd, flags.mode) {
        Ok(file) => state().register(fd, file, flags.can_write),
        Err(e) => {
            state().unregister(fd);
            Err(e)
        }
    }
}

/// Registers a file that is queued in a batch. Most are only sent and closed, so the kernel is not asked what it is, unless
/// the number was registered as something else. A failure is noticed when the file is sent.
pub(crate) fn register_file(fd: Fd) {
    let mut state = state();
    let identity = match registered(fd.raw().into()) {
        Some(slot) if slot.file() != Identity::NONE => match mode::identity(fd) {
            Ok(identity) if identity != slot.file() => identity,
            _ => return,
        },
        Some(_) => return,
        None => Identity::NONE,
    };
    let _ = state.register(fd, File { access: Access::UNKNOWN, identity }, false);
}

/// Whether [`register_file`] has nothing to do.
#[inline(always)]
pub(crate) fn is_registered_file(d: i64) -> bool {
    registered(d).is_some_and(|slot| slot.file() == Identity::NONE)
}

/// Ends the registration of a number that the kernel has just given out. Its file was closed with close(2).
pub(crate) fn forget(fd: Fd) {
    state().unregister(fd);
}

/// Ends the registration, if there is one, and closes the descriptor. Refuses the library's own descriptors.
pub(crate) fn close(fd: Fd) -> Result<(), Errno> {
    let mut state = state();
    if state.is_own(fd) {
        return Err(Errno::EBADF);
    }
    state.unregister(fd);
    drop(state);
    file::forget(fd);
    mode::close(fd)
}

/// Notes that the open file may live on in another process or under another number.
pub(crate) fn mark_shared(fd: Fd) {
    // Without memory for a slot nothing is noted. Then a stale registration is found when it reports.
    if let Ok(slot) = table::slot_or_new(fd.index() as u32) {
        let _state = state();
        slot.shared.set(true);
    }
}

/// `io_block`, `io_nonblock`.
pub(crate) fn set_blocking_mode(fd: Fd, mode: Mode) -> Result<(), Errno> {
    mode::set_nonblocking(fd, mode == Mode::Nonblocking)?;
    if let Some(slot) = registered(fd.raw().into()) {
        slot.access.set(Access::new(slot.access.get().kind(), mode));
    }
    Ok(())
}

pub(crate) fn set_cookie(d: i64, cookie: usize) {
    let _state = state();
    if let Some(slot) = registered(d) {
        slot.cookie.set(cookie);
    }
}

/// The cookie, 0 if the descriptor is not registered.
#[inline(always)]
pub(crate) fn cookie(d: i64) -> usize {
    // The cookie of a vacant slot is 0.
    slot_of(d).map_or(0, |slot| slot.cookie.get())
}

/// `io_finishandshutdown`.
pub(crate) fn shutdown() {
    let mut state = state();
    let groups = state.threads.dismiss();
    let old = state.shut_down();
    drop(state);
    drop(old);
    groups.into_iter().for_each(Group::join);
    file::shut_down();
    mux::shut_down();
    block::shut_down();
    // Last, because the others give their room back to it.
    room::shut_down();
}

/// Asks the kernel what `fd` is. If the program states the mode, it is believed, even if the number is not open.
fn look_at(fd: Fd, mode: Option<Mode>) -> Result<File, Errno> {
    let (kind, identity) = match who(fd) {
        Ok(who) => who,
        Err(Errno::EBADF) if mode.is_none() => return Err(Errno::EBADF),
        // A sandbox may refuse to tell. Then the kind is found out when the descriptor is used.
        Err(_) => (FileKind::Unknown, Identity::NONE),
    };
    let mode = match mode {
        Some(mode) => mode,
        // The mode of a socket does not matter, because each call says MSG_DONTWAIT.
        None if kind == FileKind::Socket && is_surely_socket(fd, identity) => Mode::Blocking,
        None => match mode::mode(fd) {
            Ok(mode) => mode,
            Err(Errno::EBADF) => return Err(Errno::EBADF),
            Err(_) => Mode::Blocking,
        },
    };
    Ok(File { access: Access::new(kind, mode), identity })
}

/// An O_PATH descriptor of a Unix socket's file also has the type of a socket. Real sockets are all on one device, which is
/// learned from the first one.
fn is_surely_socket(fd: Fd, identity: Identity) -> bool {
    static SOCKETS: AtomicU64 = AtomicU64::new(u64::MAX);
    if identity.device == SOCKETS.load(Relaxed) {
        return true;
    }
    let is = mode::mode(fd).is_ok();
    if is {
        SOCKETS.store(identity.device, Relaxed);
    }
    is
}

impl EventLoop {
    pub(super) fn register(&mut self, fd: Fd, file: File, can_write: bool) -> Result<(), Errno> {
        if self.is_own(fd) {
            return Err(Errno::EBADF);
        }
        let number = fd.index() as u32;
        let slot = table::slot_or_new(number)?;
        if slot.is_registered() && !self.is_still(number, slot, file) {
            self.unregister(fd);
        }
        if !slot.is_registered() {
            // Opened early, because a program may enter a sandbox after it has set up its descriptors.
            if self.kernel.is_none() {
                self.renew_backend()?;
            }
            // The dirty list has room for every registered descriptor, so that stating interest never needs memory.
            self.dirty.try_reserve(self.registered + 1).map_err(|_| Errno::ENOMEM)?;
            slot.begin(table::look());
            self.registered += 1;
        }
        if file.identity != Identity::NONE || slot.access.get().kind() == FileKind::Unknown {
            slot.access.set(file.access);
            slot.set_file(file.identity);
        }
        if can_write && slot.hint.get() == Hint::None {
            slot.hint.set(Hint::Given);
        }
        Ok(())
    }

    /// Whether a registered number is still the file that was registered.
    fn is_still(&self, number: u32, slot: &Slot, file: File) -> bool {
        let watched = slot.watched.get();
        // If either identity is unknown, it may be the same file.
        let is_known = slot.file() != Identity::NONE && file.identity != Identity::NONE;
        if is_known && slot.file() != file.identity {
            return false;
        }
        // Some kinds of file share one inode, and a FIFO can be opened twice. But the kernel watches one open file.
        match self.live_backend() {
            Some(backend) if !watched.is_none() => {
                let watch = Watch { interest: watched, once: self.threads.are_running() };
                backend.is_same_file(token(number, slot), watch)
            }
            _ => true,
        }
    }

    /// Ends the registration of `fd`, if it has one. Called before the number is closed.
    pub(super) fn unregister(&mut self, fd: Fd) {
        let number = fd.index() as u32;
        let Some(slot) = table::slot(number) else { return };
        if !slot.is_registered() {
            return slot.shared.set(false);
        }
        let watched = slot.watched.get();
        if !watched.is_none() || slot.leased.get() {
            self.end_watch(number, slot);
        }
        self.timer.clear(slot);
        self.wanted -= slot.want.get().count();
        self.registered -= 1;
        slot.end(table::look());
        self.dismiss_looker();
    }

    fn end_watch(&self, number: u32, slot: &Slot) {
        if slot.shared.get() || self.removes_explicitly {
            // A duplicate would keep the registration alive after close (epoll(7)). If the kernel refuses, there is no
            // registration.
            let _ = self.tell(number, slot, Interest::NONE);
        } else if let Some(backend) = self.live_backend() {
            backend.closing(token(number, slot));
        }
    }

    /// Whether `fd` is one of the library's own descriptors. If the program has closed that one and got its number, the
    /// backend is lost and the answer is no.
    fn is_own(&mut self, fd: Fd) -> bool {
        let Some(backend) = self.live_backend().filter(|backend| backend.has_number(fd)) else {
            return false;
        };
        if backend.is_whole() {
            return true;
        }
        self.lose_backend();
        false
    }

    /// Empties the loop and returns its old contents, which the caller drops without the lock.
    pub(super) fn shut_down(&mut self) -> EventLoop {
        if let Some(kernel) = &self.kernel {
            kernel.backend.wake();
        }
        table::for_each(|_, slot| {
            if slot.is_registered() {
                slot.end(table::look());
            }
            // The lists that these refer to are dropped.
            slot.dirty.set(Dirty::No);
            slot.place.set(Place::None);
            slot.deadline.set(Deadline::NEVER);
        });
        attention::end(attention::QUEUED);
        std::mem::replace(self, EventLoop::new())
    }
}
