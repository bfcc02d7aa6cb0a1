//! libowfat's growing array: an owned `malloc` block in a structure that C programs hold.
//!
//! Every function relies on this invariant of [`Array`], which the C border establishes: `p` is NULL or the start of a
//! `malloc` block of `allocated` bytes, the first `initialized` of which are in use. If `p` is NULL and `allocated` is
//! negative, the array has failed, and stays so until [`reset`].
//!
//! `headroom` is neither used nor changed, as in libowfat 0.32: the block always starts at `p`. Batches keep a mark of their
//! own there.

use crate::ctypes::Array;
use crate::sys::mem;
use nix::errno::Errno;
use std::{ptr, slice};

fn failed(x: &Array) -> bool {
    x.allocated < 0
}

/// Bytes in use; `None` for a failed array.
pub(crate) fn bytes(x: &Array) -> Option<u64> {
    (!failed(x)).then_some(x.initialized)
}

/// Members in use; `None` for a failed array, and for members of no size.
pub(crate) fn length(x: &Array, member: u64) -> Option<u64> {
    bytes(x)?.checked_div(member)
}

/// The block; NULL while there is none.
pub(crate) fn start(x: &Array) -> *mut u8 {
    x.p.cast()
}

/// The address of member `pos`, if it starts within the bytes in use. (By libowfat's manual the whole member has to be in
/// use. Its library does not check that, and a program that mixes sizes may rely on it.)
pub(crate) fn get(x: &Array, member: u64, pos: i64) -> Option<*mut u8> {
    let from = span(member, pos).ok()?;
    let all = bytes(x)?;
    (!x.p.is_null() && from < all).then(|| at(x, from))
}

/// Makes sure that member `pos` is allocated and in use, and returns its address. New bytes are 0. The result is NULL only
/// for a member of no size in an empty array. If it fails, `x` is unchanged.
///
/// The block may move, so pointers into it from earlier calls are invalid.
pub(crate) fn allocate(x: &mut Array, member: u64, pos: i64) -> Result<*mut u8, Errno> {
    if failed(x) {
        return Err(Errno::ENOMEM);
    }
    let from = span(member, pos)?;
    let need = from.checked_add(member).ok_or(Errno::ENOMEM)?;
    reserve(x, need, member)?;
    if let Some(fresh) = need.checked_sub(x.initialized).filter(|&n| n != 0) {
        // SAFETY: `reserve` made the block at least `need` bytes long.
        unsafe { ptr::write_bytes(at(x, x.initialized), 0, fresh as usize) };
        x.initialized = need;
    }
    Ok(at(x, from))
}

/// Makes room for `need` bytes in all. The block grows by half, at least by `unit`.
pub(crate) fn make_room(x: &mut Array, need: u64, unit: u64) -> Result<(), Errno> {
    if failed(x) { Err(Errno::ENOMEM) } else { grow(x, need, unit) }
}

/// Appends `len` bytes at `src`, which may lie in the array itself. A failed array stays as it is; an array
/// that cannot grow fails.
///
/// # Safety
/// `len` bytes at `src` can be read.
pub(crate) unsafe fn append(x: &mut Array, src: *const u8, len: u64) {
    if failed(x) || len == 0 {
        return;
    }
    // A source inside the block moves with it.
    let inside = src.addr().wrapping_sub(x.p.addr());
    let own = !x.p.is_null() && (inside as u64) < x.allocated.unsigned_abs();
    let old = x.initialized;
    let Some(need) = old.checked_add(len) else { return fail(x) };
    if reserve(x, need, 1).is_err() {
        return fail(x);
    }
    let src = if own { at(x, inside as u64).cast_const() } else { src };
    // SAFETY: the caller vouches for the source, `reserve` for the target; `copy` allows an overlap.
    unsafe { ptr::copy(src, at(x, old), len as usize) };
    x.initialized = need;
}

/// Lowers the bytes in use to `len` members. More than there are, or a negative number, changes nothing.
pub(crate) fn truncate(x: &mut Array, member: u64, len: i64) {
    if let (false, Ok(keep)) = (failed(x), span(member, len)) {
        x.initialized = x.initialized.min(keep);
    }
}

/// Drops `members` members, or what there is, from the end.
pub(crate) fn chop(x: &mut Array, member: u64, members: u64) {
    if !failed(x) {
        x.initialized = x.initialized.saturating_sub(member.saturating_mul(members));
    }
}

