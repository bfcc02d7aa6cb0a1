//! Checks shared by the C functions: lengths and buffers as C passes them.

use crate::buf::{Source, Target};
use nix::errno::Errno;
use std::ffi::c_char;

/// The most that one read or write moves (read(2), NOTES). Longer buffers are cut to it, because the kernel
/// refuses some of them (`EFAULT`) before it cuts them itself.
const MAX_RW_COUNT: usize = 0x7fff_f000;

/// Whether a length needs neither a check nor a cut.
#[inline(always)]
pub(crate) fn is_usual(len: i64) -> bool {
    (len as u64).wrapping_sub(1) < MAX_RW_COUNT as u64
}

/// A signed length: negative is `EINVAL`, huge is cut.
fn length(len: i64) -> Result<usize, Errno> {
    if len < 0 {
        return Err(Errno::EINVAL);
    }
    Ok(usize::try_from(len).map_or(MAX_RW_COUNT, |n| n.min(MAX_RW_COUNT)))
}

/// # Safety
/// The caller of the C function keeps what is mapped at `buf` valid for writing until the function returns.
pub(crate) unsafe fn target(buf: *mut c_char, len: i64) -> Result<Target, Errno> {
    let len = length(len)?;
    // SAFETY: the caller's promise is the one that `Target::new` asks for.
    Ok(unsafe { Target::new(buf.cast(), len) })
}

/// # Safety
/// The caller of the C function leaves what is mapped at `buf` unchanged until the function returns.
pub(crate) unsafe fn source(buf: *const c_char, len: i64) -> Result<Source, Errno> {
    let len = length(len)?;
    // SAFETY: the caller's promise is the one that `Source::new` asks for.
    Ok(unsafe { Source::new(buf.cast(), len) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_refused_if_negative_and_cut_if_huge() {
        assert_eq!(length(-1), Err(Errno::EINVAL));
        assert_eq!((length(0), length(9)), (Ok(0), Ok(9)));
        assert_eq!(length(i64::MAX), Ok(MAX_RW_COUNT));
        assert!(is_usual(1) && is_usual(MAX_RW_COUNT as i64));
        assert!(![0, -1, i64::MIN, MAX_RW_COUNT as i64 + 1].into_iter().any(is_usual));
    }
}
