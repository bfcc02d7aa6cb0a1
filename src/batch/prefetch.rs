//! Read-ahead for a batch.

use crate::batch::Batch;
use crate::ctypes::FROM_FILE;
use crate::fd::Fd;
use crate::sys::message;

/// Tells the kernel that the next `bytes` of unsent file content are wanted soon.
pub(crate) fn prefetch(batch: Batch, bytes: u64) {
    let mut rest = bytes;
    batch.with_unsent(|entries| {
        for e in entries.iter().filter(|e| e.kind == FROM_FILE && e.n > 0) {
            let n = e.n.min(rest);
            // The length 0 would mean "to the end of the file".
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
