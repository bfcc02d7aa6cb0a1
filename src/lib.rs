//! libowfat's io layer (`io_*`, `iob_*`, `iom_*`) behind the same C ABI.
//!
//! # Map
//!
//! ```text
//! C caller ─raw args─▶ capi ─typed─▶ event_loop ─interest─▶ backend ─▶ kernel
//!          ◀int, errno─      ◀Result─  table / timer  ◀─events──
//!                               │
//!                               ├─▶ batch (io_batch: send, filter) ─▶ xfer (one try at moving bytes)
//! mux (iom_*) is independent of the event loop
//! ```
//!
//! A module uses only modules to the right of it: `capi → event_loop → (batch → xfer; timer → table → slot; backend)
//! → common types (fd, interest, mode, time, outcome, buf, array, ctypes) → sys`.
//!
//! # Border rules
//!
//! * Only `capi` defines C names. Each function checks its arguments, calls one Rust function and converts the result
//!   (`capi::entry`).
//! * No panic and no Rust reference crosses the border. While a C callback runs, no lock is held and no state of the library
//!   is borrowed, because callbacks call the library.
//! * Memory that C may free comes from `malloc`. A drop never closes a descriptor of the caller.
//! * `unsafe` is in `capi` and `sys`, and where a C structure is accessed (`batch`, `mux`, `array`).

mod array;
mod backend;
mod batch;
mod buf;
pub mod capi;
pub mod ctypes;
mod event_loop;
mod fd;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod grow;
mod interest;
mod mode;
mod mux;
mod outcome;
mod slot;
mod sorted;
mod sys;
mod table;
mod text;
mod time;
mod timer;
mod trace;
mod xfer;
