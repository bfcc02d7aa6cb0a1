//! What runs when the library is loaded and when the process ends.

use super::guard::guard;
use crate::sys::{env, standard_error};
use crate::trace;

/// Called by the dynamic linker, and in static programs by the start-up code.
#[used]
// SAFETY: a list of functions that C calls with arguments, which these pass over.
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

/// Called after what the program has registered with atexit(3).
#[used]
// SAFETY: as above.
#[unsafe(link_section = ".fini_array")]
static END: extern "C" fn() = end;

extern "C" fn start() {
    guard((), || {
        env::begin();
        standard_error::begin();
        trace::begin();
    });
}

extern "C" fn end() {
    guard((), trace::at_exit);
}
