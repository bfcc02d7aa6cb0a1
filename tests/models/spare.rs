//! `Spare`, which keeps blocks of small batches and memory for file contents. It fails if the exchange is `Relaxed`, or is
//! a load and a store.

use crate::sys::spare::Spare;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

type Block = UnsafeCell<u32>;

fn free(p: NonNull<u8>) {
    // SAFETY: only what `use_once` made gets here, from its one owner.
    drop(unsafe { Box::from_raw(p.as_ptr().cast::<Block>()) });
}

/// Takes the spare block or makes one, writes into it and leaves it.
fn use_once(spare: &Spare, blocks: &AtomicUsize) {
    let block = spare.take().unwrap_or_else(|| {
        blocks.fetch_add(1, Relaxed);
        NonNull::from(Box::leak(Box::new(Block::new(0)))).cast()
    });
    // SAFETY: it is ours alone; loom checks that.
    unsafe { block.cast::<Block>().as_ref().with_mut(|v| *v += 1) };
    if let Some(superfluous) = spare.leave(block) {
        // SAFETY: as above.
        unsafe { superfluous.cast::<Block>().as_ref().with_mut(|v| *v += 1) };
        blocks.fetch_sub(1, Relaxed);
        free(superfluous);
    }
}

#[test]
fn a_block_has_one_owner() {
    loom::model(|| {
        let spare = Arc::new(Spare::new());
        assert_eq!(spare.take(), None);
        // Counts what is not freed; loom need not know of it.
        let blocks = std::sync::Arc::new(AtomicUsize::new(0));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (spare, blocks) = (spare.clone(), blocks.clone());
                thread::spawn(move || use_once(&spare, &blocks))
            })
            .collect();
        use_once(&spare, &blocks);
        others.into_iter().for_each(|t| t.join().unwrap());
        spare.take().into_iter().for_each(free);
        assert_eq!(blocks.load(Relaxed), 1, "the spare one is left");
    });
}
