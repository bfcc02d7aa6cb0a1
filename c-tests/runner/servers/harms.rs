//! `servers/harms.c`, linked with each library. What it finds wrong with libowfat it must not find with ours.

use super::{OnBackend, Verdict, stage};
use crate::compile::flags_of_0_34;
use crate::{child, place};
use libtest_mimic::{Completion, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) const TRIALS: &[OnBackend] = &[
    ("harms::slow_readers_of_an_answer_in_chunks_get_no_wrong_byte", |b| ours("chunked", b)),
    ("harms::what_a_program_writes_is_passed_on_without_a_wrong_byte", |b| ours("relayed", b)),
    ("harms::an_error_answer_on_an_open_connection_comes_at_once", |b| ours("error", b)),
    ("harms::every_client_that_pipelines_is_answered", |b| ours("pipelined", b)),
];

const LIMIT: Duration = Duration::from_secs(60);

/// What is left is what cannot harm: the kernel holds a segment back for 200 ms.
fn is_clean(kind: &str, line: &str) -> bool {
    match kind {
        "chunked" => line == "0 of 8 corrupt",
        "relayed" => line == "0 wrong bytes",
        "error" => line.strip_suffix(" ms").and_then(|ms| ms.parse().ok()).is_some_and(|ms: u32| ms < 150),
        _ => line == "5,5,5,5",
    }
}

/// The program's line.
fn run(command: &mut Command) -> Result<String, String> {
    let end = child::run(command, LIMIT)?;
    match end.stdout.strip_suffix('\n') {
        Some(line) if end.passed() => Ok(line.to_owned()),
        _ => Err(end.story()),
    }
}

fn ours(kind: &str, backend: &str) -> Verdict {
    let mut command = Command::new(stage::program("harms", &[])?);
    command.arg(kind).env("LD_LIBRARY_PATH", stage::servers_library()?).env("OWFAT_IO_BACKEND", backend);
    match run(&mut command)? {
        line if is_clean(kind, &line) => Ok(()),
        line => Err(line.into()),
    }
}

/// A program that cannot find a harm proves nothing.
pub(super) fn trials() -> Vec<Trial> {
    let of_0_34 = || match place::libowfat_034() {
        Some(directory) => shown("0.34", Some(directory)).map(|()| Completion::Completed),
        None => Ok(Completion::ignored_with("no libowfat 0.34: make libowfat-034")),
    };
    vec![
        Trial::test("servers::harms::all_show_with_libowfat_0.32", || shown("0.32", None)),
        Trial::ignorable_test("servers::harms::all_show_with_libowfat_0.34", of_0_34),
    ]
}

/// With the libowfat in the directory, or the installed one.
fn shown(version: &str, directory: Option<&Path>) -> Result<(), Failed> {
    let program = build(version, directory)?;
    for kind in ["chunked", "relayed", "error", "pipelined"] {
        let mut command = Command::new(&program);
        let line = run(command.arg(kind).envs(directory.map(|d| ("LD_LIBRARY_PATH", d))))?;
        if is_clean(kind, &line) {
            return Err(format!("{kind} with {version}: '{line}' is no harm").into());
        }
    }
    Ok(())
}

fn build(version: &str, directory: Option<&Path>) -> Result<PathBuf, String> {
    let program = place::output().join("servers").join(format!("harms-{version}"));
    std::fs::create_dir_all(place::output().join("servers")).map_err(|e| e.to_string())?;
    let flags = directory.map(flags_of_0_34).unwrap_or_default();
    stage::compile(&[&place::c_tests().join("servers/harms.c")], &flags, &["-lowfat"], &program)?;
    Ok(program)
}
