//! The record of one descriptor number: its registration, interest, deadline, cookie, and how to move bytes on it.
//!
//! Transfers read [`Slot::access`] and store [`Slot::used`] without a lock. Everything else is written under the event
//! loop's lock. A slot is never freed, so a reference to one is always valid.

use crate::interest::Interest;
use crate::mode::{FileKind, Mode};
use crate::sys::mode::Identity;
use crate::time::Deadline;
use crate::timer::Place;
use crate::trace;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};

/// Fits one cache line.
#[repr(align(64))]
#[derive(Debug)]
pub(crate) struct Slot {
    /// Counts the beginnings and ends of registrations. It is odd while the number is registered.
    generation: Field<u32>,
    /// By direction: the look in which it was last reported, read or written through the library, or declared not ready.
    pub(crate) used: [Field<u32>; 2],
    pub(crate) want: Field<Interest>,
    /// What the backend watches. It may be more than `want`, because registrations are narrowed late.
    pub(crate) watched: Field<Interest>,
    /// Events that the program queued and that were not reported yet. They need neither interest nor readiness.
    pub(crate) queued: Field<Interest>,
    pub(crate) hint: Field<Hint>,
    pub(crate) access: Field<Access>,
    pub(crate) dirty: Field<Dirty>,
    /// The open file may have duplicates, so that closing the number does not end its registration with the kernel.
    pub(crate) shared: Field<bool>,
    /// A thread has taken its event and not asked for the next one yet. Only with event-loop threads.
    pub(crate) leased: Field<bool>,
    pub(crate) place: Field<Place>,
    /// The look in which the last registration ended.
    ended: Field<u32>,
    /// The program's pointer, as a number, because it is never dereferenced.
    pub(crate) cookie: Field<usize>,
    pub(crate) deadline: Field<Deadline>,
    /// Which file is registered. Zeros if the kernel could not tell.
    file: [Field<u64>; 2],
}

const _: () = assert!(size_of::<Slot>() == 64);

/// At most so many looks begin while the events of an earlier one are still being taken: one for each thread that waits.
pub(crate) const LOOKS_AT_ONCE: u32 = 64;

/// Whether something that was done when the current look was `then` was done in `look` or since. It does not compare
/// `then < look`, because the numbers of looks wrap around: what was done long ago would lie in the future.
#[inline(always)]
pub(crate) fn is_since(then: u32, look: u32) -> bool {
    then.wrapping_sub(look) < LOOKS_AT_ONCE
}

/// The hint of `io_fd_canwrite` that a descriptor can be written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hint {
    None,
    /// It waits for the next `io_wantwrite`.
    Given,
    /// `io_wantwrite` has used it, so `io_canwrite` reports the descriptor without a look.
    Claimed,
}

/// Whether the backend has learned of the interest in a descriptor, and if not, what the next look does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dirty {
    /// It has; the number is not on the dirty list.
    No,
    /// The next look probes it.
    Fresh,
    /// A look has probed it. The next one registers what is still wanted.
    Probed,
    /// The backend cannot watch it. Each look probes it.
    Refused,
}

/// How bytes are moved without waiting: what kind of file it is, and its mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Access(u8);

impl Access {
    /// For a number that is not registered. Blocking mode is the safe assumption.
    pub(crate) const UNKNOWN: Access = Access(FileKind::Unknown as u8);
    const NONBLOCKING: u8 = 1 << 3;
    /// Calls are traced or counted, so the fast path is closed.
    const TRACED: u8 = 1 << 4;

    /// The mode of a socket does not matter, because each call says MSG_DONTWAIT.
    pub(crate) fn new(kind: FileKind, mode: Mode) -> Access {
        let traced = if trace::is_on() { Access::TRACED } else { 0 };
        match mode {
            Mode::Nonblocking if kind != FileKind::Socket => {
                Access(kind as u8 | traced | Access::NONBLOCKING)
            }
            _ => Access(kind as u8 | traced),
        }
    }

    /// Whether it is a socket, and calls are not traced.
    #[inline(always)]
    pub(crate) fn is_plain_socket(self) -> bool {
        self.0 == FileKind::Socket as u8
    }

    pub(crate) fn kind(self) -> FileKind {
        use FileKind::{Device, Other, Pipe, Regular, Socket, Unknown};
        let kinds = [Unknown, Socket, Pipe, Regular, Device, Other];
        kinds.get(usize::from(self.0 & 7)).copied().unwrap_or_default()
    }

    pub(crate) fn mode(self) -> Mode {
        if self.0 & Access::NONBLOCKING != 0 { Mode::Nonblocking } else { Mode::Blocking }
    }
}

