//! Who sleeps in the backend, and who of them has not heard of the last change.
//!
//! A change is told to one sleeper. It either sleeps on, for all, or ends its wait call and then tells the next one:
//! so there is always one that knows everything, or nobody sleeps. All this is kept under the reactor's lock.

/// What a sleeper knew when it went to sleep.
#[derive(Clone, Copy)]
pub(crate) struct Known(u32);

pub(crate) struct Sleepers {
    /// Threads that sleep in the backend, or are about to.
    count: usize,
    /// Counts the changes that were told.
    changes: u32,
    /// How many have slept since before the last one.
    unheard: usize,
}

impl Sleepers {
    pub(crate) const fn new() -> Sleepers {
        Sleepers { count: 0, changes: 0, unheard: 0 }
    }

    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.count > 0
    }

    /// One more is about to sleep.
    #[inline]
    pub(crate) fn enter(&mut self) -> Known {
        self.count += 1;
        Known(self.changes)
    }

    /// One has come back, and sees everything now.
    #[inline]
    pub(crate) fn leave(&mut self, known: Known) {
        self.count -= 1;
        self.unheard -= usize::from(known.0 != self.changes);
    }

    /// Something has changed that sleepers must know: one is to be woken now.
    pub(crate) fn change(&mut self) {
        self.changes = self.changes.wrapping_add(1);
        self.unheard = self.count;
    }

    /// Whether a thread that ends its wait call has to wake another one.
    #[inline]
    pub(crate) fn must_be_told(&self) -> bool {
        self.unheard > 0
    }

    /// They are gone, or will see that what they slept in is.
    pub(crate) fn forget_all(&mut self) {
        (self.count, self.unheard) = (0, 0);
    }
}
