//! `tai.h` and `taia.h`: TAI64 and TAI64NA labels. Declared by hand in `include/`.
//!
//! Inputs are copied before the output is written, so they may overlap. A NULL input makes a function leave
//! its output alone; libowfat crashes there. Everything is wrapping arithmetic that cannot panic, so nothing
//! needs the guard. `nano` and `atto` out of their range give the sums that libowfat gives.

use crate::ctypes::{Tai, Taia};
use crate::sys::clock;
use crate::sys::mem::{load, store};
use std::ffi::{c_char, c_double, c_int, c_long, c_uint};

/// The label of 1970-01-01 00:00:00, taking the clock for one that counted leap seconds from 10 on.
const EPOCH: u64 = (1 << 62) + 10;

/// Nanoseconds in a second, attoseconds in a nanosecond.
const GIGA: u32 = 1_000_000_000;

fn now() -> Taia {
    // The real-time clock cannot fail on a kernel that runs this library; if it did, the epoch is an answer.
    let (sec, nano) = clock::real().unwrap_or((0, 0));
    Taia { sec: Tai { x: EPOCH.wrapping_add_signed(sec) }, nano: nano as u32, atto: 0 }
}

fn add(u: Taia, v: Taia) -> Taia {
    let (mut sec, mut nano) = (u.sec.x.wrapping_add(v.sec.x), u.nano.wrapping_add(v.nano));
    let mut atto = u.atto.wrapping_add(v.atto);
    if atto >= GIGA {
        atto -= GIGA;
        nano = nano.wrapping_add(1);
    }
    if nano >= GIGA {
        nano -= GIGA;
        sec = sec.wrapping_add(1);
    }
    Taia { sec: Tai { x: sec }, nano, atto }
}

fn sub(u: Taia, v: Taia) -> Taia {
    let (mut sec, mut nano) = (u.sec.x.wrapping_sub(v.sec.x), u.nano.wrapping_sub(v.nano));
    let mut atto = u.atto.wrapping_sub(v.atto);
    if atto > u.atto {
        atto = atto.wrapping_add(GIGA);
        nano = nano.wrapping_sub(1);
    }
    if nano > u.nano {
        nano = nano.wrapping_add(GIGA);
        sec = sec.wrapping_sub(1);
    }
    Taia { sec: Tai { x: sec }, nano, atto }
}

fn half(t: Taia) -> Taia {
    let carry = |odd: bool| if odd { GIGA / 2 } else { 0 };
    Taia {
        sec: Tai { x: t.sec.x >> 1 },
        nano: (t.nano >> 1) + carry(t.sec.x & 1 == 1),
        atto: (t.atto >> 1) + carry(t.nano & 1 == 1),
    }
}

fn frac(t: Taia) -> f64 {
    (f64::from(t.atto) * 1e-9 + f64::from(t.nano)) * 1e-9
}

/// Nine digits of `nano`, then nine of `atto`; a part out of range shows its last nine.
fn digits(t: Taia) -> [u8; 18] {
    let mut n = u64::from(t.nano % GIGA) * u64::from(GIGA) + u64::from(t.atto % GIGA);
    let mut out = [0; 18];
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
    }
    out
}

fn packed(t: Taia) -> [u8; 16] {
    let n = u128::from(t.sec.x) << 64 | u128::from(t.nano) << 32 | u128::from(t.atto);
    n.to_be_bytes()
}

fn unpacked(bytes: [u8; 16]) -> Taia {
    let n = u128::from_be_bytes(bytes);
    Taia { sec: Tai { x: (n >> 64) as u64 }, nano: (n >> 32) as u32, atto: n as u32 }
}

/// Sets `t` to the present second.
///
/// # Safety
/// `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tai_now(t: *mut Tai) {
    // SAFETY: by the contract above.
    unsafe { store(t, now().sec) }
}

/// Sets `t` to `u` + `v` modulo 2^64.
///
/// # Safety
/// The pointers are NULL or labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tai_add(t: *mut Tai, u: *const Tai, v: *const Tai) {
    // SAFETY: by the contract above.
    if let (Some(u), Some(v)) = unsafe { (load(u), load(v)) } {
        // SAFETY: by the contract above.
        unsafe { store(t, Tai { x: u.x.wrapping_add(v.x) }) }
    }
}

