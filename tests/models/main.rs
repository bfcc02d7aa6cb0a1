//! Models of the protocols between threads: loom runs each in every order in which its threads can take turns, and
//! with every value that a weakly ordered load may see. `make check-loom`.
//!
//! The sources are the product's own; only what they are built on ([`sys::sync`]) is loom's. What is only ever
//! touched under the one lock (the table and its growth, the queues, the timer) needs no model of its own.
//!
//! Each model has been seen to fail when what it proves is broken; how is said beside it.

#![cfg(loom)]

#[path = "../../src/reactor/sleepers.rs"]
#[allow(dead_code, reason = "a change of backends is not modelled")]
mod sleepers;

mod backend;
mod bell;
mod lock;
mod loops;
mod sleep;
mod spare;
mod sys;
