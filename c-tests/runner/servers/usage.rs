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
    /// Nanoseconds in which its threads ran or waited for a processor.
    awake: u64,
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
            awake: awake(pid)?,
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

    /// The share of the time since `earlier` in which the process did not sleep, in per cent, and more than 100 if
    /// several threads did not. What spins comes to 100 also on a machine that is too busy to let it run.
    pub(super) fn awake_since(&self, earlier: &Usage) -> f64 {
        // A thread that has ended takes its count along.
        100.0 * self.awake.saturating_sub(earlier.awake) as f64 / (self.at - earlier.at).as_nanos() as f64
    }
}

fn awake(pid: u32) -> Result<u64, Box<dyn Error>> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // It may end just now.
        let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let mut times = times.split_whitespace().map(str::parse::<u64>);
        let (Some(ran), Some(waited)) = (times.next(), times.next()) else {
            return Err("no schedstat".into());
        };
        sum += ran? + waited?;
    }
    Ok(sum)
}

fn kibibytes(memory: &str, label: &str) -> Result<u64, Box<dyn Error>> {
    let line =
        memory.lines().find_map(|l| l.strip_prefix(label)).ok_or("a line of smaps_rollup is missing")?;
    Ok(line.split_whitespace().next().ok_or("no number")?.parse()?)
}