/// Sets `t` to `u` - `v` modulo 2^64.
///
/// # Safety
/// The pointers are NULL or labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tai_sub(t: *mut Tai, u: *const Tai, v: *const Tai) {
    // SAFETY: by the contract above.
    if let (Some(u), Some(v)) = unsafe { (load(u), load(v)) } {
        // SAFETY: by the contract above.
        unsafe { store(t, Tai { x: u.x.wrapping_sub(v.x) }) }
    }
}

/// Writes `t` to `buf`, most significant byte first.
///
/// # Safety
/// `buf` is NULL or has room for 8 bytes, `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tai_pack(buf: *mut c_char, t: *const Tai) {
    // SAFETY: by the contract above.
    if let Some(t) = unsafe { load(t) } {
        // SAFETY: by the contract above.
        unsafe { store(buf.cast(), t.x.to_be_bytes()) }
    }
}

/// Sets `t` to the label at `buf`.
///
/// # Safety
/// `buf` is NULL or holds 8 bytes, `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tai_unpack(buf: *const c_char, t: *mut Tai) {
    // SAFETY: by the contract above.
    if let Some(bytes) = unsafe { load(buf.cast()) } {
        // SAFETY: by the contract above.
        unsafe { store(t, Tai { x: u64::from_be_bytes(bytes) }) }
    }
}

/// Sets `t` to `secs` seconds.
///
/// # Safety
/// `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tai_uint(t: *mut Tai, secs: c_uint) {
    // SAFETY: by the contract above.
    unsafe { store(t, Tai { x: secs.into() }) }
}

/// Sets `dest` to the seconds of `source`.
///
/// # Safety
/// The pointers are NULL or labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_tai(source: *const Taia, dest: *mut Tai) {
    // SAFETY: by the contract above.
    if let Some(t) = unsafe { load(source) } {
        // SAFETY: by the contract above.
        unsafe { store(dest, t.sec) }
    }
}

/// Sets `t` to the present time, to the nanosecond. (libowfat knows it to the microsecond.)
///
/// # Safety
/// `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_now(t: *mut Taia) {
    // SAFETY: by the contract above.
    unsafe { store(t, now()) }
}

/// Returns about how many seconds `t` is; 0 for NULL.
///
/// # Safety
/// `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_approx(t: *const Taia) -> c_double {
    // SAFETY: by the contract above.
    unsafe { load(t) }.map_or(0.0, |t| t.sec.x as f64 + frac(t))
}

/// Returns about what fraction of a second `t` has; 0 for NULL.
///
/// # Safety
/// `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_frac(t: *const Taia) -> c_double {
    // SAFETY: by the contract above.
    unsafe { load(t) }.map_or(0.0, frac)
}

/// Sets `dest` to `u` + `v` modulo 2^64 seconds.
///
/// # Safety
/// The pointers are NULL or labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_add(dest: *mut Taia, u: *const Taia, v: *const Taia) {
    // SAFETY: by the contract above.
    if let (Some(u), Some(v)) = unsafe { (load(u), load(v)) } {
        // SAFETY: by the contract above.
        unsafe { store(dest, add(u, v)) }
    }
}

/// Sets `dest` to `source` + `secs` seconds (which may be negative) modulo 2^64.
///
/// # Safety
/// The pointers are NULL or labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_addsec(dest: *mut Taia, source: *const Taia, secs: c_long) {
    // SAFETY: by the contract above.
    if let Some(t) = unsafe { load(source) } {
        let sec = Tai { x: t.sec.x.wrapping_add(secs as u64) };
        // SAFETY: by the contract above.
        unsafe { store(dest, Taia { sec, ..t }) }
    }
}

/// Sets `dest` to `u` - `v` modulo 2^64 seconds.
///
/// # Safety
/// The pointers are NULL or labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_sub(dest: *mut Taia, u: *const Taia, v: *const Taia) {
    // SAFETY: by the contract above.
    if let (Some(u), Some(v)) = unsafe { (load(u), load(v)) } {
        // SAFETY: by the contract above.
        unsafe { store(dest, sub(u, v)) }
    }
}

/// Sets `dest` to half of `source`, rounded down.
///
/// # Safety
/// The pointers are NULL or labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_half(dest: *mut Taia, source: *const Taia) {
    // SAFETY: by the contract above.
    if let Some(t) = unsafe { load(source) } {
        // SAFETY: by the contract above.
        unsafe { store(dest, half(t)) }
    }
}

