//! After a fork the child's loop is its own.
//!
//! The child inherits the slots, so that it knows what it inherited, but must not use the backend: what that watches is
//! watched in the parent as well. The child's first call closes its copies, and its first wait makes a backend of its own.
//!
//! The handlers only raise attention. Whoever takes the lock next sees that ([`super::lock`]). So nothing is done in a
//! signal handler that forked, and nobody waits for a lock before a fork.

use super::looking::list;
use super::{EventLoop, STATE, attention};
use crate::backend::Backend;
use crate::interest::Interest;
use crate::mux;
use crate::slot::Dirty;
use crate::sys::fork::at_fork;
use crate::sys::{keep_errno, sync};
use crate::table;
use crate::time::Deadline;
use crate::timer::Place;
use crate::xfer::file;
use nix::errno::Errno;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The last fork made this process.
static IS_CHILD: AtomicBool = AtomicBool::new(false);
/// Another thread of the parent was changing the state.
static IS_TORN: AtomicBool = AtomicBool::new(false);

/// Has forks noticed. To be called when the library is loaded.
pub(crate) fn watch() -> Result<(), Errno> {
    at_fork(parent, child)
}

extern "C" fn parent() {
    attention::raise(attention::FORKED);
}

extern "C" fn child() {
    IS_CHILD.store(true, Relaxed);
    attention::raise(attention::FORKED);
    sync::in_child();
    table::in_child();
    file::in_child();
    mux::in_child();
    STATE.in_child(|_, torn| {
        if torn {
            IS_TORN.store(true, Relaxed);
        }
    });
}

impl EventLoop {
    #[cold]
    pub(super) fn after_fork(&mut self) {
        attention::end(attention::FORKED);
        // What is open now is open twice: closing it here does not end what the kernel watches.
        self.removes_explicitly |= self.registered > 0;
        if !IS_CHILD.swap(false, Relaxed) {
            return;
        }
        if IS_TORN.swap(false, Relaxed) {
            self.mend();
        }
        // The other threads are not in this process.
        if let Some(mut kernel) = self.kernel.take() {
            kernel.parts.take_back_in_child();
            // The threads that wait beside have shares of it, which nobody gives back here.
            keep_errno(|| {
                kernel.backend.close();
                drop(kernel);
            });
            self.is_stale = true;
        }
        if self.threads.forget_in_child() {
            table::for_each_registered(|number, slot| {
                slot.leased.set(false);
                if !slot.missing().is_none() {
                    list(&mut self.dirty, number, slot, Dirty::Fresh);
                }
            });
        }
    }

    /// Makes everything anew that can be derived from the slots, in the place of what another thread was changing.
    fn mend(&mut self) {
        // Its lists may be half moved: they are left where they are, and not read.
        let mut torn = ManuallyDrop::new(std::mem::replace(self, EventLoop::new()));
        self.removes_explicitly = true;
        if !torn.is_stale {
            // Whoever replaces the backend says so first: nobody was.
            self.kernel = torn.kernel.take();
        }
        table::for_each_registered(|_, _| self.registered += 1);
        // Without memory in a child just made, what can be had has to do.
        let _ = self.dirty.try_reserve(self.registered);
        table::for_each(|number, slot| {
            let (want, at) = (slot.want.get(), slot.deadline.get());
            slot.dirty.set(Dirty::No);
            slot.place.set(Place::None);
            slot.deadline.set(Deadline::NEVER);
            if !slot.is_registered() {
                return;
            }
            self.wanted += want.count();
            slot.watched.set(Interest::NONE);
            let _ = self.timer.set(number, at);
            if !super::deliver::queued(slot).is_none() {
                let _ = self.queue(number);
            }
            if !want.is_none() {
                list(&mut self.dirty, number, slot, Dirty::Fresh);
            }
        });
    }
}
