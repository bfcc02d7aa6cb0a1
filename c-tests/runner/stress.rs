//! `stress/torture.c`: threads that do everything at random, for a few seconds on each backend. `make stress` sets
//! `OWFAT_IO_STRESS` to more seconds, and `OWFAT_IO_SEED` repeats what a failure printed.

use crate::behaviour::BACKENDS;
use crate::child;
use crate::compile::{Program, With};
use crate::place;
use libtest_mimic::{Failed, Trial};
use std::env;
use std::time::Duration;

const SECONDS: u64 = 5;
/// What the program takes at most to end, beyond its time.
const PATIENCE: u64 = 40;

pub(crate) fn trials() -> Vec<Trial> {
    let program = Program::new(&place::c_tests().join("stress/torture.c"), With::Ours);
    let trial = |backend| {
        let program = program.clone();
        Trial::test(format!("stress::torture::{backend}"), move || torture(&program, backend))
    };
    BACKENDS.into_iter().map(trial).collect()
}

fn torture(program: &Program, backend: &str) -> Result<(), Failed> {
    let seconds = match env::var("OWFAT_IO_STRESS") {
        Ok(text) => text.parse().map_err(|e| format!("OWFAT_IO_STRESS={text}: {e}"))?,
        Err(_) => SECONDS,
    };
    let mut command = program.command()?;
    command.arg(seconds.to_string()).args(env::var("OWFAT_IO_SEED")).env("OWFAT_IO_BACKEND", backend);
    let end = child::run(&mut command, Duration::from_secs(seconds + PATIENCE))?;
    if env::var_os("OWFAT_IO_STRESS").is_some() {
        print!("{backend}: {}", end.stdout);
    }
    if end.passed() { Ok(()) } else { Err(end.story().into()) }
}
