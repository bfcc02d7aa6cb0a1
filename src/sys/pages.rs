//! A map from numbers to values, in pages. A page is allocated when one of its numbers is first used, and is never moved or
//! freed. So references are valid as long as the process lives, and a look-up takes two loads and no lock.

use super::lock::ForkLock;
use super::mem::boxed_array;
use crate::grow::Grow;
use nix::errno::Errno;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// How many values a page has. A page of [`Slot`](crate::slot::Slot)s, of 64 bytes each, has 4 KiB.
const PAGE: usize = 64;
/// How many pages are found by an index: those of the numbers below 2^20. Usual limits allow no larger ones.
const NEAR: usize = (1 << 20) / PAGE;

type Page<T> = [T; PAGE];

/// Values for all numbers up to `u32::MAX`.
pub(crate) struct Pages<T: 'static> {
    near: [AtomicPtr<Page<T>>; NEAR],
    /// The pages of larger numbers, by number of the page.
    far: ForkLock<Vec<(usize, &'static Page<T>)>>,
}

impl<T: Default + Sync> Pages<T> {
    pub(crate) const fn new() -> Pages<T> {
        Pages { near: [const { AtomicPtr::new(ptr::null_mut()) }; NEAR], far: ForkLock::new(Vec::new()) }
    }

    /// The value of a number below 2^20, if it has a page; `None` for larger numbers.
    #[inline(always)]
    pub(crate) fn near(&self, number: u64) -> Option<&'static T> {
        let page = self.near.get(usize::try_from(number / PAGE as u64).ok()?)?.load(Ordering::Acquire);
        // SAFETY: NULL, or a page that was stored after it was filled and lives for good.
        Some(&unsafe { page.as_ref() }?[number as usize % PAGE])
    }

    /// The value of any number, if it has a page.
    #[inline(always)]
    pub(crate) fn get(&self, number: u32) -> Option<&'static T> {
        if (number as usize) < NEAR * PAGE { self.near(number.into()) } else { self.far(number) }
    }

    #[cold]
    fn far(&self, number: u32) -> Option<&'static T> {
        let far = self.far.lock();
        let i = far.binary_search_by_key(&(number as usize / PAGE), |&(n, _)| n).ok()?;
        far.get(i).map(|(_, page)| &page[number as usize % PAGE])
    }

    /// The value of any number. Allocates the page if there is none.
    pub(crate) fn get_or_make(&self, number: u32) -> Result<&'static T, Errno> {
        if let Some(value) = self.get(number) {
            return Ok(value);
        }
        let n = number as usize / PAGE;
        let page = match self.near.get(n) {
            Some(place) => publish(place)?,
            None => self.make_far(n)?,
        };
        Ok(&page[number as usize % PAGE])
    }

    fn make_far(&self, n: usize) -> Result<&'static Page<T>, Errno> {
        let mut far = self.far.lock();
        match far.binary_search_by_key(&n, |&(n, _)| n) {
            Ok(i) => far.get(i).map(|&(_, page)| page).ok_or(Errno::ENOMEM),
            Err(i) => {
                let page = Box::leak(boxed_array()?);
                far.try_push((n, page))?;
                if let Some(from_place) = far.get_mut(i..).filter(|from_place| !from_place.is_empty()) {
                    from_place.rotate_right(1);
                }
                Ok(page)
            }
        }
    }

    /// Calls `f` with each value that has a page, in ascending order of the numbers.
    pub(crate) fn for_each(&self, mut f: impl FnMut(u32, &'static T)) {
        for (n, place) in self.near.iter().enumerate() {
            // SAFETY: as in `near`.
            if let Some(page) = unsafe { place.load(Ordering::Acquire).as_ref() } {
                each(n, page, &mut f);
            }
        }
        let mut i = 0;
        // The lock is not held while `f` runs, because `f` may look a number up.
        loop {
            let far = self.far.lock();
            let Some(&(n, page)) = far.get(i) else { return };
            drop(far);
            each(n, page, &mut f);
            i += 1;
        }
    }

    /// For a new child process. If another thread of the parent was changing the list of far pages, the child forgets them.
    pub(crate) fn in_child(&self) {
        self.far.in_child(|far, torn| {
            if torn {
                std::mem::forget(std::mem::take(far));
            }
        });
    }
}

fn each<T>(n: usize, page: &'static Page<T>, f: &mut impl FnMut(u32, &'static T)) {
    for (i, value) in page.iter().enumerate() {
        f((n * PAGE + i) as u32, value);
    }
}

/// The page at that place. Allocates one if there is none. If two threads do so at once, the first one's stays.
fn publish<T: Default>(place: &AtomicPtr<Page<T>>) -> Result<&'static Page<T>, Errno> {
    let fresh = Box::into_raw(boxed_array::<T, PAGE>()?);
    match place.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: filled, and never freed from now on.
        Ok(_) => Ok(unsafe { &*fresh }),
        Err(first) => {
            // SAFETY: nobody else has seen the one; the other was published.
            unsafe {
                drop(Box::from_raw(fresh));
                Ok(&*first)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn far_and_near_numbers_keep_their_own_value() {
        let pages: &'static Pages<AtomicU32> = crate::sys::mem::kept(Pages::new());
        let numbers = [0, 63, 64, (1 << 20) - 1, 1 << 20, 5_000_000, i32::MAX as u32, 3_000_000, u32::MAX];
        assert!(numbers.iter().all(|&n| pages.get(n).is_none()));
        for n in numbers {
            pages.get_or_make(n).unwrap().store(n, Ordering::Relaxed);
        }
        assert!(numbers.iter().all(|&n| pages.get(n).unwrap().load(Ordering::Relaxed) == n));
        assert!(pages.near(1 << 20).is_none() && pages.near(u64::MAX).is_none());
        let mut sum = 0;
        let mut last = None;
        pages.for_each(|n, value| {
            assert!(last.is_none_or(|last| last < n));
            last = Some(n);
            sum += u64::from(value.load(Ordering::Relaxed));
        });
        assert_eq!(sum, numbers.iter().map(|&n| u64::from(n)).sum::<u64>());
    }
}
