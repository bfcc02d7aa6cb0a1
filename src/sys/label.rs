//! A label in the memory of the process that says which backend it uses, for `owfat-io-check --running` and debuggers.
//!
//! It has no exported name, which could clash with one of another library. It is found by its first bytes, in the writable
//! memory that came from the library's file.

use std::sync::atomic::{AtomicU64, Ordering};

const ROOM: usize = size_of::<u64>();

#[repr(C, align(16))]
struct Label {
    /// As in `src/bin/owfat-io-check/running.rs`.
    mark: [u8; 24],
    /// The backend's name, filled up with zeros. An atomic, so that no reader sees half of it.
    backend: AtomicU64,
}

#[used]
static LABEL: Label = Label { mark: *b"libowfat_io backend is:\0", backend: AtomicU64::new(0) };

/// Sets the label, after a backend was opened. Names have at most [`ROOM`] bytes.
pub(crate) fn set_backend(name: &str) {
    let mut bytes = [0; ROOM];
    for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    LABEL.backend.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
}