/// A small value that any thread may load and store. Every access is `Relaxed`, which is a plain load or store on every
/// processor. Values that belong together are written under the event loop's lock. What transfers read without the lock
/// does not depend on other values.
pub(crate) trait Plain: Copy {
    type Cell;
    fn cell(self) -> Self::Cell;
    fn load(cell: &Self::Cell) -> Self;
    fn store(self, cell: &Self::Cell);
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field<T: Plain>(T::Cell);

impl<T: Plain> Field<T> {
    pub(crate) fn new(value: T) -> Field<T> {
        Field(value.cell())
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> T {
        T::load(&self.0)
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: T) {
        value.store(&self.0);
    }
}

macro_rules! plain {
    ($($t:ty as $cell:ident, $into:expr, $from:expr;)*) => {$(
        impl Plain for $t {
            type Cell = $cell;

            fn cell(self) -> $cell {
                $cell::new($into(self))
            }

            #[inline(always)]
            fn load(cell: &$cell) -> $t {
                $from(cell.load(Relaxed))
            }

            #[inline(always)]
            fn store(self, cell: &$cell) {
                cell.store($into(self), Relaxed);
            }
        }
    )*};
}

plain! {
    bool as AtomicBool, |v| v, |v| v;
    u32 as AtomicU32, |v| v, |v| v;
    u64 as AtomicU64, |v| v, |v| v;
    usize as AtomicUsize, |v| v, |v| v;
    Interest as AtomicU8, Interest::bits, Interest::from_bits;
    Deadline as AtomicI64, Deadline::nanos, Deadline::from_nanos;
    Hint as AtomicU8, |v: Hint| v as u8, |v| match v { 0 => Hint::None, 1 => Hint::Given, _ => Hint::Claimed };
    Dirty as AtomicU8, |v: Dirty| v as u8,
        |v| match v { 0 => Dirty::No, 1 => Dirty::Fresh, 2 => Dirty::Probed, _ => Dirty::Refused };
    Access as AtomicU8, |v: Access| v.0, Access;
    Place as AtomicU32, Place::to_bits, Place::from_bits;
}

impl Default for Slot {
    /// The slot of a number that was never registered.
    fn default() -> Slot {
        Slot {
            generation: Field::new(0),
            used: [Field::new(0), Field::new(0)],
            want: Field::new(Interest::NONE),
            watched: Field::new(Interest::NONE),
            queued: Field::new(Interest::NONE),
            hint: Field::new(Hint::None),
            access: Field::new(Access::UNKNOWN),
            dirty: Field::new(Dirty::No),
            shared: Field::new(false),
            leased: Field::new(false),
            place: Field::new(Place::None),
            ended: Field::new(0),
            cookie: Field::new(0),
            deadline: Field::new(Deadline::NEVER),
            file: [Field::new(0), Field::new(0)],
        }
    }
}

impl Slot {
    #[inline(always)]
    pub(crate) fn generation(&self) -> u32 {
        self.generation.get()
    }

    #[inline(always)]
    pub(crate) fn is_registered(&self) -> bool {
        self.generation() & 1 != 0
    }

    /// Begins a registration. `look` is the current look; no direction counts as used in it.
    pub(crate) fn begin(&self, look: u32) {
        debug_assert!(!self.is_registered());
        self.used.iter().for_each(|used| used.set(look.wrapping_sub(1)));
        self.generation.set(self.generation().wrapping_add(1));
    }

    /// Ends a registration. `look` is the current look. Lists of the loop may still have the number, and skip it.
    pub(crate) fn end(&self, look: u32) {
        self.generation.set(self.generation().wrapping_add(1));
        self.ended.set(look);
        self.want.set(Interest::NONE);
        self.watched.set(Interest::NONE);
        self.queued.set(Interest::NONE);
        self.hint.set(Hint::None);
        self.access.set(Access::UNKNOWN);
        self.shared.set(false);
        self.leased.set(false);
        self.cookie.set(0);
    }

    /// Whether the last registration ended before `look`. If so, an event of an older generation that `look` found shows
    /// that the kernel still watches a closed file.
    pub(crate) fn ended_before(&self, look: u32) -> bool {
        !is_since(self.ended.get(), look)
    }

    /// Wanted directions that the backend does not watch.
    #[inline(always)]
    pub(crate) fn missing(&self) -> Interest {
        self.want.get() - self.watched.get()
    }

    pub(crate) fn file(&self) -> Identity {
        Identity { device: self.file[0].get(), inode: self.file[1].get() }
    }

    pub(crate) fn set_file(&self, file: Identity) {
        self.file[0].set(file.device);
        self.file[1].set(file.inode);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_mode_comes_back_from_its_bits() {
        use FileKind::{Device, Other, Pipe, Regular, Socket, Unknown};
        for kind in [Unknown, Socket, Pipe, Regular, Device, Other] {
            for mode in [Mode::Blocking, Mode::Nonblocking] {
                let access = Access::new(kind, mode);
                assert_eq!(access.kind(), kind);
                assert_eq!(access.is_plain_socket(), kind == Socket);
                assert!(kind == Socket || access.mode() == mode);
            }
        }
    }

    #[test]
    fn a_registration_that_ends_leaves_nothing_to_the_next() {
        let slot = Slot::default();
        slot.begin(7);
        let first = slot.generation();
        assert!(slot.is_registered() && slot.used.iter().all(|used| used.get() != 7));
        slot.want.set(Interest::BOTH);
        slot.watched.set(Interest::READ);
        slot.hint.set(Hint::Claimed);
        slot.cookie.set(9);
        assert_eq!(slot.missing(), Interest::WRITE);
        slot.end(8);
        assert!(!slot.is_registered() && !slot.ended_before(8) && slot.ended_before(9));
        slot.begin(8);
        assert_ne!(slot.generation(), first);
        assert_eq!((slot.want.get(), slot.watched.get()), (Interest::NONE, Interest::NONE));
        assert_eq!((slot.hint.get(), slot.cookie.get()), (Hint::None, 0));
    }
}
