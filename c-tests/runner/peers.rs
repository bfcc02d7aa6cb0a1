//! `docs/peers.md`: each check that it names exists. With `OWFAT_IO_UPDATE=1` the checks run on libowfat 0.32 and 0.34, and
//! the columns that say how they end are rewritten.

use crate::behaviour::cases;
use crate::compile::{Program, With};
use crate::man::{Complaints, complaining};
use crate::original::verdict;
use crate::place;
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::{env, fs, thread};

/// The columns of a row: where the scenario is from, what it is, the check, and how that ends on the two.
const COLUMNS: usize = 5;
const CHECK: usize = 2;

pub(crate) fn trials() -> Vec<Trial> {
    vec![complaining("peers::checks_that_are_named_exist", checks_exist)]
}

fn checks_exist() -> Complaints {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/peers.md");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let programs = programs();
    let (mut named, mut complaints) = (BTreeMap::new(), Vec::new());
    for row in text.lines().filter_map(row) {
        match row[CHECK].strip_prefix('`').and_then(|check| check.strip_suffix('`')) {
            Some(check) if programs.contains_key(check) => drop(named.insert(check, [""; 2])),
            Some(check) => complaints.push(format!("{check} is in no source")),
            None if row[CHECK].starts_with("not applicable: ") => {}
            None => complaints.push(format!("neither a check nor a reason: {row:?}")),
        }
    }
    if named.is_empty() {
        complaints.push("it names no check".into());
    }
    if complaints.is_empty() && env::var_os("OWFAT_IO_UPDATE").is_some() {
        run(&mut named, &programs)?;
        let lines = text.lines().map(|line| with_verdicts(line, &named) + "\n");
        fs::write(&path, lines.collect::<String>()).map_err(|e| e.to_string())?;
    }
    Ok(complaints)
}

/// The columns of a line of a table of scenarios, if it is one.
fn row(line: &str) -> Option<Vec<&str>> {
    let columns: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let is_scenario = columns.len() == COLUMNS && columns[0] != "where" && !columns[0].starts_with("---");
    is_scenario.then_some(columns)
}

/// The program of each check, built for libowfat.
fn programs() -> BTreeMap<String, Program> {
    let of_source = |source: &std::path::PathBuf| {
        let program = Program::new(source, With::Debian);
        cases(source).into_iter().map(move |case| (case, program.clone())).collect::<Vec<_>>()
    };
    ["c", "cc"]
        .map(|extension| place::sources("behaviour", extension))
        .concat()
        .iter()
        .flat_map(of_source)
        .collect()
}

fn run(
    named: &mut BTreeMap<&str, [&'static str; 2]>,
    programs: &BTreeMap<String, Program>,
) -> Result<(), String> {
    let later = place::libowfat_034().ok_or("no libowfat 0.34: make libowfat-034")?;
    let work = Mutex::new(named.iter_mut());
    let next = || work.lock().ok()?.next();
    let worker = || -> Result<(), String> {
        while let Some((case, verdicts)) = next() {
            let program = &programs[*case];
            *verdicts = [verdict(program, case, None)?, verdict(program, case, Some(later))?];
        }
        Ok(())
    };
    // Most of the time goes into checks that hang.
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|w| w.join().unwrap_or_else(|_| Err("a worker panicked".into())))
    })
}

fn with_verdicts(line: &str, named: &BTreeMap<&str, [&str; 2]>) -> String {
    let verdicts =
        row(line).and_then(|row| named.get(row[CHECK].trim_matches('`')).map(|verdicts| (row, verdicts)));
    match verdicts {
        Some((row, [first, second])) => format!("| {} | {first} | {second} |", row[..=CHECK].join(" | ")),
        None => line.to_owned(),
    }
}
