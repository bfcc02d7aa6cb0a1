//! `behaviour/*.c` and `*.cc`: each case in its own process, on each backend and on an old kernel.

use crate::child::{self, Ended};
use crate::compile::{Program, With};
use crate::{kernel, place};
use libtest_mimic::{Completion, Failed, Trial};
use std::fs;
use std::path::Path;
use std::time::Duration;

pub(crate) const BACKENDS: [&str; 2] = ["epoll", "poll"];
const LIMIT: Duration = Duration::from_secs(20);
/// Programs run some fifty times slower under valgrind, and several times slower with sanitizers.
const LIMIT_WHEN_CHECKED: Duration = Duration::from_secs(300);

/// Also run preloaded, as what they are about depends on who is loaded first: forks, descriptors, unwinding.
const PRELOADED: [&str; 14] = [
    "environment",
    "fork",
    "fork_children",
    "fork_often",
    "fork_wakes",
    "leaving",
    "limits",
    "looks_beside",
    "namespaces",
    "odd_descriptors",
    "own_numbers",
    "process",
    "standard_error",
    "unwind",
];

/// Where a case runs.
#[derive(Clone)]
enum Setting {
    Backend(&'static str),
    /// On the default backend of a kernel that refuses system calls.
    Kernel(String),
    /// In the portable build.
    Portable,
}

impl Setting {
    fn name(&self) -> &str {
        match self {
            Setting::Backend(name) => name,
            Setting::Kernel(_) => "old_kernel",
            Setting::Portable => "portable",
        }
    }
}

fn settings() -> Vec<Setting> {
    if let Some(refused) = kernel::asked() {
        return vec![Setting::Kernel(refused)];
    }
    let mut settings: Vec<Setting> = BACKENDS.map(Setting::Backend).into();
    // Those who look on need calls of their own, and have seen the same on another backend.
    if !is_checked() {
        settings.push(Setting::Kernel(kernel::OLD.into()));
    }
    if place::has_portable() {
        settings.push(Setting::Portable);
    }
    settings
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let sources = ["c", "cc"].map(|extension| place::sources("behaviour", extension)).concat();
    for source in sources {
        let file = place::stem(&source);
        let program = Program::new(&source, With::Ours);
        let cases = cases(&source);
        for case in &cases {
            for setting in settings() {
                let (program, case) = (program.clone(), case.clone());
                let name = format!("behaviour::{file}::{case}::{}", setting.name());
                trials.push(Trial::ignorable_test(name, move || run(&program, &case, &setting)));
            }
        }
        if PRELOADED.contains(&file.as_str()) && !is_checked() && kernel::asked().is_none() {
            trials.extend(preloaded(&source, &file, &cases));
        }
        trials.push(Trial::test(format!("behaviour::{file}::list"), move || list(&program, &cases)));
    }
    trials
}

/// The same cases in a program that is linked with libowfat 0.32.
fn preloaded(source: &Path, file: &str, cases: &[String]) -> Vec<Trial> {
    let program = Program::new(source, With::Preloaded);
    let all = cases.iter().flat_map(|case| BACKENDS.map(|backend| (case, backend)));
    let trial = |(case, backend): (&String, &'static str)| {
        let (program, case) = (program.clone(), case.clone());
        let name = format!("behaviour::{file}::{case}::preloaded::{backend}");
        Trial::ignorable_test(name, move || run(&program, &case, &Setting::Backend(backend)))
    };
    all.map(trial).collect()
}

/// The cases that a source defines. Read from the text, so that only what is asked for gets compiled.
pub(crate) fn cases(source: &Path) -> Vec<String> {
    let text = fs::read_to_string(source).unwrap_or_default();
    let name = |line: &str| Some(line.strip_prefix("TEST(")?.split_once(')')?.0.to_owned());
    text.lines().filter_map(name).collect()
}

/// Holds the names found in the text against those of the program.
fn list(program: &Program, cases: &[String]) -> Result<(), Failed> {
    let end = child::run(program.command()?.arg("--list"), limit())?;
    if !end.passed() {
        return Err(end.story().into());
    }
    let listed: Vec<&str> = end.stdout.lines().collect();
    if listed.is_empty() || listed != cases {
        return Err(format!("the source has {cases:?}, the program lists {listed:?}").into());
    }
    Ok(())
}

fn run(program: &Program, case: &str, setting: &Setting) -> Result<Completion, Failed> {
    let mut command = match setting {
        Setting::Backend(name) => {
            let mut command = program.command()?;
            command.env("OWFAT_IO_BACKEND", name);
            command
        }
        Setting::Kernel(refused) => kernel::command(refused, program)?,
        Setting::Portable => {
            let mut command = program.command()?;
            command
                .env("T_PORTABLE", "1")
                .env("OWFAT_IO_BACKEND", "poll")
                .env("LD_LIBRARY_PATH", place::portable_directory()?);
            command
        }
    };
    let end = child::run(command.arg(case), limit())?;
    if let Setting::Kernel(_) = setting {
        kernel::check_silence(&end)?;
    }
    verdict(&end)
}

fn limit() -> Duration {
    if is_checked() { LIMIT_WHEN_CHECKED } else { LIMIT }
}

/// Whether valgrind, a sanitizer or an emulator looks on.
fn is_checked() -> bool {
    std::env::var_os("VALGRIND").is_some()
        || std::env::var_os("EMULATOR").is_some()
        || std::env::var("CC").is_ok_and(|cc| cc.contains("-fsanitize"))
}

/// A case or script that ends with 77 says in its output why it cannot run here.
pub(crate) fn verdict(end: &Ended) -> Result<Completion, Failed> {
    if end.skipped() {
        Ok(Completion::ignored_with(end.stdout.trim()))
    } else if end.passed() {
        Ok(Completion::Completed)
    } else {
        Err(end.story().into())
    }
}
