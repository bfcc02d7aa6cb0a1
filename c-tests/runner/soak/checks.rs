//! The checks of all families, picked at random: in turn for half of the time, side by side for the other half. Each is a
//! process. Nothing may be left of them: no memory and no descriptor of the runner, no temporary file, and a check may not
//! take longer at the end than it did at first.

use super::super::usage::Usage;
use super::random::Random;
use crate::behaviour::{BACKENDS, cases, verdict};
use crate::compile::{Program, With};
use crate::{child, place};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, process, thread};

const LIMIT: Duration = Duration::from_secs(120);
/// As many as there are processors on a small machine, and one more.
const SIDE_BY_SIDE: usize = 3;
/// Growth of the runner that is no leak, in KiB: its heap and its books of the times.
const SLACK: u64 = 2048;
/// How much longer the check in the middle may take at the end. Other programs share the machine.
const SLOWER: f64 = 1.5;

type Check = (Program, String, &'static str);

#[derive(Default)]
struct Books {
    ran: usize,
    /// Of each check, when it began and how long it took.
    times: BTreeMap<String, Vec<(Instant, Duration)>>,
    /// Failed beside others, which may be the fault of a busy machine.
    doubtful: Vec<(Check, String)>,
}

pub(super) fn random_checks(length: Duration) -> Result<(), Box<dyn Error>> {
    let checks = all()?;
    let (mut random, begin) = (Random::new(process::id() as usize), Instant::now());
    let mut complaints = Vec::new();
    // The heap grows to its size, and every program is compiled, before the first sample.
    for (program, ..) in &checks {
        program.path()?;
    }
    let (since, first) = (SystemTime::now(), Usage::of(process::id())?);
    for threads in [1, SIDE_BY_SIDE] {
        let (from, books) = (Instant::now(), Mutex::new(Books::default()));
        let seeds: Vec<usize> = (0..threads).map(|_| random.below(1 << 30)).collect();
        thread::scope(|scope| {
            let (checks, books) = (&checks, &books);
            for seed in seeds {
                scope.spawn(move || be_busy(checks, Random::new(seed), from + length / 2, books));
            }
        });
        let mut books = books.into_inner().map_err(|e| e.to_string())?;
        for (check, story) in std::mem::take(&mut books.doubtful) {
            if let Err(again) = run(&check) {
                complaints.push(format!("{} failed twice: {story}\nand alone: {again}", name(&check)));
            }
        }
        let slower = slower(&books.times, from + length / 4);
        let slower_text =
            slower.map_or("too few to compare".into(), |by| format!("{by:.2} of the first half's time"));
        println!("{:5} s: {} checks, {threads} at once; {slower_text}", begin.elapsed().as_secs(), books.ran);
        if books.ran == 0 {
            complaints.push("no check has run".into());
        }
        if slower.is_some_and(|by| by > SLOWER) {
            complaints.push(format!("with {threads} at once, checks take longer and longer: {slower_text}"));
        }
    }
    let last = Usage::of(process::id())?;
    println!(
        "{} KiB and {} descriptors, then {} and {}",
        first.anonymous, first.descriptors, last.anonymous, last.descriptors
    );
    if last.anonymous > first.anonymous + SLACK || last.descriptors > first.descriptors {
        complaints.push("the runner has grown".into());
    }
    complaints.extend(left_since(since)?.map(|file| format!("left: {file}")));
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
}

fn all() -> Result<Vec<Check>, Box<dyn Error>> {
    let mut checks = Vec::new();
    for source in ["c", "cc"].map(|extension| place::sources("behaviour", extension)).concat() {
        let program = Program::new(&source, With::Ours);
        for case in cases(&source) {
            checks.extend(BACKENDS.map(|backend| (program.clone(), case.clone(), backend)));
        }
    }
    if checks.is_empty() { Err("where are the checks?".into()) } else { Ok(checks) }
}

fn be_busy(checks: &[Check], mut random: Random, end: Instant, books: &Mutex<Books>) {
    while Instant::now() < end {
        let check = &checks[random.below(checks.len())];
        let begin = Instant::now();
        let ended = run(check);
        let took = begin.elapsed();
        let Ok(mut books) = books.lock() else { return };
        books.ran += 1;
        match ended {
            Ok(()) => books.times.entry(name(check)).or_default().push((begin, took)),
            Err(story) => books.doubtful.push((check.clone(), story)),
        }
    }
}

fn run((program, case, backend): &Check) -> Result<(), String> {
    let mut command = program.command()?;
    let end = child::run(command.env("OWFAT_IO_BACKEND", backend).arg(case), LIMIT)?;
    verdict(&end).map(drop).map_err(|e| e.message().unwrap_or("failed").to_owned())
}

fn name((_, case, backend): &Check) -> String {
    format!("{case} on {backend}")
}

/// Of all checks that ran before `half` and after it: by how much the one in the middle took longer.
fn slower(times: &BTreeMap<String, Vec<(Instant, Duration)>>, half: Instant) -> Option<f64> {
    let mean = |times: &[&(Instant, Duration)]| {
        times.iter().map(|(_, took)| took.as_secs_f64()).sum::<f64>() / times.len() as f64
    };
    let ratio = |times: &Vec<(Instant, Duration)>| {
        let (before, after): (Vec<_>, Vec<_>) = times.iter().partition(|(at, _)| *at < half);
        (!before.is_empty() && !after.is_empty()).then(|| mean(&after) / mean(&before))
    };
    let mut ratios: Vec<f64> = times.values().filter_map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied()
}

/// Temporary files that were made after `since`, and so long ago that no check is running that made them.
fn left_since(since: SystemTime) -> Result<impl Iterator<Item = String>, Box<dyn Error>> {
    let until = SystemTime::now() - LIMIT;
    let files = fs::read_dir(env::temp_dir())?.flatten().filter(move |file| {
        let made = file.metadata().and_then(|file| file.modified());
        made.is_ok_and(|made| since < made && made < until)
    });
    Ok(files
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("owfat-io-")))
}
