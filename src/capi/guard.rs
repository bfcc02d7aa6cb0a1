//! The guard around each C function; see [`crate::sys::guard`]. A function that calls one of the program's has no guard
//! itself and is `extern "C-unwind"`, so that an exception can pass. The code between those calls is guarded instead.

pub(crate) use crate::sys::guard::{cancellable, guard_state};
