//! `owfat-io-trace`: shows a trace of OWFAT_IO_TRACE as a timeline of each descriptor.
//!
//! `line.rs` parses one line, `words.rs` says what it means, and `story.rs` sorts all lines by process and descriptor.
//! `text.rs`, `picture.rs` (with `row.rs` and `drawing.rs`) and `perfetto.rs` show them.

mod drawing;
mod line;
mod perfetto;
mod picture;
mod row;
#[path = "../common/shown.rs"]
mod shown;
mod story;
mod text;
mod words;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use story::Story;

const USAGE: &str = "\
usage: owfat-io-trace [--svg PICTURE | --perfetto OUT] [--from SECONDS]
                      [--to SECONDS] [--fd NUMBER[,NUMBER]...]... FILE

Shows what a program on libowfat_io did, from FILE that OWFAT_IO_TRACE or
'owfat-io-run --trace' had it write: for each descriptor, what happened when.

  --svg PICTURE    write a picture for a web browser instead of the text
  --perfetto OUT   write the trace-event form (JSON), which ui.perfetto.dev and
                   speedscope open: for long traces
  --from SECONDS   leave out what was before, counted from the first line
  --to SECONDS     leave out what was after
  --fd NUMBER      leave out other descriptors; may be given several times
  -h, --help       this text
  --version        the version

Exit status: 0, 1 when lines of FILE could not be understood and were left out,
2 when nothing could be shown.
";

/// After so many complaints about bad lines the rest are only counted.
const COMPLAINTS: usize = 10;

enum Form {
    Text,
    Picture(PathBuf),
    Perfetto(PathBuf),
}

struct Question {
    trace: PathBuf,
    form: Form,
    /// Microseconds from the beginning.
    from: Option<i64>,
    to: Option<i64>,
    descriptors: Vec<i64>,
}

enum Asked {
    Trace(Question),
    Help,
    Version,
}

fn main() -> ExitCode {
    match question(std::env::args_os().skip(1)) {
        Ok(Asked::Trace(question)) => answer(&question).unwrap_or_else(|why| failed(&why)),
        Ok(Asked::Help) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Asked::Version) => {
            println!("owfat-io-trace (libowfat_io) {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Err(why) => failed(&why),
    }
}

fn question(mut arguments: impl Iterator<Item = OsString>) -> Result<Asked, String> {
    let (mut form, mut from, mut to) = (Form::Text, None, None);
    let (mut descriptors, mut files, mut options) = (Vec::new(), Vec::new(), true);
    while let Some(argument) = arguments.next() {
        let mut value = |what: &str| {
            arguments.next().ok_or(format!("{} needs {what}", shown::text(&argument.to_string_lossy())))
        };
        match argument.to_str() {
            Some("--") if options => options = false,
            Some("-h" | "--help") if options => return Ok(Asked::Help),
            Some("--version") if options => return Ok(Asked::Version),
            Some("--svg") if options => form = Form::Picture(value("a file for the picture")?.into()),
            Some("--perfetto") if options => form = Form::Perfetto(value("a file")?.into()),
            Some("--from") if options => from = Some(micros("--from", &value("seconds")?)?),
            Some("--to") if options => to = Some(micros("--to", &value("seconds")?)?),
            Some("--fd") if options => descriptors.extend(numbers(&value("the number of a descriptor")?)?),
            Some(other) if options && other.starts_with('-') => {
                return Err(format!("unknown option {} (see --help)", shown::text(other)));
            }
            _ => files.push(argument),
        }
    }
    match <[_; 1]>::try_from(files) {
        Ok([trace]) => Ok(Asked::Trace(Question { trace: trace.into(), form, from, to, descriptors })),
        Err(_) => Err("needs one trace (see --help)".into()),
    }
}

fn micros(option: &str, value: &OsString) -> Result<i64, String> {
    let text = value.to_string_lossy();
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..1e12).contains(&seconds) => Ok((seconds * 1e6).round() as i64),
        _ => Err(format!("{option} {}: no seconds", shown::text(&text))),
    }
}

fn numbers(value: &OsString) -> Result<Vec<i64>, String> {
    let text = value.to_string_lossy();
    let number = |n: &str| n.parse().map_err(|_| format!("--fd {}: no descriptor", shown::text(&text)));
    text.split(',').map(number).collect()
}

fn answer(question: &Question) -> Result<ExitCode, String> {
    let name = shown::path(&question.trace);
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
    let (begin, end) = story.span();
    if question.from.is_some() || question.to.is_some() {
        let at = |asked: Option<i64>, or| asked.map_or(or, |micros| begin.saturating_add(micros));
        story.cut(at(question.from, begin), at(question.to, end));
    }
    if !question.descriptors.is_empty() {
        story.keep(&question.descriptors);
    }
    if story.processes.is_empty() {
        return Err(format!("{name}: nothing is left of it by --from, --to and --fd"));
    }
    match &question.form {
        Form::Picture(path) => {
            fs::write(path, picture::of(&story, &name)).map_err(|e| format!("{}: {e}", shown::path(path)))?;
        }
        Form::Perfetto(path) => {
            write_perfetto(&story, path).map_err(|e| format!("{}: {e}", shown::path(path)))?;
        }
        Form::Text => show(&text::of(&story))?,
    }
    Ok(ExitCode::from(u8::from(broken > 0)))
}

fn write_perfetto(story: &Story, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    perfetto::write(story, &mut file)?;
    file.flush()
}

/// Writes to standard output. A closed pipe, as by `head`, is no error.
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
