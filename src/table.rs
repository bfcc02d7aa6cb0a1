//! Maps descriptor numbers to slots, and holds the number of the current look. Both are read without a lock.

use crate::fd::Fd;
use crate::interest::Direction;
use crate::slot::Slot;
use crate::sys::pages::Pages;
use nix::errno::Errno;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

struct Table {
    slots: Pages<Slot>,
    /// See [`look`].
    look: AtomicU32,
}

impl Table {
    const fn new() -> Table {
        Table { slots: Pages::new(), look: AtomicU32::new(1) }
    }
}

/// The table of the process.
#[cfg(not(test))]
#[inline(always)]
fn table() -> &'static Table {
    static TABLE: Table = Table::new();
    &TABLE
}

/// Unit tests run in parallel, so each thread has a table of its own.
#[cfg(test)]
fn table() -> &'static Table {
    thread_local!(static TABLE: &'static Table = crate::sys::mem::kept(Table::new()));
    TABLE.with(|table| *table)
}

/// The slot of a number, if it has one.
#[inline(always)]
pub(crate) fn slot(number: u32) -> Option<&'static Slot> {
    table().slots.get(number)
}

/// The slot of a number as C passes it, if the number is below 2^20 and has one. This costs two loads.
#[inline(always)]
pub(crate) fn near_slot(d: i64) -> Option<&'static Slot> {
    table().slots.near(d as u64)
}

/// The slot of a number as C passes it.
#[inline(always)]
pub(crate) fn slot_of(d: i64) -> Option<&'static Slot> {
    match near_slot(d) {
        None => far_slot(d),
        slot => slot,
    }
}

#[cold]
fn far_slot(d: i64) -> Option<&'static Slot> {
    slot(Fd::new(d).ok()?.index() as u32)
}

/// The slot of a registered descriptor.
#[inline(always)]
pub(crate) fn registered(d: i64) -> Option<&'static Slot> {
    slot_of(d).filter(|slot| slot.is_registered())
}

/// The slot of a number. Allocates it if the number has none.
pub(crate) fn slot_or_new(number: u32) -> Result<&'static Slot, Errno> {
    table().slots.get_or_make(number)
}

/// Calls `f` with each number that has a slot, in ascending order.
pub(crate) fn for_each(f: impl FnMut(u32, &'static Slot)) {
    table().slots.for_each(f);
}

/// Calls `f` with the number and slot of each registered descriptor, in ascending order.
pub(crate) fn for_each_registered(mut f: impl FnMut(u32, &'static Slot)) {
    for_each(|number, slot| {
        if slot.is_registered() {
            f(number, slot);
        }
    });
}

/// The number of the current look. A use is stamped with it. It is incremented before the kernel is asked and read after a
/// transfer. If the two race, a true event may be hidden for one look, but no false one is reported.
#[inline(always)]
pub(crate) fn look() -> u32 {
    table().look.load(Relaxed)
}

/// Stamps a direction as used: a transfer through the library is done, or the program says that it is not ready.
#[inline(always)]
pub(crate) fn mark_used(slot: &Slot, dir: Direction) {
    slot.used[dir.index()].set(look());
}

/// Begins the next look. Its number is never 0, which new slots have.
pub(crate) fn begin_look() -> u32 {
    let look = look().checked_add(1).unwrap_or(1);
    table().look.store(look, Relaxed);
    look
}

/// In a new child process.
pub(crate) fn in_child() {
    table().slots.in_child();
}

#[cfg(any(test, fuzzing))]
pub(crate) fn set_look(look: u32) {
    table().look.store(look, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_without_a_registration_is_not_registered() {
        let numbers = [5, 70_000, i32::MAX as u32];
        for n in numbers {
            assert!(slot(n).is_none());
            slot_or_new(n).unwrap();
            assert!(!slot(n).unwrap().is_registered());
        }
        slot(70_000).unwrap().begin(look());
        let mut registered = Vec::new();
        for_each_registered(|n, _| registered.push(n));
        assert_eq!(registered, [70_000]);
        assert!(near_slot(5).is_some() && near_slot(-1).is_none() && near_slot(i64::MAX).is_none());
    }

    #[test]
    fn the_number_of_a_look_is_never_0() {
        set_look(u32::MAX);
        assert_eq!(begin_look(), 1);
        assert_eq!(begin_look(), 2);
    }
}
