//! In place of `src/backend`.

mod models;
#[path = "../../../src/backend/shut.rs"]
mod shut;
