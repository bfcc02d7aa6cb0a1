//! The mode and the kind of a descriptor. They decide how it is read and written without waiting.

/// Whether the open file surely has `O_NONBLOCK`. Blocking is the safe assumption: each call then says "do not wait".
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Mode {
    #[default]
    Blocking,
    Nonblocking,
}

/// The kind of file. Each kind has its own way to say "do not wait".
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum FileKind {
    /// The kernel was not asked yet.
    #[default]
    Unknown,
    Socket,
    /// Pipe or FIFO.
    Pipe,
    /// A file or directory: reads and writes never wait for a peer.
    Regular,
    /// A terminal or another character device.
    Device,
    /// eventfd, timerfd and the like.
    Other,
}
