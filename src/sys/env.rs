//! The environment, as far as a set-user-ID program may trust it.

use std::ffi::{CStr, c_char};

unsafe extern "C" {
    // glibc and musl; missing from the libc crate for Linux.
    fn secure_getenv(name: *const c_char) -> *mut c_char;
}

/// Calls `f` with the variable's value, or `None` if it is unset or the process runs with raised privilege.
pub(crate) fn with_secure<R>(name: &CStr, f: impl FnOnce(Option<&[u8]>) -> R) -> R {
    // SAFETY: the name ends in a zero byte; the answer is NULL or a string of the environment.
    let value = unsafe { secure_getenv(name.as_ptr()) };
    if value.is_null() {
        return f(None);
    }
    // SAFETY: not NULL, so it is a string, which stands as long as nobody changes the environment: `f`
    // looks at it at once.
    f(Some(unsafe { CStr::from_ptr(value) }.to_bytes()))
}
