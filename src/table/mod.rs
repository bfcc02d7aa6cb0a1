//! Descriptor number → [`Entry`].
//!
//! Three levels, so that a look-up is three loads at any number and memory follows the numbers in use: a
//! leaf holds 64 entries (one 4 KiB page), a branch 512 leaves (32,768 numbers), and the root grows to the
//! highest branch in use: 16 bytes for ordinary numbers, 1 MiB for the largest `int`. A level that is not
//! there is an empty slice, so that a look-up is three `get`s.

mod entry;

pub(crate) use entry::{Entry, Link, Place};

use crate::fd::Fd;
use nix::errno::Errno;

const LEAF_BITS: usize = 6;
const BRANCH_BITS: usize = 9;
const LEAF: usize = 1 << LEAF_BITS;
const BRANCH: usize = 1 << BRANCH_BITS;

type Leaf = Box<[Entry]>;
type Branch = Box<[Leaf]>;

/// All entries. Entries are never freed one by one: a number that was used once will be used again.
#[derive(Default)]
pub(crate) struct FdTable {
    root: Vec<Branch>,
}

impl FdTable {
    pub(crate) const fn new() -> FdTable {
        FdTable { root: Vec::new() }
    }

    /// The registered entry of `fd`.
    pub(crate) fn get(&mut self, fd: Fd) -> Option<&mut Entry> {
        self.slot(fd.index()).filter(|e| e.is_registered())
    }

    /// The entry of a number that is known to have one, because a list of ours holds it.
    pub(crate) fn listed(&mut self, number: u32) -> &mut Entry {
        self.slot(number as usize).expect("a listed number has an entry")
    }

    /// The entry of `fd`, registered or not, made if it is missing.
    pub(crate) fn slot_or_new(&mut self, fd: Fd) -> Result<&mut Entry, Errno> {
        let i = fd.index();
        let top = i >> (LEAF_BITS + BRANCH_BITS);
        if top >= self.root.len() {
            self.root.try_reserve(top + 1 - self.root.len()).map_err(|_| Errno::ENOMEM)?;
            self.root.resize_with(top + 1, Box::default);
        }
        let branch = filled(&mut self.root[top], BRANCH, Box::default)?;
        let leaf = filled(&mut branch[(i >> LEAF_BITS) & (BRANCH - 1)], LEAF, Entry::default)?;
        Ok(&mut leaf[i & (LEAF - 1)])
    }

    /// Calls `f` with each registered entry and its number, in ascending order.
    pub(crate) fn for_each(&mut self, mut f: impl FnMut(u32, &mut Entry)) {
        for (t, branch) in self.root.iter_mut().enumerate() {
            for (b, leaf) in branch.iter_mut().enumerate() {
                for (l, e) in leaf.iter_mut().enumerate().filter(|(_, e)| e.is_registered()) {
                    f((((t << BRANCH_BITS | b) << LEAF_BITS) | l) as u32, e);
                }
            }
        }
    }

    fn slot(&mut self, i: usize) -> Option<&mut Entry> {
        let branch = self.root.get_mut(i >> (LEAF_BITS + BRANCH_BITS))?;
        let leaf = branch.get_mut((i >> LEAF_BITS) & (BRANCH - 1))?;
        leaf.get_mut(i & (LEAF - 1))
    }
}

/// The slice at `place`, made of `n` vacant elements first if it is empty.
fn filled<T>(place: &mut Box<[T]>, n: usize, vacant: impl FnMut() -> T) -> Result<&mut [T], Errno> {
    if place.is_empty() {
        let mut made = Vec::new();
        made.try_reserve_exact(n).map_err(|_| Errno::ENOMEM)?;
        made.resize_with(n, vacant);
        *place = made.into_boxed_slice();
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;

    fn fd(n: i64) -> Fd {
        Fd::new(n).unwrap()
    }

    #[test]
    fn sparse_numbers_cost_a_page_each() {
        let mut t = FdTable::new();
        for n in [19_999, 0, i64::from(i32::MAX)] {
            t.slot_or_new(fd(n)).unwrap().register(Mode::Nonblocking, 0);
        }
        let leaves: usize = t.root.iter().flatten().filter(|l| !l.is_empty()).count();
        assert_eq!((leaves, size_of::<Entry>() * LEAF), (3, 4096));
        let mut seen = Vec::new();
        t.for_each(|n, _| seen.push(n));
        assert_eq!(seen, [0, 19_999, i32::MAX as u32]);
    }

    #[test]
    fn unregistered_numbers_have_no_entry() {
        let mut t = FdTable::new();
        assert!(t.get(fd(5)).is_none());
        t.slot_or_new(fd(5)).unwrap();
        assert!(t.get(fd(5)).is_none(), "a slot alone is no registration");
        assert!(t.get(fd(70_000)).is_none());
    }
}
