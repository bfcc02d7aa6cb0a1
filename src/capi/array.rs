//! `array.h`: libowfat's growing array. Declared by hand in `include/array.h`.
//!
//! A NULL array answers like a failed one; libowfat crashes there.

use super::entry::guard_state;
use crate::array;
use crate::ctypes::Array;
use nix::errno::Errno;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

/// Makes sure that member `pos` (counted from 0) of `membersize` bytes each exists, new bytes being 0.
///
/// Returns its address, which the next change of the array makes invalid. NULL for a failed array
/// (`ENOMEM`), a negative `pos` (`EINVAL`) or a lack of memory (`ENOMEM`); the array is untouched then.
///
/// # Safety
/// `x` is NULL or an array that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_allocate(x: *mut Array, membersize: u64, pos: i64) -> *mut c_void {
    guard_state(ptr::null_mut(), || {
        // SAFETY: by the contract above.
        let found =
            unsafe { x.as_mut() }.ok_or(Errno::EINVAL).and_then(|x| array::allocate(x, membersize, pos));
        found.map_or_else(
            |e| {
                e.set();
                ptr::null_mut()
            },
            |p| p.cast(),
        )
    })
}

/// Returns the address of member `pos`, or NULL if it does not start within the bytes in use.
///
/// # Safety
/// `x` is NULL or an array that nobody changes during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_get(x: *const Array, membersize: u64, pos: i64) -> *mut c_void {
    guard_state(ptr::null_mut(), || {
        // SAFETY: by the contract above.
        let found = unsafe { x.as_ref() }.and_then(|x| array::get(x, membersize, pos));
        found.map_or(ptr::null_mut(), |p| p.cast())
    })
}

/// Returns the address of the first byte, or NULL if nothing is allocated.
///
/// # Safety
/// `x` is NULL or an array that nobody changes during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_start(x: *const Array) -> *mut c_void {
    // SAFETY: by the contract above.
    guard_state(ptr::null_mut(), || unsafe { x.as_ref() }.map_or(ptr::null_mut(), |x| array::start(x).cast()))
}

/// Returns the number of whole members in use, or -1 for a failed array or a `membersize` of 0.
///
/// # Safety
/// `x` is NULL or an array that nobody changes during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_length(x: *const Array, membersize: u64) -> i64 {
    let length = |x| array::length(x, membersize);
    // SAFETY: by the contract above.
    guard_state(-1, || unsafe { x.as_ref() }.and_then(length).map_or(-1, |n| n as i64))
}

/// Returns the number of bytes in use, or -1 for a failed array.
///
/// # Safety
/// `x` is NULL or an array that nobody changes during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_bytes(x: *const Array) -> i64 {
    // SAFETY: by the contract above.
    guard_state(-1, || unsafe { x.as_ref() }.and_then(array::bytes).map_or(-1, |n| n as i64))
}

/// Lowers the bytes in use to `len` members; keeps the memory. Never raises them.
///
/// # Safety
/// `x` is NULL or an array that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_truncate(x: *mut Array, membersize: u64, len: i64) {
    // SAFETY: by the contract above.
    guard_state((), || unsafe { x.as_mut() }.map_or((), |x| array::truncate(x, membersize, len)));
}

/// Empties the array; keeps the memory.
///
/// # Safety
/// `x` is NULL or an array that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_trunc(x: *mut Array) {
    // SAFETY: by the contract above.
    guard_state((), || unsafe { x.as_mut() }.map_or((), |x| array::truncate(x, 1, 0)));
}

/// Frees the memory. The array is empty afterwards, whatever it was.
///
/// # Safety
/// `x` is NULL or an array that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_reset(x: *mut Array) {
    // SAFETY: by the contract above.
    guard_state((), || unsafe { x.as_mut() }.map_or((), array::reset));
}

/// Frees the memory and marks the array as failed until `array_reset`.
///
/// # Safety
/// `x` is NULL or an array that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_fail(x: *mut Array) {
    // SAFETY: by the contract above.
    guard_state((), || unsafe { x.as_mut() }.map_or((), array::fail));
}

/// Returns 1 if both arrays hold the same bytes, else 0. Empty and failed arrays hold none.
///
/// # Safety
/// `x` and `y` are NULL or arrays that nobody changes during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_equal(x: *const Array, y: *const Array) -> c_int {
    // SAFETY: by the contract above.
    guard_state(0, || match unsafe { (x.as_ref(), y.as_ref()) } {
        (Some(x), Some(y)) => c_int::from(array::contents(x) == array::contents(y)),
        _ => 0,
    })
}

/// Appends the bytes of `from`, which may be `to` itself. A failed `from`, or a lack of memory, makes `to` fail.
///
/// # Safety
/// `to` and `from` are NULL or arrays that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_cat(to: *mut Array, from: *const Array) {
    guard_state((), || {
        // SAFETY: by the contract above; the reference ends before `to` is changed.
        let all = unsafe { from.as_ref() }.and_then(array::all);
        // SAFETY: by the contract above.
        unsafe { append_piece(to, all) }
    });
}

