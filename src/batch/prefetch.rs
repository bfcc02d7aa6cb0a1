//! `iob_prefetch`.

use crate::batch::Batch;
use crate::ctypes::FROM_FILE;
use crate::fd::Fd;
use crate::sys::message;

/// Asks the kernel to read ahead the next `bytes` of unsent file content.
pub(crate) fn prefetch(batch: Batch, bytes: u64) {
    let mut rest = bytes;
    batch.with_unsent(|entries| {
        for e in entries.iter().filter(|e| e.kind == FROM_FILE && e.n > 0) {
            let n = e.n.min(rest);
            // To the kernel a length of 0 means "to the end of the file".
            if n == 0 {
                break;
            }
            if let Ok(fd) = Fd::new(e.fd) {
                message::read_ahead(fd, e.offset, n);
            }
            rest -= n;
        }
    });
}
