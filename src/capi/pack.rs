//! `uint32.h` and `uint64.h`: numbers to and from bytes of any alignment. Declared by hand in `include/`.
//!
//! NULL to write to is left alone and NULL to read from reads as 0; libowfat crashes there. None of these can
//! panic, so none needs the guard.

use crate::sys::mem::{load, store};
use std::ffi::c_char;

/// Writes `n` to `out`, least significant byte first.
///
/// # Safety
/// `out` is NULL or has room for 4 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint32_pack(out: *mut c_char, n: u32) {
    // SAFETY: by the contract above.
    unsafe { store(out.cast(), n.to_le_bytes()) }
}

/// Writes `n` to `out`, most significant byte first.
///
/// # Safety
/// `out` is NULL or has room for 4 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint32_pack_big(out: *mut c_char, n: u32) {
    // SAFETY: by the contract above.
    unsafe { store(out.cast(), n.to_be_bytes()) }
}

/// Sets `out` to the number at `bytes`, least significant byte first.
///
/// # Safety
/// `bytes` is NULL or holds 4 bytes, `out` is NULL or a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint32_unpack(bytes: *const c_char, out: *mut u32) {
    // SAFETY: by the contract above.
    unsafe { store(out, uint32_read(bytes)) }
}

/// Sets `out` to the number at `bytes`, most significant byte first.
///
/// # Safety
/// `bytes` is NULL or holds 4 bytes, `out` is NULL or a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint32_unpack_big(bytes: *const c_char, out: *mut u32) {
    // SAFETY: by the contract above.
    unsafe { store(out, uint32_read_big(bytes)) }
}

/// Returns the number at `bytes`, least significant byte first.
///
/// # Safety
/// `bytes` is NULL or holds 4 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint32_read(bytes: *const c_char) -> u32 {
    // SAFETY: by the contract above.
    unsafe { load(bytes.cast()) }.map_or(0, u32::from_le_bytes)
}

/// Returns the number at `bytes`, most significant byte first.
///
/// # Safety
/// `bytes` is NULL or holds 4 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint32_read_big(bytes: *const c_char) -> u32 {
    // SAFETY: by the contract above.
    unsafe { load(bytes.cast()) }.map_or(0, u32::from_be_bytes)
}

/// Writes `n` to `out`, least significant byte first.
///
/// # Safety
/// `out` is NULL or has room for 8 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint64_pack(out: *mut c_char, n: u64) {
    // SAFETY: by the contract above.
    unsafe { store(out.cast(), n.to_le_bytes()) }
}

/// Writes `n` to `out`, most significant byte first.
///
/// # Safety
/// `out` is NULL or has room for 8 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint64_pack_big(out: *mut c_char, n: u64) {
    // SAFETY: by the contract above.
    unsafe { store(out.cast(), n.to_be_bytes()) }
}

/// Sets `out` to the number at `bytes`, least significant byte first.
///
/// # Safety
/// `bytes` is NULL or holds 8 bytes, `out` is NULL or a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint64_unpack(bytes: *const c_char, out: *mut u64) {
    // SAFETY: by the contract above.
    unsafe { store(out, uint64_read(bytes)) }
}

/// Sets `out` to the number at `bytes`, most significant byte first.
///
/// # Safety
/// `bytes` is NULL or holds 8 bytes, `out` is NULL or a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint64_unpack_big(bytes: *const c_char, out: *mut u64) {
    // SAFETY: by the contract above.
    unsafe { store(out, uint64_read_big(bytes)) }
}

/// Returns the number at `bytes`, least significant byte first.
///
/// # Safety
/// `bytes` is NULL or holds 8 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint64_read(bytes: *const c_char) -> u64 {
    // SAFETY: by the contract above.
    unsafe { load(bytes.cast()) }.map_or(0, u64::from_le_bytes)
}

/// Returns the number at `bytes`, most significant byte first.
///
/// # Safety
/// `bytes` is NULL or holds 8 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uint64_read_big(bytes: *const c_char) -> u64 {
    // SAFETY: by the contract above.
    unsafe { load(bytes.cast()) }.map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_alignment_and_both_orders() {
        let mut buf = [0; 9];
        // SAFETY: the buffer has room for 8 bytes from its second one on.
        unsafe {
            uint64_pack(buf[1..].as_mut_ptr(), 0x0102_0304_0506_0708);
            assert_eq!(buf, [0, 8, 7, 6, 5, 4, 3, 2, 1]);
            assert_eq!(uint64_read_big(buf[1..].as_ptr()), 0x0807_0605_0403_0201);
            uint32_pack_big(buf[1..].as_mut_ptr(), 0x0a0b_0c0d);
            assert_eq!(buf, [0, 10, 11, 12, 13, 4, 3, 2, 1]);
            assert_eq!(uint32_read(buf[1..].as_ptr()), 0x0d0c_0b0a);
        }
    }

    #[test]
    fn null_is_harmless() {
        let mut n = 7;
        // SAFETY: NULL is allowed.
        unsafe {
            uint64_pack(std::ptr::null_mut(), 1);
            uint64_unpack(std::ptr::null(), &mut n);
        }
        assert_eq!(n, 0);
    }
}
