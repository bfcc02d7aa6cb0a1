//! What decides how a descriptor is read and written without waiting.

/// Whether the descriptor's open file has `O_NONBLOCK`, as far as we were told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Blocking,
    Nonblocking,
}

/// What a blocking descriptor is: each kind is asked not to wait in its own way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileKind {
    /// Not looked at yet.
    Unknown,
    Socket,
    /// Pipe or FIFO.
    Pipe,
    /// A file or directory: reads and writes never wait for a peer.
    Regular,
    /// A terminal or another character device.
    Device,
    /// eventfd, timerfd and their kind.
    Other,
}
