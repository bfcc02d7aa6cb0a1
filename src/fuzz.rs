//! The bodies of the fuzz targets that need to see inside. `fuzz/` has the rest, and the corpora, which the tests
//! here run without a fuzzer.

use crate::reactor::model::{Op, scripted::run_scripted};

/// Longer inputs find nothing that a shorter one does not.
const OPS_MAX: usize = 200;

/// The state machine of table and reactor on a scripted kernel, against its model. Three bytes are a step.
pub fn machine(input: &[u8]) {
    let steps = input.chunks_exact(3).take(OPS_MAX);
    let ops: Vec<Op> = steps.map(|step| Op::decode([step[0], step[1], step[2]])).collect();
    run_scripted(&ops);
}
