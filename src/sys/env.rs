//! The environment, as far as a set-user-ID program may trust it.
//!
//! It is read once, when the library is loaded. Many programs overwrite theirs later (to show a name in the list of
//! processes), clear it before they fork, or change it in one thread while another waits; the C library forbids to read
//! it meanwhile.

use super::once::Once;
use super::system::secure_variable;
use std::ffi::CStr;

/// More than the longest value that means something.
const ROOM: usize = 16;

/// A value, of which only the beginning is kept if it is long: then it means nothing either.
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

/// The library has been loaded.
pub(crate) fn begin() {
    // Only the first reading counts.
    let _ = BACKEND.set(with_secure(c"OWFAT_IO_BACKEND", Short::new));
}

/// What `OWFAT_IO_BACKEND` was when the library was loaded; nothing if it was unset, or the process runs with raised
/// privilege.
pub(crate) fn backend() -> &'static [u8] {
    if BACKEND.get().is_none() {
        // A library that was loaded before this one calls it while it is loaded itself.
        begin();
    }
    BACKEND.get().map(Short::get).unwrap_or_default()
}

/// Calls `f` with the variable's value, or `None` if it is unset or the process runs with raised privilege. For the
/// time when the library is loaded.
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
