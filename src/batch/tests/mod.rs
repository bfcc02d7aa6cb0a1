//! Tests of batches.

mod books;
mod model;

use super::filter::Filter;
use super::model::script::*;
use super::*;
use crate::outcome::{Outcome, Stop};
use std::cell::RefCell;

fn three(b: Batch) -> &'static [u8] {
    let text = b"0123456789abcdefXYZ";
    for (from, n) in [(0, 10), (10, 6), (16, 3)] {
        b.add(item::buffer(text[from..].as_ptr().cast(), n, None)).unwrap();
    }
    text
}

/// Answers are popped from the end.
fn script(answers: &[Answer]) -> Script {
    Script { answers: answers.iter().rev().copied().collect(), ..Script::default() }
}
