//! The C border: all `no_mangle` functions of the library, one file for each subject.
//!
//! Every function has the same shape: check the arguments, call one Rust function, and turn its `Result` into the
//! documented integer and errno. What they have in common is in `entry`. The doc comments are written for the C reader,
//! because cbindgen copies them into the header.

pub mod array;
mod entry;
mod filter;
pub mod io_fd;
pub mod io_open;
pub mod io_rw;
pub mod io_sendfile;
pub mod io_wait;
pub mod io_want;
pub mod iob;
pub mod iob_send;
pub mod iom;
pub mod pack;
mod start;
pub mod tai;
