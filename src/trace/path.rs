//! A path out of the environment, kept where nothing can overwrite it.

use crate::sys::path::working_directory;
use std::ffi::CStr;

/// `PATH_MAX`: the kernel takes no longer one.
const ROOM: usize = 4096;

/// All zeros at first, so that the program file has no room for it.
pub(super) struct KeptPath {
    bytes: [u8; ROOM],
    len: usize,
}

impl KeptPath {
    pub(super) const fn new() -> KeptPath {
        KeptPath { bytes: [0; ROOM], len: 0 }
    }

    /// Keeps what a variable says; false if that is nothing. A relative path is one from the present directory: servers
    /// go elsewhere before there is anything to write. What is too long is cut, so that opening it fails.
    pub(super) fn set(&mut self, path: Option<&[u8]>) -> bool {
        let path = path.unwrap_or_default();
        self.len = 0;
        if path.is_empty() {
            return false;
        }
        if !path.starts_with(b"/") {
            // Without a name for the directory the path stays relative.
            self.len = working_directory(&mut self.bytes).unwrap_or(0);
            self.add(if self.len > 0 { b"/" } else { b"" });
        }
        self.add(path);
        true
    }

    pub(super) fn add(&mut self, more: &[u8]) {
        // Without the last byte, which stays 0.
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
