//! Calls whose file offsets have 64 bits: all of them have.

pub(in crate::sys) use libc::{fstat, ftruncate, getrlimit, off_t, pread, pwrite, rlimit, stat};