/// Drops `members` members, or what there is, from the front; the rest moves up.
pub(crate) fn shift(x: &mut Array, member: u64, members: u64) {
    let drop = member.saturating_mul(members).min(x.initialized);
    if failed(x) || x.p.is_null() || drop == 0 {
        return;
    }
    x.initialized -= drop;
    // SAFETY: both ranges lie within the bytes that were in use.
    unsafe { ptr::copy(at(x, drop), at(x, 0), x.initialized as usize) };
}

/// The bytes in use; none for an empty or failed array.
pub(crate) fn contents(x: &Array) -> &[u8] {
    if x.p.is_null() || failed(x) {
        return &[];
    }
    // SAFETY: the bytes in use are initialised, and stay while `x` is borrowed.
    unsafe { slice::from_raw_parts(x.p.cast(), x.initialized as usize) }
}

/// Address and number of the bytes in use; `None` for a failed array.
pub(crate) fn all(x: &Array) -> Option<(*const u8, u64)> {
    bytes(x).map(|n| (start(x).cast_const(), n))
}

/// Address and number of the bytes `pos..stop`, if they are in use. An empty range is always there.
pub(crate) fn part(x: &Array, pos: i64, stop: i64) -> Option<(*const u8, u64)> {
    let (pos, stop) = (usize::try_from(pos).ok()?, usize::try_from(stop).ok()?);
    if pos == stop {
        return Some((ptr::null(), 0));
    }
    contents(x).get(pos..stop).map(|piece| (piece.as_ptr(), piece.len() as u64))
}

/// Frees the block and leaves an empty array.
pub(crate) fn reset(x: &mut Array) {
    release(x, 0);
}

/// Frees the block and leaves a failed array.
pub(crate) fn fail(x: &mut Array) {
    release(x, -1);
}

fn release(x: &mut Array, allocated: i64) {
    // SAFETY: the block belongs to the array, which forgets it in the next line.
    unsafe { mem::free(x.p.cast()) };
    x.p = ptr::null_mut();
    x.allocated = allocated;
    x.initialized = 0;
}

/// Bytes of `n` members.
fn span(member: u64, n: i64) -> Result<u64, Errno> {
    let n = u64::try_from(n).map_err(|_| Errno::EINVAL)?;
    member.checked_mul(n).ok_or(Errno::ENOMEM)
}

/// The address `offset` bytes into the block; NULL while there is none.
fn at(x: &Array, offset: u64) -> *mut u8 {
    x.p.cast::<u8>().wrapping_add(offset as usize)
}

/// Makes the block at least `need` bytes long. It grows by half, so that a long row of appends takes linear time. If memory
/// is too short for that, it grows by what is needed.
fn reserve(x: &mut Array, need: u64, member: u64) -> Result<(), Errno> {
    if need <= x.allocated.unsigned_abs() {
        return Ok(());
    }
    // These are libowfat's units, so that a first allocation has the same size.
    grow(x, need, if member < 8 { 128 } else { 4096 })
}

/// [`reserve`] with a unit of the caller's.
fn grow(x: &mut Array, need: u64, unit: u64) -> Result<(), Errno> {
    let have = x.allocated.unsigned_abs();
    let enough = need.checked_next_multiple_of(unit).ok_or(Errno::ENOMEM)?;
    let generous = enough.max(have.saturating_add(have / 2));
    resize(x, generous).or_else(|e| if enough < generous { resize(x, enough) } else { Err(e) })
}

