//! Descriptor number → [`Entry`].
//!
//! Entries live in leaves of 64 (one 4 KiB page), made when a number of theirs is first registered and never
//! moved. Numbers below a million, which are all that ordinary limits allow, find their leaf by one index; the
//! rest, up to the largest `int`, by two, so that a look-up costs the same at any number and memory follows
//! the numbers in use.

mod entry;

pub(crate) use entry::{Arrival, Entry, Link, Place, Rhythm};

use crate::fd::Fd;
use crate::grow::try_lengthen;
use crate::sys::mem::boxed_array;
use nix::errno::Errno;

const LEAF_BITS: usize = 6;
const LEAF: usize = 1 << LEAF_BITS;
/// Leaves of the near numbers.
const NEAR: usize = 1 << (20 - LEAF_BITS);
/// Leaves in a branch of the far numbers.
const BRANCH_BITS: usize = 9;
const BRANCH: usize = 1 << BRANCH_BITS;

type Leaf = Option<Box<[Entry; LEAF]>>;

/// All entries. Entries are never freed one by one: a number that was used once will be used again.
pub(crate) struct FdTable {
    near: Vec<Leaf>,
    far: Vec<Vec<Leaf>>,
    /// Stands in for an entry that ought to be there and is not.
    missing: Entry,
}

impl FdTable {
    pub(crate) const fn new() -> FdTable {
        FdTable { near: Vec::new(), far: Vec::new(), missing: Entry::VACANT }
    }

    /// The registered entry of `fd`.
    #[inline]
    pub(crate) fn get(&mut self, fd: Fd) -> Option<&mut Entry> {
        slot(&mut self.near, &mut self.far, fd.index()).filter(|e| e.is_registered())
    }

    /// The entry of a number that is known to have one, because a list of ours holds it. Should a list ever be wrong,
    /// the answer is a vacant entry, and what is done to it has no consequence.
    #[inline]
    pub(crate) fn listed(&mut self, number: u32) -> &mut Entry {
        match slot(&mut self.near, &mut self.far, number as usize) {
            Some(e) => e,
            None => vacant(&mut self.missing),
        }
    }

    /// The entry of `fd`, registered or not, made if it is missing.
    pub(crate) fn slot_or_new(&mut self, fd: Fd) -> Result<&mut Entry, Errno> {
        let i = fd.index();
        let leaf = i >> LEAF_BITS;
        let place = if leaf < NEAR {
            try_lengthen(&mut self.near, leaf + 1)?;
            self.near.get_mut(leaf)
        } else {
            let branch = leaf >> BRANCH_BITS;
            try_lengthen(&mut self.far, branch + 1)?;
            match self.far.get_mut(branch) {
                Some(branch) => {
                    try_lengthen(branch, BRANCH)?;
                    branch.get_mut(leaf & (BRANCH - 1))
                }
                None => None,
            }
        };
        let place = place.ok_or(Errno::ENOMEM)?;
        let entries = match place {
            Some(entries) => entries,
            None => place.insert(boxed_array()?),
        };
        Ok(&mut entries[i & (LEAF - 1)])
    }

    /// Calls `f` with each registered entry and its number, in ascending order.
    pub(crate) fn for_each(&mut self, mut f: impl FnMut(u32, &mut Entry)) {
        let near = self.near.iter_mut().enumerate();
        let far = self.far.iter_mut().enumerate().flat_map(|(b, branch)| {
            branch.iter_mut().enumerate().map(move |(l, leaf)| (b << BRANCH_BITS | l, leaf))
        });
        for (l, leaf) in near.chain(far) {
            for (i, e) in leaf.iter_mut().flat_map(|entries| entries.iter_mut()).enumerate() {
                if e.is_registered() {
                    f((l << LEAF_BITS | i) as u32, e);
                }
            }
        }
    }

    /// The entry of `number`, registered or not.
    #[inline]
    pub(crate) fn get_any(&mut self, number: u32) -> Option<&mut Entry> {
        slot(&mut self.near, &mut self.far, number as usize)
    }

    /// The entry of `number`, registered or not, if it is a near one.
    #[inline(always)]
    pub(crate) fn get_near(&mut self, number: u64) -> Option<&mut Entry> {
        let leaf = usize::try_from(number >> LEAF_BITS).ok()?;
        self.near.get_mut(leaf)?.as_mut().map(|entries| &mut entries[number as usize & (LEAF - 1)])
    }
}

#[inline]
fn slot<'a>(near: &'a mut [Leaf], far: &'a mut [Vec<Leaf>], i: usize) -> Option<&'a mut Entry> {
    let leaf = i >> LEAF_BITS;
    let entries = match near.get_mut(leaf) {
        Some(entries) => entries,
        None => far_leaf(far, leaf)?,
    };
    entries.as_mut().map(|entries| &mut entries[i & (LEAF - 1)])
}

/// What was done to it when it last stood in is forgotten.
#[cold]
fn vacant(missing: &mut Entry) -> &mut Entry {
    debug_assert!(false, "a listed number has an entry");
    *missing = Entry::VACANT;
    missing
}

/// The near numbers have nothing here.
#[cold]
fn far_leaf(far: &mut [Vec<Leaf>], leaf: usize) -> Option<&mut Leaf> {
    far.get_mut(leaf >> BRANCH_BITS)?.get_mut(leaf & (BRANCH - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fd(n: i64) -> Fd {
        Fd::new(n).unwrap()
    }

    #[test]
    fn sparse_numbers_cost_a_page_each() {
        let mut t = FdTable::new();
        for n in [19_999, 0, i64::from(i32::MAX)] {
            t.slot_or_new(fd(n)).unwrap().register(0);
        }
        let leaves = t.near.iter().chain(t.far.iter().flatten()).flatten().count();
        assert_eq!((leaves, size_of::<Entry>() * LEAF), (3, 4096));
        let mut seen = Vec::new();
        t.for_each(|n, _| seen.push(n));
        assert_eq!(seen, [0, 19_999, i32::MAX as u32]);
    }

    #[test]
    fn a_million_numbers_each_keep_their_own() {
        let mut t = FdTable::new();
        const N: u32 = 1 << 20;
        for n in (0..N + 100).rev() {
            let e = t.slot_or_new(Fd::from_index(n)).unwrap();
            e.register(0);
            e.cookie = n as usize;
        }
        assert!((0..N + 100).all(|n| t.get(Fd::from_index(n)).unwrap().cookie == n as usize));
        assert_eq!(t.near.len(), NEAR, "the near numbers need no second index");
        assert_eq!(t.far.iter().filter(|b| !b.is_empty()).count(), 1);
    }

    #[test]
    fn unregistered_numbers_have_no_entry() {
        let mut t = FdTable::new();
        assert!(t.get(fd(5)).is_none());
        t.slot_or_new(fd(5)).unwrap();
        assert!(t.get(fd(5)).is_none(), "a slot alone is no registration");
        assert!(t.get(fd(70_000)).is_none());
        assert!(t.get(fd(i64::from(i32::MAX))).is_none());
    }
}
