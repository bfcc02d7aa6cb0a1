//! The bodies of the fuzz targets that use the library's internals. `fuzz/` has the rest, and the corpora, which the tests
//! here run without a fuzzer.

use crate::batch::model::{Setting, bytes, ledger};
use crate::event_loop::model::{Op, scripted::run_scripted};
use crate::table;

/// Longer inputs find nothing new.
const OPS_MAX: usize = 200;

/// The event loop on a scripted kernel, against its model. The first byte says after how many looks their numbers wrap
/// around. Each three bytes after it are a step.
pub fn machine(input: &[u8]) {
    let Some((&to_wrap, rest)) = input.split_first() else { return };
    table::set_look(u32::MAX - u32::from(to_wrap));
    let steps = rest.chunks_exact(3).take(OPS_MAX);
    let ops: Vec<Op> = steps.map(|step| Op::decode([step[0], step[1], step[2]])).collect();
    run_scripted(&ops);
}

/// Batches against their models. The first byte is the setting. Each four bytes after it are a step.
pub fn plan(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else { return };
    let steps = rest.chunks_exact(4).take(OPS_MAX);
    let codes: Vec<_> = steps.map(|s| [s[0], s[1], s[2], s[3]]).collect();
    let setting = Setting::decode(first);
    if first & 16 != 0 { ledger::run(setting, &codes) } else { bytes::run(setting, &codes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Runs the corpus of a target without a fuzzer.
    fn replay(target: &str, run: fn(&[u8])) {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/").to_owned() + target;
        let mut files = 0;
        for file in fs::read_dir(corpus).unwrap() {
            run(&fs::read(file.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files > 10, "{files} files");
    }

    #[test]
    fn corpus_of_machine() {
        replay("machine", machine);
    }

    // Of entries whose memory is thought to lie beyond 4 GiB.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn corpus_of_plan() {
        replay("plan", plan);
    }
}
