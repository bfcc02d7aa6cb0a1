//! A copy of a path from the environment, which the program may overwrite.

use crate::sys::path::working_directory;
use std::ffi::CStr;

/// `PATH_MAX`, the kernel's limit.
const ROOM: usize = 4096;

/// All zeros at first, so that it takes no room in the library's file.
pub(super) struct KeptPath {
    bytes: [u8; ROOM],
    len: usize,
}

impl KeptPath {
    pub(super) const fn new() -> KeptPath {
        KeptPath { bytes: [0; ROOM], len: 0 }
    }

    /// Keeps the value of a variable; false if it has none. A relative path is made absolute, because servers change their
    /// directory later. A path that is too long is cut, so that opening it fails.
    pub(super) fn set(&mut self, path: Option<&[u8]>) -> bool {
        let path = path.unwrap_or_default();
        self.len = 0;
        if path.is_empty() {
            return false;
        }
        if !path.starts_with(b"/") {
            // If the directory has no name, the path stays relative.
            self.len = working_directory(&mut self.bytes).unwrap_or(0);
            self.add(if self.len > 0 { b"/" } else { b"" });
        }
        self.add(path);
        true
    }

    pub(super) fn add(&mut self, more: &[u8]) {
        // The last byte stays 0.
        for byte in more {
            if let Some(place) = self.bytes.get_mut(self.len).filter(|_| self.len < ROOM - 1) {
                *place = *byte;
                self.len += 1;
            }
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        if let Some(cut) = self.bytes.get_mut(len..) {
            cut.fill(0);
            self.len = self.len.min(len);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}
