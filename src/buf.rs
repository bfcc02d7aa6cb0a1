//! Memory of the C caller. It is handed to the kernel and not dereferenced here.
//!
//! The kernel checks the addresses. So a NULL or dangling pointer is `EFAULT` and not undefined behaviour, as long as no
//! Rust reference is made of it.

/// Caller's memory that may be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    ptr: *const u8,
    len: usize,
}

/// Caller's memory that may be overwritten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    ptr: *mut u8,
    len: usize,
}

impl Source {
    /// # Safety
    /// Memory at `ptr` that is mapped stays so, and is not written by others, while the value is in use.
    pub(crate) unsafe fn new(ptr: *const u8, len: usize) -> Source {
        Source { ptr, len }
    }

    pub(crate) fn ptr(self) -> *const u8 {
        self.ptr
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Up to `len` bytes beginning at `from`.
    pub(crate) fn part(self, from: usize, len: usize) -> Source {
        let from = from.min(self.len);
        Source { ptr: self.ptr.wrapping_add(from), len: len.min(self.len - from) }
    }
}

impl Target {
    /// # Safety
    /// Memory at `ptr` that is mapped and writable for the process may be overwritten, up to `len` bytes,
    /// while the value is in use.
    pub(crate) unsafe fn new(ptr: *mut u8, len: usize) -> Target {
        Target { ptr, len }
    }

    pub(crate) fn ptr(self) -> *mut u8 {
        self.ptr
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }
}
