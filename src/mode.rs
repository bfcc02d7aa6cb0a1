//! What decides how a descriptor is read and written without waiting.

/// Whether the descriptor's open file is sure to have `O_NONBLOCK`. Blocking is the safe assumption: each
/// call is then told not to wait.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Mode {
    #[default]
    Blocking,
    Nonblocking,
}

/// What a blocking descriptor is: each kind is asked not to wait in its own way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum FileKind {
    /// Not looked at yet.
    #[default]
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