fn resize(x: &mut Array, size: u64) -> Result<(), Errno> {
    let allocated = i64::try_from(size).map_err(|_| Errno::ENOMEM)?;
    // SAFETY: the block is the array's own, and `size` is at least one unit. (Sizes that do not fit a
    // 32-bit `size_t` were refused by the conversion.)
    let p = unsafe { mem::realloc(x.p.cast(), usize::try_from(size).map_err(|_| Errno::ENOMEM)?)? };
    x.p = p.as_ptr().cast();
    x.allocated = allocated;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: Array = Array { p: ptr::null_mut(), allocated: 0, initialized: 0, headroom: 0 };

    fn of(s: &[u8]) -> Array {
        let mut x = EMPTY;
        // SAFETY: a slice can be read.
        unsafe { append(&mut x, s.as_ptr(), s.len() as u64) };
        x
    }

    #[test]
    fn a_fresh_array_has_the_sizes_of_libowfat() {
        for (member, pos, size) in [(1, 0, 128), (1, 128, 256), (7, 127, 896), (8, 0, 4096), (48, 100, 8192)]
        {
            let mut x = EMPTY;
            let p = allocate(&mut x, member, pos).unwrap();
            assert_eq!(p.addr() - x.p.addr(), member as usize * pos as usize);
            assert_eq!((x.allocated, x.initialized), (size, member * (pos as u64 + 1)));
            reset(&mut x);
        }
    }

    #[test]
    fn new_members_are_zero_even_where_old_ones_were() {
        let mut x = of(b"secret");
        truncate(&mut x, 1, 2);
        allocate(&mut x, 1, 5).unwrap();
        assert_eq!(contents(&x), b"se\0\0\0\0");
        reset(&mut x);
    }

    #[test]
    fn a_block_grows_by_half_and_by_what_is_needed_where_that_is_too_much() {
        let mut x = EMPTY;
        for (need, allocated) in [(40_960, 40_960), (40_961, 61_440), (200_000, 200_704)] {
            make_room(&mut x, need, 4096).unwrap();
            assert_eq!(x.allocated, allocated);
        }
        reset(&mut x);
        // So large that half of it more cannot be had.
        let mut huge = Array { allocated: i64::MAX, ..EMPTY };
        assert_eq!((make_room(&mut huge, 100, 128), huge.allocated), (Ok(()), 128));
        reset(&mut huge);
    }

    #[test]
    fn all_of_an_array_is_where_it_starts_and_what_is_in_use() {
        let mut x = of(b"abc");
        assert_eq!(all(&x), Some((x.p.cast_const().cast(), 3)));
        fail(&mut x);
        assert_eq!(all(&x), None);
        // A program may have written to the fields.
        for mut odd in [Array { initialized: 8, ..EMPTY }, Array { initialized: 8, ..x }] {
            shift(&mut odd, 1, 1);
            assert_eq!((odd.p.is_null(), odd.initialized), (true, 8));
        }
    }

    #[test]
    fn impossible_sizes_change_nothing() {
        let mut x = of(b"abc");
        for (member, pos) in
            [(1, -1), (1, i64::MIN), (u64::MAX, 2), (1 << 63, 1), (1 << 63, 0), (1, i64::MAX)]
        {
            let before = (x.p, x.allocated);
            assert!(allocate(&mut x, member, pos).is_err(), "{member} {pos}");
            assert_eq!((x.p, x.allocated), before);
            assert_eq!(contents(&x), b"abc");
        }
        reset(&mut x);
    }

    #[test]
    fn a_failed_array_stays_failed_until_reset() {
        let mut x = of(b"abc");
        x.headroom = 7;
        fail(&mut x);
        assert_eq!((x.p.is_null(), x.allocated, bytes(&x), length(&x, 1)), (true, -1, None, None));
        assert_eq!(allocate(&mut x, 1, 0), Err(Errno::ENOMEM));
        // SAFETY: a literal can be read.
        unsafe { append(&mut x, b"x".as_ptr(), 1) };
        truncate(&mut x, 1, 0);
        chop(&mut x, 1, 1);
        shift(&mut x, 1, 1);
        assert_eq!((bytes(&x), contents(&x)), (None, &b""[..]));
        reset(&mut x);
        assert_eq!((bytes(&x), x.headroom), (Some(0), 7));
    }

    #[test]
    fn an_append_that_cannot_fit_fails_the_array() {
        let mut x = of(b"abc");
        // SAFETY: nothing is read, because no block of that size can be had.
        unsafe { append(&mut x, b"x".as_ptr(), u64::MAX) };
        assert_eq!(bytes(&x), None);
    }

    #[test]
    fn the_source_may_be_the_array_itself() {
        let mut x = of(&[b'a'; 100]);
        x.headroom = 3;
        for _ in 0..8 {
            let (p, n) = (start(&x), x.initialized);
            // SAFETY: the bytes in use can be read.
            unsafe { append(&mut x, p, n) };
        }
        assert_eq!((contents(&x), x.headroom), (&vec![b'a'; 100 << 8][..], 3));
        reset(&mut x);
    }

    #[test]
    fn get_returns_only_members_that_begin_within_the_bytes_in_use() {
        let mut x = of(b"0123456");
        assert_eq!(get(&x, 3, 1).map(|p| p.addr() - x.p.addr()), Some(3));
        assert_eq!(get(&x, 3, 2).map(|p| p.addr() - x.p.addr()), Some(6));
        for (member, pos) in
            [(3, 3), (1, 7), (1, -1), (8, 1), (u64::MAX, 1), (1 << 63, 2), (1 << 32, 1 << 32)]
        {
            assert_eq!(get(&x, member, pos), None, "{member} {pos}");
        }
        assert_eq!(get(&x, 0, i64::MAX), Some(start(&x)));
        reset(&mut x);
        assert_eq!(get(&x, 0, 0), None);
    }

    #[test]
    fn a_part_ends_with_the_bytes_in_use() {
        let mut x = of(b"0123");
        assert_eq!(part(&x, 1, 4).map(|(p, n)| (p.addr() - x.p.addr(), n)), Some((1, 3)));
        for (pos, stop) in [(0, 5), (3, 2), (-1, 2), (-5, -5), (0, i64::MAX)] {
            assert_eq!(part(&x, pos, stop), None, "{pos} {stop}");
        }
        assert_eq!(part(&x, 9, 9), Some((ptr::null(), 0)));
        reset(&mut x);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Append(Vec<u8>),
        AppendOwn,
        Allocate(u64, i64),
        Truncate(u64, i64),
        Chop(u64, u64),
        Shift(u64, u64),
        Reset,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300).prop_map(Op::Append),
            Just(Op::AppendOwn),
            (1..60u64, -2..40i64).prop_map(|(m, p)| Op::Allocate(m, p)),
            (0..60u64, -2..40i64).prop_map(|(m, n)| Op::Truncate(m, n)),
            (0..20u64, prop_oneof![0..20u64, Just(u64::MAX)]).prop_map(|(m, n)| Op::Chop(m, n)),
            (0..20u64, prop_oneof![0..20u64, Just(u64::MAX)]).prop_map(|(m, n)| Op::Shift(m, n)),
            Just(Op::Reset),
        ]
    }

    /// The same on a `Vec`.
    fn model(v: &mut Vec<u8>, op: &Op) {
        match *op {
            Op::Append(ref s) => v.extend(s),
            Op::AppendOwn => v.extend_from_within(..),
            Op::Allocate(m, p) if p >= 0 => v.resize(v.len().max(m as usize * (p as usize + 1)), 0),
            Op::Truncate(m, n) if n >= 0 => v.truncate(m as usize * n as usize),
            Op::Chop(m, n) => v.truncate(v.len().saturating_sub(m.saturating_mul(n) as usize)),
            Op::Shift(m, n) => drop(v.drain(..v.len().min(m.saturating_mul(n) as usize))),
            Op::Reset => v.clear(),
            Op::Allocate(..) | Op::Truncate(..) => {}
        }
    }

    proptest! {
        #[test]
        fn any_operations_have_the_results_of_a_vec(ops in prop::collection::vec(op(), 0..40)) {
            let (mut x, mut v) = (EMPTY, Vec::new());
            for op in &ops {
                if v.len() > 1 << 20 { break; }
                model(&mut v, op);
                match *op {
                    // SAFETY: a slice can be read.
                    Op::Append(ref s) => unsafe { append(&mut x, s.as_ptr(), s.len() as u64) },
                    // SAFETY: the bytes in use can be read.
                    Op::AppendOwn => { let (p, n) = (start(&x), x.initialized); unsafe { append(&mut x, p, n) } }
                    Op::Allocate(m, p) => prop_assert_eq!(allocate(&mut x, m, p).is_ok(), p >= 0),
                    Op::Truncate(m, n) => truncate(&mut x, m, n),
                    Op::Chop(m, n) => chop(&mut x, m, n),
                    Op::Shift(m, n) => shift(&mut x, m, n),
                    Op::Reset => reset(&mut x),
                }
                prop_assert_eq!(contents(&x), &v[..]);
                prop_assert!(x.initialized <= x.allocated.unsigned_abs());
            }
            reset(&mut x);
        }
    }
}
