//! Decides what the next system call of a send gets. It makes no call itself.

use crate::buf::Source;
use crate::ctypes::{FROM_FILE, IobEntry};
use crate::sys::message::Gather;
use crate::xfer::gather::SMALL_FILE;

/// What one call sends.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// No entry has unsent bytes.
    Nothing,
    /// The buffers in the list. `more`: other bytes follow in the same call of the library, so the last segment may wait
    /// for them. The end of a batch must not wait, or the kernel would hold an answer for 200 ms.
    Buffers { more: bool },
    /// The buffers in the list, and a small piece of a file, for which the list has a gap.
    Around { small: Small, more: bool },
    /// A piece of a file.
    File(Piece),
}

/// `n` bytes of a file from `off` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub(crate) fd: i64,
    pub(crate) off: u64,
    pub(crate) n: u64,
}

/// A piece of a file that fills a gap between buffers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Small {
    /// Index of the gap in the list; never 0.
    pub(crate) gap: usize,
    pub(crate) fd: i64,
    pub(crate) off: u64,
    pub(crate) n: usize,
}

/// Fills `list` with unsent buffers, up to the kernel's limit or the next piece of a file that is too large to be sent with
/// them. One small piece can go with them, a second one cannot.
#[inline(always)]
pub(crate) fn next_step(unsent: &[IobEntry], list: &mut Gather) -> Step {
    let gathered = list.start(unsent, as_buffer);
    match unsent.get(gathered) {
        None if !list.is_empty() => return Step::Buffers { more: false },
        Some(e) if e.kind == FROM_FILE && e.n > SMALL_FILE as u64 => return in_one_call(e, list),
        _ => {}
    }
    after_buffers(unsent, gathered, list)
}

/// The step at a piece of a file that is not copied. Buffers before it go first.
#[inline(always)]
fn in_one_call(e: &IobEntry, list: &Gather) -> Step {
    let piece = Piece { fd: e.fd, off: e.offset, n: e.n };
    match list.is_empty() {
        true => Step::File(piece),
        false => Step::Buffers { more: true },
    }
}

/// The unsent bytes of an entry, if it is a buffer.
#[inline(always)]
fn as_buffer(e: &IobEntry) -> Option<Source> {
    (e.kind != FROM_FILE).then(|| source(e))
}

/// [`next_step`] when the first `gathered` entries are in the list and something else follows.
#[inline(never)]
fn after_buffers(unsent: &[IobEntry], gathered: usize, list: &mut Gather) -> Step {
    let mut small = None;
    let send = |small, more| match small {
        Some(small) => Step::Around { small, more },
        None => Step::Buffers { more },
    };
    for e in unsent.iter().skip(gathered).filter(|e| e.n > 0) {
        if e.kind != FROM_FILE {
            if !list.push(source(e)) {
                return send(small, true);
            }
            continue;
        }
        if list.is_empty() {
            return in_one_call(e, list);
        }
        let (gap, n) = (list.len(), usize::try_from(e.n).unwrap_or(usize::MAX));
        if small.is_some() || n > SMALL_FILE || !list.push_gap(n) {
            return send(small, true);
        }
        small = Some(Small { gap, fd: e.fd, off: e.offset, n });
    }
    if list.is_empty() { Step::Nothing } else { send(small, false) }
}

fn source(e: &IobEntry) -> Source {
    let len = usize::try_from(e.n).unwrap_or(usize::MAX);
    // SAFETY: the program keeps the memory unchanged until it is sent or the batch is reset.
    unsafe { Source::new(e.buf.cast::<u8>().wrapping_add(e.offset as usize), len) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::item;
    use crate::batch::window::drop_window;
    use crate::sys::message::{GATHER_MAX, TRANSFER_MAX};
    use std::ptr;

    fn buf(n: u64) -> IobEntry {
        item::buffer(ptr::dangling(), n, None)
    }

    fn file(n: u64) -> IobEntry {
        item::file(9, 5, n, drop_window)
    }

    /// The step, and the bytes that its list has.
    fn step(unsent: &[IobEntry]) -> (Step, usize) {
        let mut list = Gather::new();
        let step = next_step(unsent, &mut list);
        (step, list.bytes())
    }

    /// What [`file`] of `n` bytes has.
    fn piece(n: u64) -> Piece {
        Piece { fd: 9, off: 5, n }
    }

    /// Too large to be copied.
    const BIG: u64 = SMALL_FILE as u64 + 1;
    const LAST: Step = Step::Buffers { more: false };
    const MORE: Step = Step::Buffers { more: true };

    #[test]
    fn only_bytes_that_others_follow_are_held_back() {
        assert_eq!(step(&[]), (Step::Nothing, 0));
        assert_eq!(step(&[buf(0), file(0)]), (Step::Nothing, 0));
        assert_eq!(step(&[buf(5)]), (LAST, 5));
        assert_eq!(step(&[buf(5), buf(0), buf(6)]), (LAST, 11));
        assert_eq!(step(&[buf(5), buf(6), file(BIG), buf(7)]), (MORE, 11));
        assert_eq!(step(&[buf(5), file(0), buf(7)]), (LAST, 12));
        assert_eq!(step(&[file(4), buf(7)]), (Step::File(piece(4)), 0));
    }

    /// `n` bytes of the file at the `gap`th place.
    fn around(gap: usize, n: u64, more: bool) -> Step {
        Step::Around { small: Small { gap, fd: 9, off: 5, n: n as usize }, more }
    }

    #[test]
    fn a_small_file_goes_with_the_buffers_around_it() {
        assert_eq!(step(&[buf(5), file(BIG - 1)]), (around(1, BIG - 1, false), 5 + SMALL_FILE));
        assert_eq!(step(&[buf(5), buf(6), file(3), buf(7)]), (around(2, 3, false), 21));
        assert_eq!(step(&[buf(5), file(3), buf(7), file(1)]), (around(1, 3, true), 15), "one at a time");
        assert_eq!(step(&[buf(5), file(3), file(BIG)]), (around(1, 3, true), 8));
        assert_eq!(step(&[file(3), buf(7)]), (Step::File(piece(3)), 0), "no header");
    }

    #[test]
    fn the_kernels_limits_cut_the_list() {
        let many: Vec<_> = (0..=GATHER_MAX).map(|_| buf(3)).collect();
        assert_eq!(step(&many), (MORE, 3 * GATHER_MAX));
        assert_eq!(step(&many[1..]), (LAST, 3 * GATHER_MAX));
        assert_eq!(step(&[buf(1), buf(u64::MAX / 2)]), (MORE, TRANSFER_MAX));
        assert_eq!(
            step(&[buf(TRANSFER_MAX as u64 - 2), file(3)]),
            (MORE, TRANSFER_MAX - 2),
            "no part of a file"
        );
        let full: Vec<_> = (0..GATHER_MAX).map(|_| buf(3)).chain([file(1)]).collect();
        assert_eq!(step(&full), (MORE, 3 * GATHER_MAX));
    }
}
