//! Vectors that return an error if there is no memory, instead of ending the process, and that accept any index.

use nix::errno::Errno;

pub(crate) trait Grow<T> {
    /// Adds `x` at the end. If there is neither room nor memory, returns `ENOMEM` and changes nothing.
    fn try_push(&mut self, x: T) -> Result<(), Errno>;

    /// Adds `x` at the end, where room was made before.
    fn put(&mut self, x: T);
}

// The second test of the capacity proves to the compiler that `push` has room, so that the library has no path to its panic.

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

    #[inline(always)]
    fn put(&mut self, x: T) {
        debug_assert!(self.len() < self.capacity(), "no room was made");
        if self.len() < self.capacity() {
            self.push(x);
        }
    }
}

/// Removes element `i`, if there is one. The last one takes its place.
#[inline]
pub(crate) fn take_out<T>(v: &mut Vec<T>, i: usize) {
    if i >= v.len() {
        return;
    }
    let Some(last) = v.pop() else { return };
    if let Some(place) = v.get_mut(i) {
        *place = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_that_is_taken_out_is_replaced_by_the_last_one() {
        let mut v = vec![1u8, 2];
        assert_eq!(v.try_push(3), Ok(()));
        for i in [0, 2, 2, 9] {
            take_out(&mut v, i);
        }
        assert_eq!(v, [3, 2]);
    }
}
