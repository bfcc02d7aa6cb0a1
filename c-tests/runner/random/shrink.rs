//! Takes calls out of a program that fails, as long as it fails at the same kind of call.

use super::program::Program;

/// Each try plays the program on 0.32 and on us.
const TRIES: usize = 120;

/// `fails` says whether a program still fails.
pub(crate) fn shrink(program: &Program, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut best = program.clone();
    let mut tries = 0;
    let mut size = best.calls.len() / 2;
    while size > 0 && tries < TRIES {
        // From the end, because what comes after the failure is of no use. `begin` and `finish` stay.
        let mut end = best.calls.len() - 1;
        while end > 1 && tries < TRIES {
            let start = end.saturating_sub(size).max(1);
            let mut fewer = best.clone();
            fewer.calls.drain(start..end);
            tries += 1;
            if fails(&fewer) {
                best = fewer;
            }
            end = start;
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    best
}
