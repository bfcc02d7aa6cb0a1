//! `owfat-io-trace`: what OWFAT_IO_TRACE has written, as a timeline of each descriptor.
//!
//! `line.rs` reads one line, `words.rs` says what it means, `story.rs` sorts all of them by process and descriptor,
//! `text.rs` and `picture.rs` show them.

mod line;
mod picture;
mod story;
mod text;
mod words;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use story::Story;

const USAGE: &str = "\
usage: owfat-io-trace [--svg PICTURE] FILE

Shows what a program on libowfat_io did, from FILE that OWFAT_IO_TRACE or
'owfat-io-run --trace' had it write: for each descriptor, what happened when.

  --svg PICTURE   write a picture for a web browser instead of the text
  --help          this text

Exit status: 0, 1 when lines of FILE could not be understood and were left out,
2 when nothing could be shown.
";

/// Complaints about more lines than this are counted only.
const COMPLAINTS: usize = 10;

struct Question {
    trace: PathBuf,
    picture: Option<PathBuf>,
}

fn main() -> ExitCode {
    match question(std::env::args_os().skip(1)) {
        Ok(Some(question)) => answer(&question).unwrap_or_else(|why| failed(&why)),
        Ok(None) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(why) => failed(&why),
    }
}

/// What is asked for; `None` for help.
fn question(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Question>, String> {
    let (mut picture, mut files, mut options) = (None, Vec::new(), true);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--") if options => options = false,
            Some("--help") if options => return Ok(None),
            Some("--svg") if options => {
                picture = Some(arguments.next().ok_or("--svg needs a file for the picture")?.into());
            }
            Some(other) if options && other.starts_with('-') => {
                return Err(format!("unknown option {other} (see --help)"));
            }
            _ => files.push(argument),
        }
    }
    match <[_; 1]>::try_from(files) {
        Ok([trace]) => Ok(Some(Question { trace: trace.into(), picture })),
        Err(_) => Err("needs one trace (see --help)".into()),
    }
}

fn answer(question: &Question) -> Result<ExitCode, String> {
    let name = question.trace.display();
    let bytes = fs::read(&question.trace).map_err(|e| format!("{name}: {e}"))?;
    let text = String::from_utf8_lossy(&bytes);
    let (mut story, mut broken) = (Story::default(), 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        match line::parse(line) {
            Ok(entry) => story.add(&entry),
            Err(why) => {
                broken += 1;
                if broken <= COMPLAINTS {
                    eprintln!("owfat-io-trace: {name}:{}: {why}", number + 1);
                }
            }
        }
    }
    if broken > COMPLAINTS {
        eprintln!("owfat-io-trace: {name}: {} lines like that in all", broken);
    }
    if story.is_empty() {
        return Err(format!("{name}: nothing of a trace in it"));
    }
    match &question.picture {
        Some(path) => fs::write(path, picture::of(&story, &name.to_string()))
            .map_err(|e| format!("{}: {e}", path.display()))?,
        None => show(&text::of(&story))?,
    }
    Ok(ExitCode::from(u8::from(broken > 0)))
}

/// Whoever looks at the beginning only, as `head` does, is content.
fn show(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
        _ => Ok(()),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("owfat-io-trace: {why}");
    ExitCode::from(2)
}
