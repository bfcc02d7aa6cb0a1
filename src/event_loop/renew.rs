//! Opens the backend, and replaces one that is lost: after a fork, or when the program has closed its descriptors.

use super::looking::{mark_dirty, token};
use super::{EventLoop, Kernel};
use crate::backend::{Backend, Opened, Refusal, Watch};
use crate::fd::Fd;
use crate::interest::Interest;
use crate::slot::Dirty;
use crate::sys::mode::identity;
use crate::table;
use nix::errno::Errno;

impl EventLoop {
    /// Opens a backend if there is no usable one. Everything that is wanted goes on the dirty list, to be registered with
    /// the new one.
    pub(super) fn renew_backend(&mut self) -> Result<(), Errno> {
        if self.live_backend().is_some() {
            return Ok(());
        }
        if let Some(kernel) = self.kernel.take() {
            if kernel.parts.is_lent_elsewhere() {
                // A thread sleeps in it. It is woken, and closes the backend when it leaves.
                kernel.backend.wake();
            } else {
                // Wait until no thread is about to sleep beside: after the close, the number may be another file's.
                kernel.backend.dismiss_followers();
                if !kernel.backend.is_whole() {
                    take_back(&kernel.backend);
                }
                // Closed before another is opened, because its number may be the only one left.
                kernel.backend.close();
            }
        }
        self.is_stale = true;
        self.kernel = Some(Kernel::new(crate::backend::open()?)?);
        self.is_stale = false;
        if self.registered == 0 {
            return Ok(());
        }
        self.end_under_own_numbers();
        let dirty = &mut self.dirty;
        table::for_each_registered(|number, slot| {
            if !slot.watched.get().is_none() {
                slot.watched.set(Interest::NONE);
                if !slot.want.get().is_none() {
                    mark_dirty(dirty, number, slot, Dirty::Probed);
                }
            }
        });
        Ok(())
    }

    /// Ends registrations whose numbers the new backend got. The program had closed those with close(2).
    fn end_under_own_numbers(&mut self) {
        loop {
            let mut own = None;
            if let Some(backend) = self.live_backend() {
                table::for_each_registered(|number, slot| {
                    if backend.has_number(Fd::from_index(number)) {
                        own = Some((number, slot));
                    }
                });
            }
            let Some((number, slot)) = own else { return };
            // Cleared, so that the backend is not told to remove them.
            slot.watched.set(Interest::NONE);
            slot.leased.set(false);
            self.unregister(Fd::from_index(number));
        }
    }
}

/// The program may have closed the backend's epoll set and got its number for a set of its own. Then what the loop has
/// registered since is in the program's set, and is taken out again. A number that is another file now was closed with the
/// old set, and what the program's set has under it is the program's.
#[cold]
fn take_back(backend: &Opened) {
    let mut is_set = true;
    table::for_each_registered(|number, slot| {
        let (token, watched) = (token(number, slot), slot.watched.get());
        if is_set && !watched.is_none() && identity(token.fd) == Ok(slot.file()) {
            let none = Watch { interest: Interest::NONE, once: false };
            is_set = backend.set(token, watched, none) != Err(Refusal::Lost);
        }
    });
}
