//! The kernel's clocks.

use libc::{CLOCK_MONOTONIC, CLOCK_REALTIME, clockid_t};
use nix::errno::Errno;
use std::mem::MaybeUninit;

/// Seconds and nanoseconds since 1970.
pub(crate) fn real() -> Result<(i64, i64), Errno> {
    read(CLOCK_REALTIME)
}

/// Seconds and nanoseconds of a clock that cannot be set.
pub(crate) fn monotonic() -> Result<(i64, i64), Errno> {
    read(CLOCK_MONOTONIC)
}

fn read(clock: clockid_t) -> Result<(i64, i64), Errno> {
    let mut t = MaybeUninit::uninit();
    // SAFETY: `t` has room for what the call writes.
    Errno::result(unsafe { kernel::clock_gettime(clock, t.as_mut_ptr()) })?;
    // SAFETY: filled, because the call succeeded.
    Ok(kernel::parts(unsafe { t.assume_init() }))
}

#[cfg(not(all(target_env = "gnu", target_pointer_width = "32")))]
mod kernel {
    pub(super) use libc::clock_gettime;

    pub(super) fn parts(t: libc::timespec) -> (i64, i64) {
        (t.tv_sec, t.tv_nsec)
    }
}

/// On a 32-bit glibc `clock_gettime` has seconds of 32 bits, which end in 2038. This is the name that programs built with
/// `_TIME_BITS=64` use (glibc 2.34).
#[cfg(all(target_env = "gnu", target_pointer_width = "32"))]
mod kernel {
    #[repr(C)]
    pub(super) struct Time {
        seconds: i64,
        #[cfg(target_endian = "big")]
        padding: i32,
        nanoseconds: i32,
        #[cfg(target_endian = "little")]
        padding: i32,
    }

    unsafe extern "C" {
        #[link_name = "__clock_gettime64"]
        pub(super) fn clock_gettime(clock: libc::clockid_t, t: *mut Time) -> libc::c_int;
    }

    pub(super) fn parts(t: Time) -> (i64, i64) {
        (t.seconds, t.nanoseconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_forward_and_agree_with_std() {
        let (first, second) = (monotonic().unwrap(), monotonic().unwrap());
        assert!(first <= second && (0..1_000_000_000).contains(&first.1));
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        assert!((now - 1..=now + 60).contains(&real().unwrap().0));
    }
}
