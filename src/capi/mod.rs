//! The C border: all `no_mangle` functions of the library, one file for each subject.
//!
//! Every function has the same shape: check the arguments (`args`), call one Rust function under the panic
//! guard (`guard`), and turn its `Result` into the documented integer and errno (`ret`). The doc comments
//! are written for the C reader, because cbindgen copies them into the header.

mod args;
pub mod array;
mod filter;
mod guard;
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
mod ret;
mod start;
pub mod tai;
mod trace_call;
