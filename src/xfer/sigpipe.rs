//! Keeps a vanished reader from killing the process.

use crate::sys::signal;
use std::sync::Once;

static ARRANGED: Once = Once::new();

/// Called before each call that may raise SIGPIPE and cannot be told not to (`write`, `sendfile`). Looks at
/// the disposition once per process: a program that later sets the default again wants to be killed, and a
/// handler or "ignore" of the program's own is never replaced.
pub(crate) fn arrange() {
    ARRANGED.call_once(|| {
        // SIGPIPE is a valid signal, so the kernel has no reason to refuse; if a sandbox does, the program
        // keeps the disposition that it had.
        let _ = signal::handle_if_default(libc::SIGPIPE);
    });
}
