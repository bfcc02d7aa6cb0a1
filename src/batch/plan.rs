//! What to hand to the kernel next.

use crate::buf::Source;
use crate::ctypes::{FROM_FILE, IobEntry};
use crate::sys::message::Gather;

/// One system call's worth.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// No entry has unsent bytes.
    Nothing,
    /// The buffers in the list. `more`: bytes behind them follow in the same call of the library, so the last
    /// segment may wait for them; the end of a batch may not, or an answer lies in the kernel for 200 ms.
    Buffers { more: bool },
    /// A piece of a file.
    File { fd: i64, off: u64, n: u64 },
}

/// Looks at unsent entries and fills `list` with the buffers up to the next file piece or the kernel's limit.
pub(crate) fn next_step(unsent: &[IobEntry], list: &mut Gather) -> Step {
    list.clear();
    for e in unsent.iter().filter(|e| e.n > 0) {
        if e.kind == FROM_FILE {
            return match list.bytes() {
                0 => Step::File { fd: e.fd, off: e.offset, n: e.n },
                _ => Step::Buffers { more: true },
            };
        }
        if !list.push(source(e)) {
            return Step::Buffers { more: true };
        }
    }
    if list.bytes() == 0 { Step::Nothing } else { Step::Buffers { more: false } }
}

fn source(e: &IobEntry) -> Source {
    let len = usize::try_from(e.n).unwrap_or(usize::MAX);
    // SAFETY: whoever added the entry keeps the memory unchanged until it is sent or the batch is reset.
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

    const LAST: Step = Step::Buffers { more: false };
    const MORE: Step = Step::Buffers { more: true };

    #[test]
    fn only_what_is_followed_may_wait() {
        assert_eq!(step(&[]), (Step::Nothing, 0));
        assert_eq!(step(&[buf(0), file(0)]), (Step::Nothing, 0));
        assert_eq!(step(&[buf(5)]), (LAST, 5));
        assert_eq!(step(&[buf(5), buf(0), buf(6)]), (LAST, 11));
        assert_eq!(step(&[buf(5), buf(6), file(1), buf(7)]), (MORE, 11));
        assert_eq!(step(&[buf(5), file(0), buf(7)]), (LAST, 12));
        assert_eq!(step(&[file(4), buf(7)]), (Step::File { fd: 9, off: 5, n: 4 }, 0));
    }

    #[test]
    fn the_kernels_limits_cut_the_list() {
        let many: Vec<_> = (0..=GATHER_MAX).map(|_| buf(3)).collect();
        assert_eq!(step(&many), (MORE, 3 * GATHER_MAX));
        assert_eq!(step(&many[1..]), (LAST, 3 * GATHER_MAX));
        assert_eq!(step(&[buf(1), buf(u64::MAX / 2)]), (MORE, TRANSFER_MAX));
    }
}
