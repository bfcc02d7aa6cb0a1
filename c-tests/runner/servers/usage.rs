//! What a process uses: processor time, memory, descriptors.

use super::process::cpu_ticks;
use std::error::Error;
use std::fs;
use std::time::Instant;

/// Of a second, in which `/proc` counts processor time on every Linux.
const TICKS: f64 = 100.0;

#[derive(Clone, Copy)]
pub(super) struct Usage {
    at: Instant,
    ticks: u64,
    /// Resident memory in KiB.
    pub(super) resident: u64,
    /// That part of it which belongs to the process alone: heap and stacks, but neither code nor files. In KiB.
    pub(super) anonymous: u64,
    pub(super) descriptors: usize,
}

impl Usage {
    pub(super) fn of(pid: u32) -> Result<Usage, Box<dyn Error>> {
        // Page by page: VmRSS in `status` is up to some hundred KiB behind, because each processor keeps a part of
        // the count to itself.
        let memory = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        Ok(Usage {
            at: Instant::now(),
            ticks: cpu_ticks(pid)?,
            resident: kibibytes(&memory, "Rss:")?,
            anonymous: kibibytes(&memory, "Anonymous:")?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
        })
    }

    /// The share of one processor that was used from `earlier` until now, in per cent.
    pub(super) fn cpu_since(&self, earlier: &Usage) -> f64 {
        let seconds = (self.at - earlier.at).as_secs_f64();
        100.0 * (self.ticks - earlier.ticks) as f64 / TICKS / seconds
    }
}

fn kibibytes(memory: &str, label: &str) -> Result<u64, Box<dyn Error>> {
    let line =
        memory.lines().find_map(|l| l.strip_prefix(label)).ok_or("a line of smaps_rollup is missing")?;
    Ok(line.split_whitespace().next().ok_or("no number")?.parse()?)
}