/// Appends bytes `pos` to `stop`-1 of `from`, which may be `to` itself. A range that is negative, backwards,
/// or ends past the bytes in use makes `to` fail, and so does a lack of memory. (libowfat reads past the end.)
///
/// # Safety
/// `to` and `from` are NULL or arrays that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_cate(to: *mut Array, from: *const Array, pos: i64, stop: i64) {
    guard_state((), || {
        // SAFETY: by the contract above; the reference ends before `to` is changed.
        let part = unsafe { from.as_ref() }.and_then(|from| array::part(from, pos, stop));
        // SAFETY: by the contract above.
        unsafe { append_piece(to, part) }
    });
}

/// Appends `len` bytes at `from`, which may lie in the array. A lack of memory makes the array fail.
///
/// # Safety
/// `to` is NULL or an array that nobody else uses during the call; `from` holds `len` bytes, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_catb(to: *mut Array, from: *const c_char, len: u64) {
    // SAFETY: by the contract above.
    guard_state((), || unsafe { append_piece(to, piece(from, len)) });
}

/// Appends the string `from` without its terminating 0 byte.
///
/// # Safety
/// `to` is NULL or an array that nobody else uses during the call; `from` is a C string, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_cats(to: *mut Array, from: *const c_char) {
    // SAFETY: by the contract above.
    guard_state((), || unsafe { append_piece(to, string(from, 0)) });
}

/// Appends the string `from` with its terminating 0 byte.
///
/// # Safety
/// `to` is NULL or an array that nobody else uses during the call; `from` is a C string, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_cats0(to: *mut Array, from: *const c_char) {
    // SAFETY: by the contract above.
    guard_state((), || unsafe { append_piece(to, string(from, 1)) });
}

/// Appends a 0 byte.
///
/// # Safety
/// `to` is NULL or an array that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_cat0(to: *mut Array) {
    // SAFETY: by the contract above; the literal is one 0 byte.
    guard_state((), || unsafe { append_piece(to, piece(c"".as_ptr(), 1)) });
}

/// Drops `members` members, or what there is, from the front; the rest moves up. Keeps the memory.
///
/// # Safety
/// `x` is NULL or an array that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_shift(x: *mut Array, membersize: u64, members: u64) {
    // SAFETY: by the contract above.
    guard_state((), || unsafe { x.as_mut() }.map_or((), |x| array::shift(x, membersize, members)));
}

/// Drops `members` members, or what there is, from the end. Keeps the memory.
///
/// # Safety
/// `x` is NULL or an array that nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn array_chop(x: *mut Array, membersize: u64, members: u64) {
    // SAFETY: by the contract above.
    guard_state((), || unsafe { x.as_mut() }.map_or((), |x| array::chop(x, membersize, members)));
}

/// `len` bytes at `p`; NULL is a piece only if empty.
fn piece(p: *const c_char, len: u64) -> Option<(*const u8, u64)> {
    (len == 0 || !p.is_null()).then_some((p.cast(), len))
}

/// A C string with `extra` bytes from its terminating 0 on.
///
/// # Safety
/// `s` is NULL or a C string.
unsafe fn string(s: *const c_char, extra: u64) -> Option<(*const u8, u64)> {
    // SAFETY: by the contract above.
    (!s.is_null()).then(|| (s.cast(), unsafe { CStr::from_ptr(s) }.count_bytes() as u64 + extra))
}

/// Appends a piece of an array; `None` makes `to` fail. The piece is an address and not a slice, because it may
/// lie in `to`.
///
/// # Safety
/// `to` is NULL or an array that nobody else uses, and `piece` can be read.
unsafe fn append_piece(to: *mut Array, piece: Option<(*const u8, u64)>) {
    // SAFETY: by the contract above.
    match (unsafe { to.as_mut() }, piece) {
        // SAFETY: by the contract above.
        (Some(to), Some((p, len))) => unsafe { array::append(to, p, len) },
        (Some(to), None) => array::fail(to),
        (None, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_answers_like_a_failed_array() {
        let none = ptr::null_mut();
        // SAFETY: NULL is allowed everywhere.
        unsafe {
            assert_eq!((array_bytes(none), array_length(none, 1), array_equal(none, none)), (-1, -1, 0));
            assert!(array_start(none).is_null() && array_get(none, 1, 0).is_null());
            assert_eq!((array_allocate(none, 1, 0).is_null(), Errno::last()), (true, Errno::EINVAL));
            array_cat0(none);
            array_reset(none);
        }
    }

    #[test]
    fn a_source_that_is_not_there_makes_the_array_fail() {
        for way in 0..5 {
            let mut x = Array { p: ptr::null_mut(), allocated: 0, initialized: 0, headroom: 0 };
            let p = &raw mut x;
            // SAFETY: one live array.
            unsafe {
                array_catb(p, ptr::null(), 0);
                assert_eq!(array_bytes(p), 0);
                array_cats0(p, c"abc".as_ptr());
                assert_eq!((array_bytes(p), array_length(p, 3), array_length(p, 0)), (4, 1, -1));
                match way {
                    0 => array_cat(p, ptr::null()),
                    1 => array_cate(p, ptr::null(), 0, 0),
                    2 => array_catb(p, ptr::null(), 1),
                    3 => array_cats(p, ptr::null()),
                    _ => array_cats0(p, ptr::null()),
                }
                assert_eq!(array_bytes(p), -1, "{way}");
            }
        }
    }
}
