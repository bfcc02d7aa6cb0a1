//! `owfat-io-check`: whether a program can be run on this library, and whether a process does.
//!
//! `elf.rs` reads one file, `loaded.rs` asks the dynamic linker which others come with it, `verdict.rs` judges what they
//! say together, `running.rs` looks at a process, `report.rs` prints either.

mod elf;
mod loaded;
mod report;
mod running;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: owfat-io-check [--json] PROGRAM
       owfat-io-check [--json] --running PID

Says which functions of libowfat's io layer PROGRAM uses, where they come from,
and whether it can be run on libowfat_io without being rebuilt; or whether a
running process uses libowfat_io, and how it waits.

  --json   the same for a machine to read
  --help   this text

Exit status: 0 when PROGRAM can be run on libowfat_io (the process uses it), 1
when not, 2 when that could not be found out.
";

enum Question {
    Program(PathBuf),
    Running(u32),
}

fn main() -> ExitCode {
    let (mut json, mut running, mut subjects) = (false, false, Vec::new());
    let mut options = true;
    for argument in std::env::args_os().skip(1) {
        match argument.to_str() {
            Some("--") if options => options = false,
            Some("--help") if options => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            Some("--json") if options => json = true,
            Some("--running") if options => running = true,
            Some(other) if options && other.starts_with('-') => {
                return failed(&format!("unknown option {other} (see --help)"));
            }
            _ => subjects.push(argument),
        }
    }
    let question = match <[_; 1]>::try_from(subjects) {
        Ok([pid]) if running => match pid.to_str().and_then(|p| p.parse().ok()) {
            Some(pid) => Question::Running(pid),
            None => return failed("--running needs the number of a process"),
        },
        Ok([path]) => Question::Program(path.into()),
        Err(_) => return failed("needs one program, or --running and one process (see --help)"),
    };
    let answer = match question {
        Question::Program(path) => {
            verdict::judge(&path).map(|v| (v.is_reachable(), report::program(&v, json)))
        }
        Question::Running(pid) => running::look(pid).map(|p| (p.uses_it(), report::process(&p, json))),
    };
    match answer {
        Ok((yes, text)) => {
            print!("{text}");
            ExitCode::from(u8::from(!yes))
        }
        Err(why) => failed(&why),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("owfat-io-check: {why}");
    ExitCode::from(2)
}
