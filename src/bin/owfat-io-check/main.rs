//! `owfat-io-check`: tells whether a program can be run on this library, and whether a process does.
//!
//! `elf.rs` reads one file. `loaded.rs`, with `cache.rs`, finds the libraries that come with it. `verdict.rs` decides.
//! `running.rs` looks at a process. `report.rs` prints the answer. The program itself is never run.

mod cache;
mod elf;
mod loaded;
mod report;
mod running;
#[path = "../common/shown.rs"]
mod shown;
mod verdict;

use nix::unistd::{AccessFlags, access};
use report::Form;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: owfat-io-check [--json | --brief] PROGRAM
       owfat-io-check [--json] --running PID

Says which functions of libowfat's io layer PROGRAM uses, where they come from,
and whether it can be run on libowfat_io without being rebuilt; or whether a
running process uses libowfat_io, and how it waits. A PROGRAM without a slash
is looked for in PATH, and then here.

  --json         the same for a machine to read
  --brief        only the reasons why not, a line each
  -h, --help     this text
  --version      the version

Exit status: 0 when PROGRAM can be run on libowfat_io (the process uses it), 1
when not, 2 when that could not be found out.
";

enum Question {
    Program(PathBuf),
    Running(u32),
}

fn main() -> ExitCode {
    let (mut form, mut running, mut subjects) = (Form::Text, false, Vec::new());
    let mut options = true;
    for argument in std::env::args_os().skip(1) {
        match argument.to_str() {
            Some("--") if options => options = false,
            Some("-h" | "--help") if options => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            Some("--version") if options => {
                println!("owfat-io-check (libowfat_io) {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            Some("--json") if options => form = Form::Json,
            Some("--brief") if options => form = Form::Brief,
            Some("--running") if options => running = true,
            Some(other) if options && other.starts_with('-') => {
                return failed(&format!("unknown option {} (see --help)", shown::text(other)));
            }
            _ => subjects.push(argument),
        }
    }
    let question = match <[_; 1]>::try_from(subjects) {
        Ok([pid]) if running => match pid.to_str().and_then(|p| p.parse().ok()) {
            Some(pid) => Question::Running(pid),
            None => return failed("--running needs the number of a process"),
        },
        Ok([path]) => Question::Program(found(&path)),
        Err(_) => return failed("needs one program, or --running and one process (see --help)"),
    };
    let answer = match question {
        Question::Program(path) => {
            verdict::judge(&path).map(|v| (v.is_reachable(), report::program(&v, form)))
        }
        Question::Running(pid) => running::look(pid).map(|p| (p.uses_it(), report::process(&p, form))),
    };
    match answer {
        Ok((yes, text)) => {
            print!("{text}");
            ExitCode::from(u8::from(!yes))
        }
        Err(why) => failed(&why),
    }
}

/// Finds a program as a shell does. If it is not in PATH, the name is taken as a file.
fn found(name: &OsStr) -> PathBuf {
    let is_program = |p: &PathBuf| p.is_file() && access(p, AccessFlags::X_OK).is_ok();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|d| d.join(name));
    match name.as_bytes().contains(&b'/') {
        true => name.into(),
        false => places.find(is_program).unwrap_or_else(|| Path::new(name).into()),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("owfat-io-check: {why}");
    ExitCode::from(2)
}
