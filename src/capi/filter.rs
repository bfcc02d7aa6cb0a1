//! A program's filter functions as the batches see them.

use crate::batch::filter::Filter;
use crate::ctypes::{SendfileCallback, WriteCallback};
use crate::outcome::{Outcome, Stop};
use nix::errno::Errno;
use std::ffi::c_void;

type Write = unsafe extern "C-unwind" fn(i64, *const c_void, u64) -> i64;

/// The functions of one `iob_write2`, and the number that is passed through to them.
pub(super) struct CFilter {
    target: i64,
    write: Write,
    sendfile: SendfileCallback,
}

impl CFilter {
    /// # Safety
    /// The functions may be called with any memory that can be read, until the C function that was given
    /// them returns.
    pub(super) unsafe fn new(
        target: i64,
        write: WriteCallback,
        sendfile: SendfileCallback,
    ) -> Result<CFilter, Errno> {
        Ok(CFilter { target, write: write.ok_or(Errno::EFAULT)?, sendfile })
    }
}

impl Filter for CFilter {
    fn target(&self) -> i64 {
        self.target
    }

    fn take(&mut self, bytes: *const u8, n: u64) -> Outcome<u64> {
        // SAFETY: `new` requires a callable function; the memory is a queued buffer or a window on a file.
        outcome(unsafe { (self.write)(self.target, bytes.cast(), n) }, n)
    }

    fn takes_files(&self) -> bool {
        self.sendfile.is_some()
    }

    fn take_file(&mut self, fd: i64, off: u64, n: u64) -> Outcome<u64> {
        let Some(sendfile) = self.sendfile else { return Err(Errno::ENOSYS.into()) };
        // SAFETY: `new` requires a callable function.
        outcome(unsafe { sendfile(self.target, fd, off, n, Some(self.write)) }, n)
    }
}

/// What a filter's answer means. It must be looked at before anything else can change errno.
fn outcome(r: i64, n: u64) -> Outcome<u64> {
    match u64::try_from(r) {
        Ok(taken) => Ok(taken.min(n)),
        Err(_) => match Errno::last() {
            Errno::EAGAIN if r == -1 => Err(Stop::Again),
            e => Err(Stop::Failed(e)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_filter_is_clamped_to_what_it_was_offered() {
        assert_eq!((outcome(0, 9), outcome(5, 9), outcome(i64::MAX, 9)), (Ok(0), Ok(5), Ok(9)));
        Errno::EAGAIN.set();
        assert_eq!(outcome(-1, 9), Err(Stop::Again));
        assert_eq!(outcome(-3, 9), Err(Stop::Failed(Errno::EAGAIN)));
        Errno::EIO.set();
        assert_eq!(outcome(-1, 9), Err(Stop::Failed(Errno::EIO)));
    }
}
