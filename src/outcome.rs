//! What one attempt at moving bytes came to.

use nix::errno::Errno;

/// Why no byte moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// The descriptor is not ready (`EAGAIN`).
    Again,
    /// A real error.
    Failed(Errno),
}

impl From<Errno> for Stop {
    /// `EINTR` before any byte moved is "try again later" to a caller that never blocks.
    fn from(e: Errno) -> Stop {
        match e {
            Errno::EAGAIN | Errno::EINTR => Stop::Again,
            e => Stop::Failed(e),
        }
    }
}

/// Bytes moved (0 = end of file, or nothing asked for), or why none.
pub(crate) type Outcome = Result<usize, Stop>;
