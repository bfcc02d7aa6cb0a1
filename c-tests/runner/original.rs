//! A regression test of a defect that passes on the library with the defect proves nothing. So the cases that
//! `original.txt` lists are also run against Debian's libowfat, and the verdicts held against it: one line per case,
//! `NAME fails`, `NAME passes why`, `NAME racy why` (either), or `NAME not-runnable why` (libowfat 0.32 lacks a function
//! that the file uses). `original.0.34.txt` lists what runs on libowfat 0.34. A case enters as a line `NAME fails`.

use crate::behaviour::cases;
use crate::compile::{Program, With};
use crate::{child, place};
use libtest_mimic::{Completion, Failed, Trial};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use std::{env, fs, thread};

const LIMIT: Duration = Duration::from_secs(3);

pub(crate) fn trials() -> Vec<Trial> {
    let of_0_34 = || match place::libowfat_034() {
        Some(directory) => {
            compare("0.34", "original.0.34.txt", Some(directory)).map(|()| Completion::Completed)
        }
        None => Ok(Completion::ignored_with("no libowfat 0.34: make libowfat-034")),
    };
    vec![
        Trial::test("original::defects", || compare("0.32", "original.txt", None)),
        Trial::ignorable_test("original::defects_of_0.34", of_0_34),
    ]
}

/// How a case ends on a libowfat: the one in the directory `library`, or the installed one.
pub(crate) fn verdict(program: &Program, case: &str, library: Option<&Path>) -> Result<&'static str, String> {
    let Ok(path) = program.path() else { return Ok("not-runnable") };
    let library = library.map(|directory| ("LD_LIBRARY_PATH", directory));
    let end = child::run(Command::new(path).arg(case).envs(library), LIMIT)?;
    Ok(match () {
        () if end.skipped() => "not-runnable",
        () if end.passed() => "passes",
        () => "fails",
    })
}

/// All cases, each program compiled at most once for both libowfats.
fn all_cases() -> &'static [(Program, String)] {
    static CASES: OnceLock<Vec<(Program, String)>> = OnceLock::new();
    let of_source = |source: PathBuf| {
        let program = Program::new(&source, With::Debian);
        cases(&source).into_iter().map(move |case| (program.clone(), case)).collect::<Vec<_>>()
    };
    CASES.get_or_init(|| place::sources("behaviour", "c").into_iter().flat_map(of_source).collect())
}

/// Of the cases in `listed`. Most of the time goes into cases that hang, so a few run at once.
fn verdicts(
    listed: &BTreeMap<&str, &str>,
    library: Option<&Path>,
) -> Result<BTreeMap<String, &'static str>, String> {
    let work = all_cases().iter().filter(|(_, case)| listed.contains_key(case.as_str())).cloned();
    let (work, found) = (Mutex::new(work.collect::<Vec<_>>()), Mutex::new(BTreeMap::new()));
    let next = || work.lock().map_or(None, |mut work| work.pop());
    let worker = || -> Result<(), String> {
        while let Some((program, case)) = next() {
            let verdict = verdict(&program, &case, library)?;
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

/// Holds the libowfat in the directory `library`, or the installed one, against the committed file `name`.
fn compare(version: &str, name: &str, library: Option<&Path>) -> Result<(), Failed> {
    let file = place::c_tests().join(name);
    let text = fs::read_to_string(&file).unwrap_or_default();
    let committed = committed(&text);
    let found = verdicts(&committed, library)?;
    let update = env::var_os("OWFAT_IO_UPDATE").is_some();
    let (mut table, mut complaints) = (String::new(), String::new());
    for (case, verdict) in &found {
        let expected = committed.get(case.as_str()).copied().unwrap_or_default();
        let (word, why) = expected.split_once(' ').unwrap_or((expected, ""));
        let line = if word == *verdict || word == "racy" { expected } else { verdict };
        let _ = writeln!(table, "{case} {line}");
        if line != expected && !update {
            let _ = writeln!(complaints, "{case} {verdict} on {version}, {name} says: {expected:?}");
        }
        if line != "fails" && why.is_empty() {
            let _ = writeln!(complaints, "{case} {verdict} on {version}: say why in {name}");
        }
    }
    for case in committed.keys().filter(|case| !found.contains_key(**case)) {
        let _ = writeln!(complaints, "{case} is in {name} but in no source");
    }
    fs::write(place::output().join(name), &table)?;
    if update {
        let heading: String = text.lines().filter(|l| l.starts_with('#')).map(|l| format!("{l}\n")).collect();
        fs::write(&file, heading + &table)?;
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.into()) }
}
