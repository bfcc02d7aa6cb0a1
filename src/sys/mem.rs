//! Memory shared with C: `malloc` blocks, and objects in the caller's memory.

use super::count::{Call, count};
use super::keep_errno;
use super::system::usable;
use nix::errno::Errno;
use std::alloc::{Layout, alloc};
use std::ptr::NonNull;

/// realloc(3). If it fails, the old block is unchanged.
///
/// # Safety
/// `p` is NULL or the start of a live `malloc` block, and `size` is not 0. On success no pointer into the
/// old block is used any more.
pub(crate) unsafe fn realloc(p: *mut u8, size: usize) -> Result<NonNull<u8>, Errno> {
    debug_assert_ne!(size, 0, "realloc to 0 may free");
    // SAFETY: the caller's promise is what realloc(3) asks for.
    let new = unsafe { libc::realloc(p.cast(), size) };
    NonNull::new(new.cast()).ok_or(Errno::ENOMEM)
}

/// free(3) that keeps errno, which C libraries older than glibc 2.33 may change.
///
/// # Safety
/// `p` is NULL or the start of a live `malloc` block that nobody uses any more.
pub(crate) unsafe fn free(p: *mut u8) {
    // SAFETY: the caller's promise is what free(3) asks for.
    keep_errno(|| unsafe { libc::free(p.cast()) });
}

/// Whether a `malloc` block has at least `size` bytes. No, if the system does not tell.
///
/// # Safety
/// `p` is the start of a live `malloc` block.
#[inline]
pub(crate) unsafe fn has(p: NonNull<u8>, size: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe { usable(p) >= size }
}

/// `Box::new` that returns an error if memory is short, instead of ending the process.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, Errno> {
    let room = allocate::<T>()?;
    // SAFETY: room for a `T`, which the box owns from now on.
    unsafe {
        room.write(value);
        Ok(Box::from_raw(room.as_ptr()))
    }
}

/// For tests: a value that stays for good, and that LeakSanitizer finds from here.
#[cfg(test)]
pub(crate) fn kept<T>(value: T) -> &'static mut T {
    use std::sync::{Mutex, atomic::AtomicPtr};
    static KEPT: Mutex<Vec<AtomicPtr<()>>> = Mutex::new(Vec::new());
    let value = Box::leak(Box::new(value));
    let place = AtomicPtr::new(std::ptr::from_mut(value).cast());
    KEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(place);
    value
}

/// [`boxed`] for an array of default values, which is built in place, because the stack may be small.
pub(crate) fn boxed_array<T: Default, const N: usize>() -> Result<Box<[T; N]>, Errno> {
    let room = allocate::<[T; N]>()?;
    // SAFETY: room for `N` values, which are all written before the box owns them.
    unsafe {
        (0..N).for_each(|i| room.cast::<T>().add(i).write(T::default()));
        Ok(Box::from_raw(room.as_ptr()))
    }
}

fn allocate<T>() -> Result<NonNull<T>, Errno> {
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: of a size that is not 0.
    let p = unsafe { alloc(Layout::new::<T>()) };
    NonNull::new(p.cast()).ok_or(Errno::ENOMEM)
}

/// A copy of what `p` points to; `None` for NULL. Alignment does not matter.
///
/// # Safety
/// `p` is NULL or points to a `T`.
pub(crate) unsafe fn load<T: Copy>(p: *const T) -> Option<T> {
    // SAFETY: by the contract above.
    (!p.is_null()).then(|| unsafe { p.read_unaligned() })
}

/// Overwrites what `p` points to; does nothing for NULL. Alignment does not matter.
///
/// # Safety
/// `p` is NULL or points to room for a `T`.
pub(crate) unsafe fn store<T: Copy>(p: *mut T, value: T) {
    if !p.is_null() {
        // SAFETY: by the contract above.
        unsafe { p.write_unaligned(value) };
    }
}

/// Unmaps a mapping of the caller.
///
/// # Safety
/// The `n` bytes at `p` are a mapping that nobody uses any more, or `n` is 0.
pub(crate) unsafe fn unmap(p: *mut u8, n: usize) {
    if n != 0 {
        count(Call::Munmap);
        // SAFETY: the caller's promise is what munmap(2) asks for.
        unsafe { libc::munmap(p.cast(), n) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_holds_its_value_and_one_that_is_too_large_is_an_error() {
        assert_eq!(*boxed([7u8; 100]).unwrap(), [7; 100]);
        assert_eq!(*boxed_array::<u16, 300>().unwrap(), [0; 300]);
        #[cfg(target_pointer_width = "64")]
        assert_eq!(boxed_array::<u8, { 1 << 46 }>(), Err(Errno::ENOMEM));
    }
}
