//! The error queue of a socket, which these systems do not have.

use crate::fd::Fd;

/// The kernel no longer reads the memory of some sends without a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Finished {
    /// Numbers of the first and the last one.
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// The kernel has made a copy after all.
    pub(crate) copied: bool,
}

/// There are none.
pub(crate) fn drain(_: Fd, _: usize, _: impl FnMut(Finished)) -> usize {
    0
}
