//! `uint16.h`, `uint32.h` and `uint64.h`: numbers to and from bytes of any alignment. Declared by hand in `include/`.
//!
//! NULL to write to is left alone and NULL to read from reads as 0; libowfat crashes there. None of these can
//! panic, so none needs the guard.

use crate::sys::mem::{load, store};
use std::ffi::c_char;

/// The six functions of one size.
macro_rules! functions {
    ($number:ty, $pack:ident, $pack_big:ident, $unpack:ident, $unpack_big:ident, $read:ident, $read_big:ident) => {
        /// Writes `n` to `out`, least significant byte first.
        ///
        /// # Safety
        /// `out` is NULL or has room for a number.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $pack(out: *mut c_char, n: $number) {
            // SAFETY: by the contract above.
            unsafe { store(out.cast(), n.to_le_bytes()) }
        }

        /// Writes `n` to `out`, most significant byte first.
        ///
        /// # Safety
        /// `out` is NULL or has room for a number.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $pack_big(out: *mut c_char, n: $number) {
            // SAFETY: by the contract above.
            unsafe { store(out.cast(), n.to_be_bytes()) }
        }

        /// Sets `out` to the number at `bytes`, least significant byte first.
        ///
        /// # Safety
        /// `bytes` is NULL or holds a number, `out` is NULL or a number.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $unpack(bytes: *const c_char, out: *mut $number) {
            // SAFETY: by the contract above.
            unsafe { store(out, $read(bytes)) }
        }

        /// Sets `out` to the number at `bytes`, most significant byte first.
        ///
        /// # Safety
        /// `bytes` is NULL or holds a number, `out` is NULL or a number.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $unpack_big(bytes: *const c_char, out: *mut $number) {
            // SAFETY: by the contract above.
            unsafe { store(out, $read_big(bytes)) }
        }

        /// Returns the number at `bytes`, least significant byte first.
        ///
        /// # Safety
        /// `bytes` is NULL or holds a number.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $read(bytes: *const c_char) -> $number {
            // SAFETY: by the contract above.
            unsafe { load(bytes.cast()) }.map_or(0, <$number>::from_le_bytes)
        }

        /// Returns the number at `bytes`, most significant byte first.
        ///
        /// # Safety
        /// `bytes` is NULL or holds a number.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $read_big(bytes: *const c_char) -> $number {
            // SAFETY: by the contract above.
            unsafe { load(bytes.cast()) }.map_or(0, <$number>::from_be_bytes)
        }
    };
}

functions!(u16, uint16_pack, uint16_pack_big, uint16_unpack, uint16_unpack_big, uint16_read, uint16_read_big);
functions!(u32, uint32_pack, uint32_pack_big, uint32_unpack, uint32_unpack_big, uint32_read, uint32_read_big);
functions!(u64, uint64_pack, uint64_pack_big, uint64_unpack, uint64_unpack_big, uint64_read, uint64_read_big);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_at_any_alignment_and_in_both_byte_orders() {
        let mut buf = [0; 9];
        // SAFETY: the buffer has room for 8 bytes from its second one on.
        unsafe {
            uint64_pack(buf[1..].as_mut_ptr(), 0x0102_0304_0506_0708);
            assert_eq!(buf, [0, 8, 7, 6, 5, 4, 3, 2, 1]);
            assert_eq!(uint64_read_big(buf[1..].as_ptr()), 0x0807_0605_0403_0201);
            uint32_pack_big(buf[1..].as_mut_ptr(), 0x0a0b_0c0d);
            assert_eq!(buf, [0, 10, 11, 12, 13, 4, 3, 2, 1]);
            assert_eq!(uint32_read(buf[1..].as_ptr()), 0x0d0c_0b0a);
            uint16_pack(buf[1..].as_mut_ptr(), 0x0e0f);
            assert_eq!(buf, [0, 15, 14, 12, 13, 4, 3, 2, 1]);
            assert_eq!(uint16_read_big(buf[1..].as_ptr()), 0x0f0e);
        }
    }

    #[test]
    fn null_is_read_as_0_and_not_written_to() {
        let mut n = 7;
        // SAFETY: NULL is allowed.
        unsafe {
            uint64_pack(std::ptr::null_mut(), 1);
            uint64_unpack(std::ptr::null(), &mut n);
        }
        assert_eq!(n, 0);
    }
}
