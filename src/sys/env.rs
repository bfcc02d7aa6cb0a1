//! The environment, as far as a set-user-ID program may trust it.

use super::linux::secure_variable;
use std::ffi::CStr;

/// Calls `f` with the variable's value, or `None` if it is unset or the process runs with raised privilege.
pub(crate) fn with_secure<R>(name: &CStr, f: impl FnOnce(Option<&[u8]>) -> R) -> R {
    let value = secure_variable(name);
    if value.is_null() {
        return f(None);
    }
    // SAFETY: not NULL, so it is a string, which stands as long as nobody changes the environment: `f`
    // looks at it at once.
    f(Some(unsafe { CStr::from_ptr(value) }.to_bytes()))
}
