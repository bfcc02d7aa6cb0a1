//! Moves bytes, files or descriptors, one try a call. It knows nothing of registrations, interest and readiness.

pub(crate) mod blocking;
pub(crate) mod fdpass;
pub(crate) mod file;
pub(crate) mod gather;
pub(crate) mod open;
pub(crate) mod room;
pub(crate) mod rw;
pub(crate) mod sendfile;
pub(crate) mod sigpipe;
pub(crate) mod window;
