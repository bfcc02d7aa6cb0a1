//! (being written on the batch branch)
pub(crate) fn arrange() {}
