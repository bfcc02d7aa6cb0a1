//! In place of `src/sys/thread.rs`: there are threads, and loom's have names of their own.

use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) fn single_threaded() -> bool {
    false
}

pub(crate) fn this_thread() -> usize {
    let mut hasher = DefaultHasher::new();
    loom::thread::current().id().hash(&mut hasher);
    // Even, as addresses are.
    hasher.finish() as usize & !1 | 2
}
