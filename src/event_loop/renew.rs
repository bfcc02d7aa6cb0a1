//! Making the backend, and making another in its place.

use super::looking::{list, token};
use super::{EventLoop, Kernel};
use crate::backend::{Backend, Opened, Refusal, Watch};
use crate::fd::Fd;
use crate::interest::Interest;
use crate::slot::Dirty;
use crate::sys::mode::identity;
use crate::table;
use nix::errno::Errno;

impl EventLoop {
    /// Makes the backend, or replaces the one that must not be used any more. Everything wanted is to be registered
    /// afterwards.
    pub(super) fn renew_backend(&mut self) -> Result<(), Errno> {
        if self.live_backend().is_some() {
            return Ok(());
        }
        if let Some(kernel) = self.kernel.take() {
            if kernel.parts.is_lent_elsewhere() {
                // What a thread sleeps in is closed when that thread has left it, or it would not wake.
                kernel.backend.wake();
            } else {
                // One that is about to sleep beside would do so on whatever has the number next.
                kernel.backend.dismiss_followers();
                if !kernel.backend.is_whole() {
                    take_back(&kernel.backend);
                }
                // Closed before another is opened: there may be no number left but its own.
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
                    list(dirty, number, slot, Dirty::Probed);
                }
            }
        });
        Ok(())
    }

    /// A registered number that the program closed with close(2) may be the new backend's own: what was registered under it
    /// has ended.
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
            // The backend is told nothing of it.
            slot.watched.set(Interest::NONE);
            slot.leased.set(false);
            self.unregister(Fd::from_index(number));
        }
    }
}

/// The number of the backend's set may be that of a set of the program's by now, which was told of what we watch. What has
/// another file under its number was closed with the set, and may be what the program has put in since.
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
