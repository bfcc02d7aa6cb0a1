//! `differential/*.c`: built for Debian's libowfat 0.32, run as built, on libowfat 0.34 and with our library preloaded.
//! All runs must print the same. Where 0.34 prints something else, a file `NAME.0.34` beside the source says what, and
//! why that is not what ours prints. `differential/0.34/*.c` use what 0.34 has and 0.32 has not: they are built for 0.34.

use crate::behaviour::BACKENDS;
use crate::child::{self, Ended};
use crate::compile::{Program, With};
use crate::place;
use libtest_mimic::{Completion, Failed, Trial};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for source in place::sources("differential", "c") {
        let program = Program::new(&source, With::Debian);
        let original: Arc<OnceLock<Result<String, String>>> = Arc::default();
        for backend in BACKENDS {
            let (program, original) = (program.clone(), Arc::clone(&original));
            let name = format!("differential::{}::{backend}", place::stem(&source));
            trials.push(Trial::test(name, move || {
                let run = || printed(&mut Command::new(program.path()?), "libowfat 0.32");
                let expected = original.get_or_init(run).clone()?;
                match difference(&expected, &with_us(&program, backend)?) {
                    lines if lines.is_empty() => Ok(()),
                    lines => Err(format!("0.32 prints (-) other lines than ours (+):\n{lines}").into()),
                }
            }));
        }
        trials.push(against_034(program, &source));
    }
    for source in place::sources("differential/0.34", "c") {
        trials.push(against_034(Program::new(&source, With::Later), &source));
    }
    trials
}

fn against_034(program: Program, source: &Path) -> Trial {
    let known = source.with_extension("0.34");
    let name = format!("differential::{}::libowfat_0.34", place::stem(source));
    Trial::ignorable_test(name, move || {
        let Some(directory) = place::libowfat_034() else {
            return Ok(Completion::ignored_with("no libowfat 0.34: make libowfat-034"));
        };
        let mut command = Command::new(program.path()?);
        let expected = printed(command.env("LD_LIBRARY_PATH", directory), "libowfat 0.34")?;
        let found = difference(&expected, &with_us(&program, BACKENDS[0])?);
        let known = fs::read_to_string(known).unwrap_or_default();
        let known: String = known.lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect();
        if found == known {
            return Ok(Completion::Completed);
        }
        let report = format!("0.34 prints (-) other lines than ours (+):\n{found}instead of\n{known}");
        Err(Failed::from(report))
    })
}

fn with_us(program: &Program, backend: &str) -> Result<String, String> {
    let mut command = Command::new(program.path()?);
    command.env("LD_PRELOAD", place::shared_library()?).env("OWFAT_IO_BACKEND", backend);
    // The program's other functions, if it was built for 0.34.
    command.envs(place::libowfat_034().map(|directory| ("LD_LIBRARY_PATH", directory)));
    printed(&mut command, "our library")
}

/// Never under valgrind: libowfat's own faults are not the subject.
fn printed(command: &mut Command, whose: &str) -> Result<String, String> {
    let Ended { stdout, .. } = match child::run(command, LIMIT)? {
        end if end.passed() => end,
        end => return Err(format!("with {whose}: {}", end.story())),
    };
    if stdout.is_empty() {
        return Err(format!("with {whose}: nothing printed, so nothing compared"));
    }
    Ok(stdout)
}

/// Lines of the one (-) and of the other (+) where they differ.
fn difference(original: &str, ours: &str) -> String {
    let mut report = String::new();
    let (mut left, mut right) = (original.lines(), ours.lines());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return report,
            (l, r) if l == r => {}
            (l, r) => {
                report.extend(l.map(|l| format!("-{l}\n")));
                report.extend(r.map(|r| format!("+{r}\n")));
            }
        }
    }
}
