//! libowfat's io layer (`io_*`, `iob_*`, `iom_*`) behind the same C ABI.
//!
//! # Map
//!
//! ```text
//! C caller ─raw args─▶ capi ─typed─▶ event_loop ─interest─▶ backend ─▶ kernel
//!          ◀int, errno─      ◀Result─  table / timer  ◀─events──
//!                               │
//!                               ├─▶ batch (io_batch: send, filter) ─▶ xfer (one try at moving bytes)
//! mux (iom_*) stands beside the event loop and shares nothing with it
//! ```
//!
//! A module uses only what is below it: `capi → event_loop → (batch → xfer; timer → table → slot; backend)
//! → vocabulary (fd, interest, mode, time, outcome, buf, array, ctypes) → sys`.
//!
//! # Border rules
//!
//! * Only `capi` defines C names. Each function checks, converts, calls one Rust function and converts
//!   back; the conventions for results are types in `capi::entry`.
//! * No panic and no Rust reference crosses the border; a C callback runs with no lock held and no borrow
//!   of library state alive, because callbacks call back into the library.
//! * Memory that C may release comes from `malloc`; a descriptor of the caller is never closed by a drop.
//! * `unsafe` lives in `capi` and `sys`, and where a C structure is viewed (`batch`, `mux`, `array`).

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
