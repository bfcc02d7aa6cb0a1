//! A regression test of a defect that passes on the library with the defect proves nothing. So the cases
//! named after a defect (K1_, D12_) are also run against Debian's libowfat, and the verdicts held against
//! `original.txt`: one line per case, `NAME fails`, `NAME passes why`, `NAME racy why` (either), or
//! `NAME not-runnable why` (libowfat 0.32 lacks a function that the file uses).

use crate::behaviour::cases;
use crate::compile::{Program, With};
use crate::{child, place};
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use std::{env, fs, thread};

const LIMIT: Duration = Duration::from_secs(3);

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("original::defects", compare)]
}

/// `K1_...` or `D12_...`.
fn names_a_defect(case: &str) -> bool {
    let digits = case.strip_prefix(['K', 'D']).unwrap_or_default();
    digits.starts_with(|c: char| c.is_ascii_digit())
}

fn verdict(program: &Program, case: &str) -> Result<&'static str, String> {
    let Ok(path) = program.path() else { return Ok("not-runnable") };
    let end = child::run(Command::new(path).arg(case), LIMIT)?;
    Ok(match () {
        () if end.skipped() => "not-runnable",
        () if end.passed() => "passes",
        () => "fails",
    })
}

/// Most of the time goes into cases that hang, so a few run at once.
fn verdicts() -> Result<BTreeMap<String, &'static str>, String> {
    let mut work = Vec::new();
    for source in place::sources("behaviour", "c") {
        let program = Program::new(&source, With::Debian);
        work.extend(cases(&source).into_iter().filter(|c| names_a_defect(c)).map(|c| (program.clone(), c)));
    }
    let (work, found) = (Mutex::new(work), Mutex::new(BTreeMap::new()));
    let next = || work.lock().map_or(None, |mut work| work.pop());
    let worker = || -> Result<(), String> {
        while let Some((program, case)) = next() {
            let verdict = verdict(&program, &case)?;
            found.lock().map_err(|e| e.to_string())?.insert(case, verdict);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|w| w.join().unwrap_or_else(|_| Err("a worker panicked".into())))
    })?;
    found.into_inner().map_err(|e| e.to_string())
}

/// Name to the rest of the line, which begins with the verdict.
fn committed(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(name, rest)| (name, rest.trim())).collect()
}

fn compare() -> Result<(), Failed> {
    let file = place::c_tests().join("original.txt");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let committed = committed(&text);
    let found = verdicts()?;
    let update = env::var_os("OWFAT_IO_UPDATE").is_some();
    let (mut table, mut complaints) = (String::new(), String::new());
    for (case, verdict) in &found {
        let expected = committed.get(case.as_str()).copied().unwrap_or_default();
        let (word, why) = expected.split_once(' ').unwrap_or((expected, ""));
        let line = if word == *verdict || word == "racy" { expected } else { verdict };
        let _ = writeln!(table, "{case} {line}");
        if line != expected && !update {
            let _ = writeln!(complaints, "{case} {verdict} on 0.32, original.txt says: {expected:?}");
        }
        if line != "fails" && why.is_empty() {
            let _ = writeln!(complaints, "{case} {verdict} on 0.32: say why in original.txt");
        }
    }
    for case in committed.keys().filter(|case| !update && !found.contains_key(**case)) {
        let _ = writeln!(complaints, "{case} is in original.txt but in no source");
    }
    fs::write(place::output().join("original.txt"), &table)?;
    if update {
        let heading: String = text.lines().filter(|l| l.starts_with('#')).map(|l| format!("{l}\n")).collect();
        fs::write(&file, heading + &table)?;
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.into()) }
}
