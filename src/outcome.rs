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

/// Bytes moved (0 = end of file, or nothing asked for), or why none. What may be more than one system call moves is
/// counted in `u64`: a file can be larger than the memory.
pub(crate) type Outcome<N = usize> = Result<N, Stop>;

/// What an attempt has shown of the readiness that it could use up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readiness {
    Stands,
    UsedUp,
    /// It ended for another reason: an error, or a file that was at its end.
    Unclear,
}

impl Readiness {
    /// After an attempt at moving `asked` bytes between memory and the descriptor.
    pub(crate) fn after(outcome: Outcome, asked: usize) -> Readiness {
        match outcome {
            Ok(n) if n == asked => Readiness::Stands,
            Ok(_) | Err(Stop::Again) => Readiness::UsedUp,
            Err(Stop::Failed(_)) => Readiness::Unclear,
        }
    }

    /// After an attempt at moving `asked` bytes of a file, which may have had less.
    pub(crate) fn after_file(outcome: Outcome, asked: usize) -> Readiness {
        match outcome {
            Ok(n) if n < asked => Readiness::Unclear,
            _ => Readiness::after(outcome, asked),
        }
    }
}
