//! Models of the protocols between threads. loom runs each in every order in which its threads can take turns, and with
//! every value that a weakly ordered load may see: `make check-loom`.
//!
//! The sources are those of the library; only their primitives ([`sys::sync`]) are loom's. What is used only under the one
//! lock (the dirty list, the events, the timer) needs no model.
//!
//! Each model has been seen to fail when the code is broken; its first comment says how.

#![cfg(loom)]

mod beside;
mod handover;
mod loan;
mod lock;
mod spare;
mod sys;
mod waker;
