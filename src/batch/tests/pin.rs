//! Memory that outlives its batch.

use super::super::pin::Pin;
use super::super::plan::{Piece, Ways};
use super::super::send::{Carrier, send};
use super::*;
use crate::sys::mem;
use std::ptr::NonNull;

/// A batch with one owned entry, and shares in its memory.
fn batch_and_shares(e: &mut Embedded, shares: usize) -> (Batch, Vec<Pin>) {
    let b = e.view();
    b.add(item::buffer(c"0123456789".as_ptr(), 10, Some(note_buffer))).unwrap();
    // SAFETY: an entry of the batch, whose clean-up function only takes notes.
    let shares = (0..shares).map(|_| unsafe { Pin::of(b.entry(0).unwrap()) }.unwrap()).collect();
    (b, shares)
}

#[test]
fn the_last_share_releases() {
    let mut e = Embedded::new();
    let (b, mut shares) = batch_and_shares(&mut e, 2);
    b.reset();
    assert_eq!(released(), []);
    shares.pop();
    assert_eq!(released(), []);
    shares.pop();
    assert_eq!(released(), [10]);

    let (b, shares) = batch_and_shares(&mut e, 3);
    drop(shares);
    assert_eq!(released(), [], "the entry has a share");
    assert_eq!(seen(b).0, 10);
    b.reset();
    assert_eq!(released(), [10]);
}

#[test]
fn a_batch_that_is_moved_keeps_its_shares() {
    let mut e = Embedded::new();
    let (_, shares) = batch_and_shares(&mut e, 1);
    let mut moved = Embedded { batch: std::mem::replace(&mut e.batch, empty(0)), behind: BEHIND };
    drop(shares);
    moved.view().reset();
    assert_eq!(released(), [10]);
}

/// Keeps the pages that are sent without a copy until it is told to let go.
#[derive(Default)]
struct Keeper {
    script: Script,
    kept: Vec<Pin>,
    refuses: bool,
}

impl Carrier for Keeper {
    fn buffers(&mut self, list: &Gather, more: bool) -> Result<usize, Errno> {
        self.script.buffers(list, more)
    }

    fn around(&mut self, list: &mut Gather, small: Small, more: bool) -> Option<Result<usize, Errno>> {
        self.script.around(list, small, more)
    }

    fn file(&mut self, piece: Piece) -> Outcome {
        self.script.file(piece)
    }

    fn headed(&mut self, list: &Gather, piece: Piece) -> Option<Outcome> {
        self.script.headed(list, piece)
    }

    fn ways(&self) -> Ways {
        Ways { without_copy: true, ..self.script.ways() }
    }

    fn pinned(&mut self, pin: Pin, piece: Source, more: bool) -> Option<Result<usize, Errno>> {
        if self.refuses {
            return None;
        }
        // SAFETY: the memory is alive as long as the share.
        let n = self.script.take(unsafe { slice::from_raw_parts(piece.ptr(), piece.len()) });
        self.script.held = more && n == Ok(piece.len());
        if n.is_ok() {
            self.kept.push(pin);
        }
        Some(n)
    }

    fn push_held(&mut self, is_sure: bool) {
        self.script.push_held(is_sure);
    }
}

/// A `malloc` block of `n` bytes that count up.
fn block(n: usize) -> NonNull<u8> {
    // SAFETY: a new block, which is filled to its end.
    unsafe {
        let p = mem::realloc(ptr::null_mut(), n).unwrap();
        (0..n).for_each(|i| p.add(i).write((i / 7) as u8));
        p
    }
}

#[test]
fn every_byte_once_whichever_way_it_goes() {
    const N: usize = 300_001;
    for refuses in [false, true] {
        let mut e = Embedded::new();
        let b = e.view();
        let p = block(N);
        // SAFETY: alive until the batch and the keeper have let go.
        let expected = [&b"header"[..], unsafe { slice::from_raw_parts(p.as_ptr(), N) }, b"footer"].concat();
        b.add(item::buffer(c"header".as_ptr(), 6, None)).unwrap();
        b.add(item::buffer(p.as_ptr().cast(), N as u64, Some(item::free_buffer))).unwrap();
        b.add(item::buffer(c"footer".as_ptr(), 6, None)).unwrap();
        let answers = [Answer::Some(3), Answer::Again, Answer::All, Answer::Some(70_000), Answer::Fail];
        let mut k = Keeper { script: script(&answers), refuses, ..Keeper::default() };
        while b.bytesleft() > 0 {
            let _ = send(&mut k, b).outcome;
            assert!(!k.script.held, "the call ended with bytes that wait for more");
        }
        assert!(k.script.got == expected);
        assert_eq!(k.kept.is_empty(), refuses);
        assert_eq!(seen(b), (0, 0, 0, 0, vec![]));
    }
}
