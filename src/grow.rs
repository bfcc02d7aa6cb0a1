//! Lists that say so when there is no memory for more, instead of ending the process, and that take any index.

use nix::errno::Errno;
use std::collections::VecDeque;

pub(crate) trait Grow<T> {
    /// Adds `x` at the end. `ENOMEM`: there was neither room nor memory, and nothing has changed.
    fn try_push(&mut self, x: T) -> Result<(), Errno>;

    /// [`Grow::try_push`] where room was made before.
    #[inline]
    fn put(&mut self, x: T) {
        let added = self.try_push(x);
        debug_assert!(added.is_ok(), "no room was made");
    }
}

// The second look at the capacity says nothing new to a reader, but it shows the compiler that `push` has room, so
// that no way to its panic is left in the library.

impl<T> Grow<T> for Vec<T> {
    #[inline]
    fn try_push(&mut self, x: T) -> Result<(), Errno> {
        if self.len() == self.capacity() {
            self.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        }
        if self.len() < self.capacity() {
            self.push(x);
            Ok(())
        } else {
            Err(Errno::ENOMEM)
        }
    }
}

impl<T> Grow<T> for VecDeque<T> {
    #[inline]
    fn try_push(&mut self, x: T) -> Result<(), Errno> {
        if self.len() == self.capacity() {
            self.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        }
        if self.len() < self.capacity() {
            self.push_back(x);
            Ok(())
        } else {
            Err(Errno::ENOMEM)
        }
    }
}

/// Adds all of `items`, or nothing.
pub(crate) fn try_extend<T: Copy>(v: &mut Vec<T>, items: &[T]) -> Result<(), Errno> {
    v.try_reserve(items.len()).map_err(|_| Errno::ENOMEM)?;
    if v.capacity() - v.len() < items.len() {
        return Err(Errno::ENOMEM);
    }
    v.extend_from_slice(items);
    Ok(())
}

/// Makes `v` at least `n` long.
pub(crate) fn try_lengthen<T: Default>(v: &mut Vec<T>, n: usize) -> Result<(), Errno> {
    while v.len() < n {
        if v.len() == v.capacity() {
            v.try_reserve(n - v.len()).map_err(|_| Errno::ENOMEM)?;
        }
        v.try_push(T::default())?;
    }
    Ok(())
}

/// Removes element `i`, if there is one. The last one gets its place.
#[inline]
pub(crate) fn take_out<T>(v: &mut Vec<T>, i: usize) {
    if i < v.len()
        && let Some(last) = v.pop()
        && let Some(place) = v.get_mut(i)
    {
        *place = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_changes_nothing() {
        let mut v = vec![1u8, 2];
        assert_eq!(try_lengthen(&mut v, usize::MAX), Err(Errno::ENOMEM));
        assert_eq!(v, [1, 2]);
        assert_eq!(v.try_push(3), Ok(()));
        assert_eq!(try_extend(&mut v, &[4, 5]), Ok(()));
        assert_eq!(try_lengthen(&mut v, 7), Ok(()));
        assert_eq!(try_lengthen(&mut v, 3), Ok(()));
        assert_eq!(v, [1, 2, 3, 4, 5, 0, 0]);
        for i in [0, 5, 5, 9] {
            take_out(&mut v, i);
        }
        assert_eq!(v, [0, 2, 3, 4, 5]);
        let mut q = VecDeque::from([1]);
        (2..100).for_each(|x| q.try_push(x).unwrap());
        assert!(q.into_iter().eq(1..100));
    }
}
