//! What runs when the library is loaded and when the process ends.

use super::entry::guard_state;
use crate::event_loop;
use crate::sys::{env, standard_error};
use crate::trace;

/// Called by the dynamic linker, and in static programs by the start-up code.
#[used]
// SAFETY: C calls the functions of this list with arguments, which these ignore.
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static START: extern "C" fn() = start;

/// Called after what the program has registered with atexit(3).
#[used]
// SAFETY: as above.
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_term_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".fini_array"))]
static END: extern "C" fn() = end;

extern "C" fn start() {
    guard_state((), || {
        env::begin();
        standard_error::begin();
        // Fails only without memory. A child then shares its parent's loop; nothing can be done about that here.
        let _ = event_loop::watch_forks();
        trace::begin();
    });
}

extern "C" fn end() {
    guard_state((), trace::at_exit);
}
