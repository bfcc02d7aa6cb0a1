//! What a program costs, counted: instructions by callgrind, system calls by strace.

use crate::program::{Interface, Loop, Program};
use crate::{child, place, profile, served};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// The cost of one unit of work is the difference of two runs, divided by the units between them: what the
/// programs do once is in both.
#[derive(Clone, Copy)]
pub(crate) struct Units {
    pub(crate) few: &'static str,
    pub(crate) many: &'static str,
    pub(crate) between: u32,
}

/// User-space instructions of the process a unit.
pub(crate) fn instructions(program: Program, under: Loop, units: Units) -> Result<f64, String> {
    per_unit(units, |arguments| profile::total(&profiled(program, under, arguments)?))
}

/// Those that the io layer executes for the program a unit, but for the system calls that it makes.
pub(crate) fn library_instructions(program: Program, under: Loop, units: Units) -> Result<f64, String> {
    per_unit(units, |arguments| Ok(profile::inside(&profiled(program, under, arguments)?, under.library())))
}

/// What each function of the io layer executes a unit, with its system calls.
pub(crate) fn functions(program: Program, under: Loop, units: Units) -> Result<Vec<(String, f64)>, String> {
    let (few, many) = (profiled(program, under, units.few)?, profiled(program, under, units.many)?);
    let few = profile::functions(&few, under.library());
    let many = profile::functions(&many, under.library());
    let between = |name: &str| (many[name] - few.get(name).unwrap_or(&0)) as f64 / f64::from(units.between);
    let each = many.keys().map(|name| ((*name).to_owned(), between(name)));
    Ok(each.collect())
}

fn profiled(program: Program, under: Loop, arguments: &str) -> Result<String, String> {
    let report = fresh_path();
    let out = format!("--callgrind-out-file={}", report.display());
    run_over(&["valgrind", "-q", "--tool=callgrind", &out], program, under, arguments, &report)
}

/// System calls of the process and all its threads a unit, but for `readv`: with that one, and nothing else, the
/// programs let their client go first. The client is let go when it becomes another program.
pub(crate) fn system_calls(program: Program, under: Loop, units: Units) -> Result<f64, String> {
    per_unit(units, |arguments| {
        let report = fresh_path();
        let out = report.display().to_string();
        let strace = ["strace", "-f", "-b", "execve", "-c", "-e", "trace=!readv", "-o", &out];
        total_of_calls(&run_over(&strace, program, under, arguments, &report)?)
    })
}

/// From the summary that `strace -c` writes: % time, seconds, usecs/call, calls, [errors], name.
fn total_of_calls(summary: &str) -> Result<u64, String> {
    let last = summary.lines().rfind(|line| line.ends_with(" total"));
    let calls = last.and_then(|line| line.split_whitespace().nth(3)).and_then(|calls| calls.parse().ok());
    calls.ok_or_else(|| format!("no total in strace's {summary}"))
}

/// The number that the program prints behind `key`.
pub(crate) fn printed(program: Program, under: Loop, arguments: &str, key: &str) -> Result<f64, String> {
    let output = run(None, program, under, arguments)?;
    let mut pairs = output.lines().filter_map(|line| line.split_once(' '));
    let value = pairs.find(|(name, _)| *name == key).and_then(|(_, value)| value.trim().parse().ok());
    value.ok_or_else(|| format!("no {key} in {output:?}"))
}

/// The words that a program stands behind, and the file that the tool writes.
pub(crate) type Tool<'a> = (&'a [&'a str], &'a Path);

pub(crate) fn under_tool(tool: &[&str], program: &Path) -> Command {
    let mut command = Command::new(tool[0]);
    command.args(&tool[1..]).arg(program);
    command
}

fn per_unit(units: Units, count: impl Fn(&str) -> Result<u64, String>) -> Result<f64, String> {
    let (few, many) = (count(units.few)?, count(units.many)?);
    Ok((many as f64 - few as f64) / f64::from(units.between))
}

/// Runs the program under `tool`, and returns what the tool wrote into `report`.
fn run_over(
    tool: &[&str],
    program: Program,
    under: Loop,
    arguments: &str,
    report: &Path,
) -> Result<String, String> {
    run(Some((tool, report)), program, under, arguments)?;
    let text = fs::read_to_string(report).map_err(|e| format!("{}: {e}", report.display()))?;
    fs::remove_file(report).map_err(|e| format!("{}: {e}", report.display()))?;
    Ok(text)
}

/// What the program prints, or, if it is a server, what its clients found.
fn run(tool: Option<Tool>, program: Program, under: Loop, arguments: &str) -> Result<String, String> {
    if program.interface == Interface::Server {
        return served::run(tool, program, under, arguments);
    }
    let path = program.path(under)?;
    let mut command = tool.map_or_else(|| Command::new(&path), |(tool, _)| under_tool(tool, &path));
    command.args(arguments.split_whitespace()).envs(program.environment(under)?);
    let end = child::run(&mut command, LIMIT)?;
    if end.passed() { Ok(end.stdout) } else { Err(format!("{command:?}: {}", end.story())) }
}

/// A path in the tests' directory that nobody else uses.
pub(crate) fn fresh_path() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    place::output().join(format!("count-{}-{number}", std::process::id()))
}
