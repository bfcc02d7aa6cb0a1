//! Separates the loop of a child from its parent's after fork(2).
//!
//! The child keeps the slots, because it inherits the registered descriptors. It must not use the backend, which it shares
//! with the parent. Its first call closes its copies of the backend's descriptors, and its first wait opens a new backend.
//!
//! The fork handlers only raise attention. The next call that takes the lock does the work ([`super::lock`]). So a fork in
//! a signal handler runs no code of the loop, and no fork waits for a lock.

use super::looking::mark_dirty;
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

/// This process is a new child.
static IS_CHILD: AtomicBool = AtomicBool::new(false);
/// Another thread of the parent held the lock at the fork, so that the state may be half changed.
static IS_TORN: AtomicBool = AtomicBool::new(false);

/// Installs the fork handlers. Called when the library is loaded.
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
        // Every open file is now open in two processes. Closing it in one does not end its registration with the kernel.
        self.removes_explicitly |= self.registered > 0;
        if !IS_CHILD.swap(false, Relaxed) {
            return;
        }
        if IS_TORN.swap(false, Relaxed) {
            self.mend();
        }
        if let Some(mut kernel) = self.kernel.take() {
            kernel.parts.take_back_in_child();
            // Threads of the parent that wait beside hold shares of the backend, and are not here to release them. So it is
            // closed explicitly.
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
                    mark_dirty(&mut self.dirty, number, slot, Dirty::Fresh);
                }
            });
        }
    }

    /// Replaces a half-changed state by one that is derived from the slots.
    fn mend(&mut self) {
        // Its vectors may be in the middle of a reallocation. They are neither read nor freed.
        let mut torn = ManuallyDrop::new(std::mem::replace(self, EventLoop::new()));
        self.removes_explicitly = true;
        if !torn.is_stale {
            // `is_stale` is set before the backend is replaced. It is not set, so the backend is whole.
            self.kernel = torn.kernel.take();
        }
        table::for_each_registered(|_, _| self.registered += 1);
        // If memory is short, the child goes on with the room it gets.
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
                mark_dirty(&mut self.dirty, number, slot, Dirty::Fresh);
            }
        });
    }
}
