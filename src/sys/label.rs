//! What a debugger, or `owfat-io-check --running`, finds in the memory of a process: which backend it uses.
//!
//! No exported name, which other libraries could take for theirs: it is looked for by its first bytes, in what the
//! process may write to of the file that the library came in.

use std::sync::atomic::{AtomicU64, Ordering};

const ROOM: usize = size_of::<u64>();

#[repr(C, align(16))]
struct Label {
    /// As in `src/bin/owfat-io-check/running.rs`.
    mark: [u8; 24],
    /// The backend's name, filled up with zeros. In one piece, so that no reader sees half of it.
    backend: AtomicU64,
}

#[used]
static LABEL: Label = Label { mark: *b"libowfat_io backend is:\0", backend: AtomicU64::new(0) };

/// A backend was opened. The first [`ROOM`] bytes of its name are all of it.
pub(crate) fn set_backend(name: &str) {
    let mut bytes = [0; ROOM];
    for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    LABEL.backend.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
}
