//! `differential/*.c`: built for Debian's libowfat, run as built and with our library preloaded. Both runs
//! must print the same.

use crate::behaviour::BACKENDS;
use crate::child::{self, Ended};
use crate::compile::{Program, With};
use crate::place;
use libtest_mimic::{Failed, Trial};
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
                let expected = original.get_or_init(|| without_us(&program)).clone()?;
                compare(&expected, &with_us(&program, backend)?)
            }));
        }
    }
    trials
}

/// Never under valgrind: libowfat's own faults are not the subject.
fn without_us(program: &Program) -> Result<String, String> {
    printed(&child::run(&mut Command::new(program.path()?), LIMIT)?, "libowfat 0.32")
}

fn with_us(program: &Program, backend: &str) -> Result<String, String> {
    let library = place::shared_library()?;
    let mut command = Command::new(program.path()?);
    command.env("LD_PRELOAD", library).env("OWFAT_IO_BACKEND", backend);
    printed(&child::run(&mut command, LIMIT)?, "our library")
}

fn printed(end: &Ended, whose: &str) -> Result<String, String> {
    if !end.passed() {
        return Err(format!("with {whose}: {}", end.story()));
    }
    if end.stdout.is_empty() {
        return Err(format!("with {whose}: nothing printed, so nothing compared"));
    }
    Ok(end.stdout.clone())
}

fn compare(original: &str, ours: &str) -> Result<(), Failed> {
    if original == ours {
        return Ok(());
    }
    let mut report = String::from("0.32 prints (-) other lines than ours (+):\n");
    let (mut left, mut right) = (original.lines(), ours.lines());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Err(report.into()),
            (l, r) if l == r => {}
            (l, r) => {
                report.extend(l.map(|l| format!("-{l}\n")));
                report.extend(r.map(|r| format!("+{r}\n")));
            }
        }
    }
}
