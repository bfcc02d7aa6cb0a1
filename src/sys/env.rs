//! Environment variables. In a process with raised privileges they count as unset.
//!
//! They are read once, when the library is loaded. Many programs overwrite the environment later (to show a name in the
//! list of processes), clear it before they fork, or change it in one thread while another waits. The C library does not
//! allow reading it meanwhile.

use super::once::Once;
use super::system::secure_variable;
use std::ffi::CStr;

/// Longer than every value that means something.
const ROOM: usize = 16;

/// The beginning of a value. A value that does not fit means nothing, and neither does its beginning.
struct Short {
    bytes: [u8; ROOM],
    len: usize,
}

impl Short {
    fn new(value: Option<&[u8]>) -> Short {
        let mut short = Short { bytes: [0; ROOM], len: 0 };
        for (place, byte) in short.bytes.iter_mut().zip(value.unwrap_or_default()) {
            *place = *byte;
            short.len += 1;
        }
        short
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

static BACKEND: Once<Short> = Once::new();

/// Reads the environment. Called when the library is loaded.
pub(crate) fn begin() {
    // Only the first reading counts.
    let _ = BACKEND.set(with_secure(c"OWFAT_IO_BACKEND", Short::new));
}

/// The value of `OWFAT_IO_BACKEND` when the library was loaded; empty if it was unset or the process has raised privileges.
pub(crate) fn backend() -> &'static [u8] {
    if BACKEND.get().is_none() {
        // The initialisation of another library may call this one before its own runs.
        begin();
    }
    BACKEND.get().map(Short::get).unwrap_or_default()
}

/// Calls `f` with the variable's value, or `None` if it is unset or the process has raised privileges. Called only while the
/// library is loaded.
pub(crate) fn with_secure<R>(name: &CStr, f: impl FnOnce(Option<&[u8]>) -> R) -> R {
    let value = secure_variable(name);
    if value.is_null() {
        return f(None);
    }
    // SAFETY: not NULL, so it is a string, which stands as long as nobody changes the environment: `f`
    // looks at it at once.
    f(Some(unsafe { CStr::from_ptr(value) }.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_and_means_nothing() {
        assert_eq!(Short::new(None).get(), b"");
        assert_eq!(Short::new(Some(b"poll")).get(), b"poll");
        assert_eq!(Short::new(Some(&[b'x'; 100])).get(), [b'x'; ROOM]);
    }
}