/// Returns 1 if `a` is earlier than `b`, else 0.
///
/// # Safety
/// The pointers are NULL or labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_less(a: *const Taia, b: *const Taia) -> c_int {
    // SAFETY: by the contract above.
    unsafe { load(a).zip(load(b)) }.is_some_and(|(a, b)| a < b).into()
}

/// Writes `t` to `buf`, most significant byte first.
///
/// # Safety
/// `buf` is NULL or has room for 16 bytes, `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_pack(buf: *mut c_char, t: *const Taia) {
    // SAFETY: by the contract above.
    if let Some(t) = unsafe { load(t) } {
        // SAFETY: by the contract above.
        unsafe { store(buf.cast(), packed(t)) }
    }
}

/// Sets `t` to the label at `buf`, without looking whether it is one.
///
/// # Safety
/// `buf` is NULL or holds 16 bytes, `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_unpack(buf: *const c_char, t: *mut Taia) {
    // SAFETY: by the contract above.
    if let Some(bytes) = unsafe { load(buf.cast()) } {
        // SAFETY: by the contract above.
        unsafe { store(t, unpacked(bytes)) }
    }
}

/// Writes the 18 digits of the fraction of `t` to `s` without a terminating 0. Returns 18, also for a NULL
/// `s`, which asks for the length; 0 if there is an `s` and no `t`.
///
/// # Safety
/// `s` is NULL or has room for 18 bytes, `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_fmtfrac(s: *mut c_char, t: *const Taia) -> c_uint {
    if !s.is_null() {
        // SAFETY: by the contract above.
        let Some(t) = (unsafe { load(t) }) else { return 0 };
        // SAFETY: by the contract above.
        unsafe { store(s.cast(), digits(t)) };
    }
    18
}

/// Sets `t` to `secs` seconds.
///
/// # Safety
/// `t` is NULL or a label.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taia_uint(t: *mut Taia, secs: c_uint) {
    // SAFETY: by the contract above.
    unsafe { store(t, Taia { sec: Tai { x: secs.into() }, nano: 0, atto: 0 }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taia(x: u64, nano: u32, atto: u32) -> Taia {
        Taia { sec: Tai { x }, nano, atto }
    }

    fn label() -> impl Strategy<Value = Taia> {
        (any::<u64>(), 0..GIGA, 0..GIGA).prop_map(|(x, nano, atto)| taia(x, nano, atto))
    }

    /// A label as a number of attoseconds modulo 2^64 seconds.
    fn number(t: Taia) -> u128 {
        u128::from(t.sec.x) * 10u128.pow(18) + u128::from(t.nano) * u128::from(GIGA) + u128::from(t.atto)
    }

    proptest! {
        #[test]
        fn labels_add_subtract_and_compare_as_numbers(u in label(), v in label()) {
            let all = (1u128 << 64) * 10u128.pow(18);
            prop_assert_eq!(number(add(u, v)), (number(u) + number(v)) % all);
            prop_assert_eq!(number(sub(u, v)), (number(u) + all - number(v)) % all);
            prop_assert_eq!(sub(add(u, v), v), u);
            prop_assert_eq!(number(half(u)), number(u) / 2);
            prop_assert_eq!(unpacked(packed(u)), u);
            prop_assert_eq!(u < v, number(u) < number(v));
        }
    }

    #[test]
    fn fraction_digits_are_padded() {
        assert_eq!(&digits(taia(9, 12, 34)), b"000000012000000034");
        assert_eq!(&digits(taia(9, 999_999_999, 999_999_999)), &[b'9'; 18]);
        assert_eq!(&digits(taia(9, u32::MAX, 0)), b"294967295000000000");
    }

    #[test]
    fn the_output_may_be_an_input() {
        let mut t = taia(1, GIGA - 1, GIGA - 1);
        let p = &raw mut t;
        // SAFETY: one live label, named three times.
        unsafe { taia_add(p, p, p) };
        assert_eq!(t, taia(3, GIGA - 1, GIGA - 2));
    }

    #[test]
    fn now_lies_between_two_looks_at_the_clock() {
        let unix = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let before = unix();
        let t = now();
        let after = unix();
        let ours = u128::from(t.sec.x - EPOCH) * u128::from(GIGA) + u128::from(t.nano);
        assert!((before..=after).contains(&ours), "{before} {ours} {after}");
    }
}
