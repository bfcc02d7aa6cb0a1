//! The result of one attempt to move bytes.

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
    /// To a caller that does not wait, `EINTR` before any byte moved means "try again later".
    fn from(e: Errno) -> Stop {
        match e {
            Errno::EAGAIN | Errno::EINTR => Stop::Again,
            e => Stop::Failed(e),
        }
    }
}

/// How many bytes moved (0 at end of file, or if none were asked for), or why none. `N` is `u64` where several system calls
/// add up, because a file can be larger than the memory.
pub(crate) type Outcome<N = usize> = Result<N, Stop>;

/// What an attempt has shown about the readiness of the descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readiness {
    Stands,
    UsedUp,
    /// Nothing: it ended by an error, or the file was at its end.
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
