//! `stress/torture.c`: threads that do everything at random. `stress/forks.c`: a process that forks at random while bytes
//! flow. Each for a few seconds on each backend. `make stress` sets `OWFAT_IO_STRESS` to more seconds, and `OWFAT_IO_SEED`
//! repeats what a failure printed.

use crate::behaviour::BACKENDS;
use crate::child;
use crate::compile::{Program, With};
use crate::place;
use libtest_mimic::{Failed, Trial};
use std::env;
use std::time::Duration;

const SECONDS: u64 = 5;
/// Forks after which a run of the ordinary suite ends, if its time is not over before.
const FORKS: &str = "200";
/// What a program takes at most to end, beyond its time.
const PATIENCE: u64 = 60;

pub(crate) fn trials() -> Vec<Trial> {
    let torture = program("torture", With::Ours);
    let (linked, preloaded) = (program("forks", With::Ours), program("forks", With::Preloaded));
    let mut trials = Vec::new();
    for backend in BACKENDS {
        let program = torture.clone();
        trials.push(Trial::test(format!("stress::torture::{backend}"), move || run(&program, backend, None)));
        for (way, program) in [("linked", &linked), ("preloaded", &preloaded)] {
            let program = program.clone();
            trials.push(Trial::test(format!("stress::forks::{way}::{backend}"), move || {
                let most = if asked()?.is_some() { "0" } else { FORKS };
                run(&program, backend, Some(most))
            }));
        }
    }
    trials
}

fn program(name: &str, with: With) -> Program {
    Program::new(&place::c_tests().join(format!("stress/{name}.c")), with)
}

/// For how long a run was asked for.
fn asked() -> Result<Option<u64>, Failed> {
    match env::var("OWFAT_IO_STRESS") {
        Ok(text) => Ok(Some(text.parse().map_err(|e| format!("OWFAT_IO_STRESS={text}: {e}"))?)),
        Err(_) => Ok(None),
    }
}

fn run(program: &Program, backend: &str, most: Option<&str>) -> Result<(), Failed> {
    let seconds = asked()?.unwrap_or(SECONDS);
    let mut command = program.command()?;
    command.arg(seconds.to_string()).args(most).args(env::var("OWFAT_IO_SEED"));
    command.env("OWFAT_IO_BACKEND", backend);
    let end = child::run(&mut command, Duration::from_secs(seconds + PATIENCE))?;
    if asked()?.is_some() {
        print!("{backend}: {}", end.stdout);
    }
    if end.passed() { Ok(()) } else { Err(end.story().into()) }
}
