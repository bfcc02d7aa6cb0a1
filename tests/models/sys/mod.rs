//! In place of `src/sys`: the product's protocols on loom's atomics.

#[path = "../../../src/sys/eventcount.rs"]
pub(crate) mod eventcount;
#[path = "../../../src/sys/loan.rs"]
#[allow(dead_code, reason = "what a child process and a look beside another one do")]
pub(crate) mod loan;
#[path = "../../../src/sys/lock.rs"]
#[allow(dead_code, reason = "the short ways for a program of one thread")]
pub(crate) mod lock;
mod mem;
#[path = "../../../src/sys/spare.rs"]
pub(crate) mod spare;
pub(crate) mod sync;
pub(crate) mod thread;
