//! Models of the protocols between threads: loom runs each in every order in which its threads can take turns, and
//! with every value that a weakly ordered load may see. `make check-loom`.
//!
//! The sources are the product's own; only what they are built on ([`sys::sync`]) is loom's. What is only ever
//! touched under the one lock (the dirty list, the events, the timer) needs no model of its own.
//!
//! Each model has been seen to fail when what it proves is broken; how is said beside it.

#![cfg(loom)]

mod beside;
mod handover;
mod loan;
mod lock;
mod spare;
mod sys;
mod waker;
