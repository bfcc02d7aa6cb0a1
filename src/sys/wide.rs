//! System calls with file offsets of 64 bits, on every system.
//!
//! A 32-bit glibc has separate names for them (feature_test_macros(7), `_FILE_OFFSET_BITS`); its plain fstat(2) fails for
//! large files and inode numbers. musl has only 64 bits, but before 1.2.5 it has no `preadv2` and `pwritev2`.

#[cfg(not(all(target_env = "gnu", target_pointer_width = "32")))]
pub(in crate::sys) use libc::{fstat, ftruncate, getrlimit, off_t, pwrite, rlimit, stat};
#[cfg(all(target_env = "gnu", target_pointer_width = "32"))]
pub(in crate::sys) use libc::{
    fstat64 as fstat, ftruncate64 as ftruncate, getrlimit64 as getrlimit, off64_t as off_t,
    pwrite64 as pwrite, rlimit64 as rlimit, stat64 as stat,
};
#[cfg(not(any(owfat_portable, all(target_env = "gnu", target_pointer_width = "32"))))]
pub(in crate::sys) use libc::{posix_fadvise, sendfile};
#[cfg(all(target_env = "gnu", target_pointer_width = "32", not(owfat_portable)))]
pub(in crate::sys) use libc::{posix_fadvise64 as posix_fadvise, sendfile64 as sendfile};
#[cfg(not(any(target_env = "gnu", owfat_portable)))]
pub(in crate::sys) use vectors::{preadv2, pwritev2};

#[cfg(not(any(target_env = "gnu", owfat_portable)))]
mod vectors {
    use super::off_t;
    use libc::{c_int, c_long, iovec, syscall};

    /// # Safety
    /// As for preadv2(2).
    pub(in crate::sys) unsafe fn preadv2(
        fd: c_int,
        v: *const iovec,
        n: c_int,
        at: off_t,
        how: c_int,
    ) -> isize {
        // SAFETY: the caller's promise.
        unsafe { call(libc::SYS_preadv2, fd, v, n, at, how) }
    }

    /// # Safety
    /// As for pwritev2(2).
    pub(in crate::sys) unsafe fn pwritev2(
        fd: c_int,
        v: *const iovec,
        n: c_int,
        at: off_t,
        how: c_int,
    ) -> isize {
        // SAFETY: the caller's promise.
        unsafe { call(libc::SYS_pwritev2, fd, v, n, at, how) }
    }

    /// The kernel takes an offset in two halves. On a 64-bit machine the low one holds all of it.
    ///
    /// # Safety
    /// As for the call of that number.
    unsafe fn call(number: c_long, fd: c_int, v: *const iovec, n: c_int, at: off_t, how: c_int) -> isize {
        let (low, high) = (at as c_long, (at >> 32) as c_long);
        // SAFETY: the caller's promise.
        unsafe { syscall(number, fd as c_long, v, n as c_long, low, high, how as c_long) as isize }
    }
}
