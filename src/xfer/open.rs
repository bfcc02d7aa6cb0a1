//! Opens files, pipes and socket pairs, in blocking mode and inherited over exec, because programs hand them to the
//! children that they start.

use crate::sys::O_LARGEFILE;
use crate::sys::count::{Call, count};
use crate::sys::pair;
use crate::sys::path::{self, Path};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd;
use std::os::fd::OwnedFd;

/// What a file is opened for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    Read,
    /// Writing a file that is new or emptied.
    Create,
    /// Writing at the end of a file, new or not.
    Append,
    /// Reading and writing a file, which must exist.
    ReadWrite,
}

/// Only the owner may read and write a new file, and the umask may take that away.
const NEW_FILE: u32 = 0o600;

pub(crate) fn file(path: Path, access: Access) -> Result<OwnedFd, Errno> {
    let flags = match access {
        Access::Read => OFlag::O_RDONLY,
        Access::Create => OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC,
        Access::Append => OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND,
        Access::ReadWrite => OFlag::O_RDWR,
    };
    path::open(path, flags.bits() | O_LARGEFILE, NEW_FILE)
}

/// The read end and the write end.
pub(crate) fn pipe() -> Result<[OwnedFd; 2], Errno> {
    count(Call::Pipe);
    unistd::pipe().map(<[OwnedFd; 2]>::from)
}

/// Two connected Unix stream sockets.
pub(crate) fn socketpair() -> Result<[OwnedFd; 2], Errno> {
    pair::stream_sockets()
}
