//! Small values that any thread may load and store: what a [`Slot`](crate::slot::Slot) is made of.
//!
//! Every access is `Relaxed`, which is a plain load or store on every processor. Values that belong together are
//! written under the event loop's lock; what transfers read without it stands for itself.

use crate::interest::Interest;
use crate::time::Deadline;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};

/// A value that fits an atomic.
pub(crate) trait Plain: Copy {
    type Cell;
    fn cell(self) -> Self::Cell;
    fn load(cell: &Self::Cell) -> Self;
    fn store(self, cell: &Self::Cell);
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field<T: Plain>(T::Cell);

impl<T: Plain> Field<T> {
    pub(crate) fn new(value: T) -> Field<T> {
        Field(value.cell())
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> T {
        T::load(&self.0)
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: T) {
        value.store(&self.0);
    }
}

macro_rules! plain {
    ($($t:ty as $cell:ident, $into:expr, $from:expr;)*) => {$(
        impl Plain for $t {
            type Cell = $cell;

            fn cell(self) -> $cell {
                $cell::new($into(self))
            }

            #[inline(always)]
            fn load(cell: &$cell) -> $t {
                $from(cell.load(Relaxed))
            }

            #[inline(always)]
            fn store(self, cell: &$cell) {
                cell.store($into(self), Relaxed);
            }
        }
    )*};
}
pub(crate) use plain;

plain! {
    bool as AtomicBool, |v| v, |v| v;
    u32 as AtomicU32, |v| v, |v| v;
    u64 as AtomicU64, |v| v, |v| v;
    usize as AtomicUsize, |v| v, |v| v;
    Interest as AtomicU8, Interest::bits, Interest::from_bits;
    Deadline as AtomicI64, Deadline::nanos, Deadline::from_nanos;
}
