//! What stands around each C function; see [`crate::sys::guard`]. A function that calls one of the program's has no guard
//! of its own and is `extern "C-unwind"`: what it calls guards the pieces between the calls.

pub(crate) use crate::sys::guard::{cancellable, guard_state};
