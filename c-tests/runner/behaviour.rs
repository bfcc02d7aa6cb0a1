//! `behaviour/*.c`: each case in its own process, on each backend.

use crate::child::{self, Ended};
use crate::compile::{Program, With};
use crate::place;
use libtest_mimic::{Completion, Failed, Trial};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Where the system refuses io_uring, epoll stands in, and the trial `backend_is_the_one_that_the_environment_names`
/// is ignored with that reason.
pub(crate) const BACKENDS: [&str; 3] = ["epoll", "io_uring", "poll"];
const LIMIT: Duration = Duration::from_secs(20);
/// Programs run some fifty times slower under valgrind, and several times slower with sanitizers.
const LIMIT_WHEN_CHECKED: Duration = Duration::from_secs(300);

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for source in place::sources("behaviour", "c") {
        let file = place::stem(&source);
        let program = Program::new(&source, With::Ours);
        let cases = cases(&source);
        for case in &cases {
            for backend in BACKENDS {
                let (program, case) = (program.clone(), case.clone());
                let name = format!("behaviour::{file}::{case}::{backend}");
                let stuck = file.starts_with("threads") && backend == "io_uring" && under_valgrind();
                trials.push(Trial::ignorable_test(name, move || match stuck {
                    true => {
                        Ok(Completion::ignored_with("valgrind runs no other thread during io_uring_enter"))
                    }
                    false => run(&program, &case, backend),
                }));
            }
        }
        trials.push(Trial::test(format!("behaviour::{file}::list"), move || list(&program, &cases)));
    }
    trials
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

fn run(program: &Program, case: &str, backend: &str) -> Result<Completion, Failed> {
    verdict(&child::run(program.command()?.arg(case).env("OWFAT_IO_BACKEND", backend), limit())?)
}

fn limit() -> Duration {
    let checked = under_valgrind() || std::env::var("CC").is_ok_and(|cc| cc.contains("-fsanitize"));
    if checked { LIMIT_WHEN_CHECKED } else { LIMIT }
}

fn under_valgrind() -> bool {
    std::env::var_os("VALGRIND").is_some()
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
