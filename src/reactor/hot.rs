//! The descriptor that is most likely to be read from and written to next: the one just named to the program.
//!
//! If it is a connected socket, the program has one thread, and the outcome of a transfer that succeeds is of no
//! consequence, there is nothing to look up and nothing to note. Whatever may change that forgets it.

use crate::fd::Fd;
use crate::sys::thread::short_ways_are_open;
use nix::errno::Errno;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Its number, as C passes it; with [`TAKES_TURNS`] if what is read and written has to be noted after all.
static HOT: AtomicI64 = AtomicI64::new(NOBODY);
/// As `NOBODY`, a number that looks like one with [`TAKES_TURNS`] is no descriptor in its low half either: whoever passes
/// it gets the kernel's `EBADF`.
const NOBODY: i64 = -1;
/// Above all descriptor numbers.
const TAKES_TURNS: i64 = 1 << 31;

/// The program has just been told that it can use `number`, which is as described above.
#[inline(always)]
pub(super) fn remember(number: u32) {
    HOT.store(number.into(), Relaxed);
}

/// The program has just been told that it can read from `number`, which is watched for edges.
#[inline(always)]
pub(super) fn remember_turn_taker(number: u32) {
    HOT.store(i64::from(number) | TAKES_TURNS, Relaxed);
}

#[inline(always)]
pub(super) fn forget() {
    HOT.store(NOBODY, Relaxed);
}

/// The descriptor, after [`is`] or [`takes_turns`] said so.
pub(super) fn fd() -> Result<Fd, Errno> {
    Fd::new(HOT.load(Relaxed) & !TAKES_TURNS)
}

/// Whether nothing but the socket is needed to read from descriptor `d` or write to it.
#[inline(always)]
pub(super) fn is(d: i64) -> bool {
    HOT.load(Relaxed) == d && is_number(d) && short_ways_are_open()
}

/// Whether nothing but the socket is needed to read from descriptor `d`, but that it came up short counts.
#[inline(always)]
pub(super) fn takes_turns(d: i64) -> bool {
    HOT.load(Relaxed) == d | TAKES_TURNS && is_number(d) && short_ways_are_open()
}

/// Whether `d` can be a descriptor. C may pass anything: [`NOBODY`], or what looks like a descriptor with its mark.
#[inline(always)]
fn is_number(d: i64) -> bool {
    d as u64 <= i32::MAX as u64
}

/// Whether `d` is the hot descriptor, of either kind.
#[inline(always)]
pub(super) fn was_named(d: i64) -> bool {
    HOT.load(Relaxed) & !TAKES_TURNS == d
}
