//! The figures of the benchmark that repeat exactly, held against `bench/expected.txt` and against what they are
//! allowed to be. A line of the table is `NUMBER case: what`; `OWFAT_IO_UPDATE=1` rewrites it.
//!
//! What the programs execute is theirs, ours and the C library's together, so those figures hold where the table was made.
//! From glibc 2.41 on, `read`, `write` and the others at which a thread can be cancelled take 21 instructions more each.
//! System calls and bytes are compared everywhere, but for those of Debian's opentracker, which is another one elsewhere.

use crate::figure::{self, Figure, How};
use crate::program::{Loop, TRACKER};
use crate::{child, place};
use libtest_mimic::{Completion, Failed, Trial};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use std::{env, fs};

/// What a figure may differ from the committed one, in both directions: one that has become better is to be
/// committed, or the next loss would go unnoticed.
const SLACK: f64 = 0.05;

/// The line of the table that says where it was made.
const MADE_WITH: &str = "# Made with ";

pub(crate) fn trials() -> Vec<Trial> {
    let checked = figure::every().filter(|figure| figure.checked);
    checked
        .map(|figure| Trial::ignorable_test(format!("counts::{}", name(figure)), move || compare(figure)))
        .collect()
}

/// Whether it is the same with every C library, compiler and opentracker.
fn holds_everywhere(figure: &Figure) -> bool {
    let ours_alone = matches!(figure.how, How::SystemCalls(_) | How::Printed { .. });
    ours_alone && figure.program.source != TRACKER
}

/// Why the other figures are not those of the table here, if they are not.
fn made_elsewhere() -> Result<Option<String>, String> {
    let say = |words: &[&str]| {
        let end = child::run(Command::new(words[0]).args(&words[1..]), Duration::from_secs(10))?;
        if end.passed() {
            Ok(end.stdout.trim().to_owned())
        } else {
            Err(format!("{words:?}: {}", end.story()))
        }
    };
    let here = format!("{} and cc {}", say(&["getconf", "GNU_LIBC_VERSION"])?, say(&["cc", "-dumpversion"])?);
    let table = table()?;
    let there = table.lines().find_map(|line| line.strip_prefix(MADE_WITH));
    let there = there.ok_or_else(|| format!("expected.txt has no line: {MADE_WITH}{here}"))?;
    Ok((here != there).then(|| format!("expected.txt was made with {there}, and here is {here}")))
}

fn label(figure: &Figure) -> String {
    format!("{}: {}", figure.case, figure.what)
}

fn name(figure: &Figure) -> String {
    let words = label(figure).replace(|c: char| !c.is_ascii_alphanumeric(), " ");
    words.split_whitespace().collect::<Vec<_>>().join("_")
}

fn compare(figure: &'static Figure) -> Result<Completion, Failed> {
    if !holds_everywhere(figure) {
        if let Some(reason) = made_elsewhere()? {
            return Ok(Completion::ignored_with(reason));
        }
    }
    let found = figure.once(Loop::Ours)?;
    if env::var_os("OWFAT_IO_UPDATE").is_some() {
        update(figure, found)?;
    }
    // A limit has two decimals, and so has what is held against it.
    if let Some(limit) = figure.allowed(|| figure.once(Loop::Epoll))? {
        let missed = (found * 100.0).round() > (limit * 100.0).round();
        match (missed, figure.missed) {
            (true, false) => return Err(format!("{found:.2}, at most {limit:.2} is allowed").into()),
            (false, true) => return Err(format!("{found:.2} is allowed: it is not missed any more").into()),
            _ => {}
        }
    }
    let text = table()?;
    let expected = text.lines().find_map(|line| value(line, &label(figure)));
    let expected = expected.ok_or_else(|| format!("{} is not in expected.txt", label(figure)))?;
    if (found - expected).abs() > SLACK * expected {
        return Err(format!("{found:.2}, expected.txt says {expected}").into());
    }
    Ok(Completion::Completed)
}

fn value(line: &str, label: &str) -> Option<f64> {
    let (number, rest) = line.split_once(' ')?;
    if rest == label { number.parse().ok() } else { None }
}

fn table() -> Result<String, String> {
    let path = place::c_tests().join("bench/expected.txt");
    fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Trials run at once, and all share the file.
fn update(figure: &Figure, found: f64) -> Result<(), Failed> {
    static WRITING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = WRITING.lock().map_err(|e| e.to_string())?;
    let old = table().unwrap_or_default();
    let mut new: String =
        old.lines().filter(|line| line.starts_with('#')).map(|l| format!("{l}\n")).collect();
    for listed in figure::every().filter(|listed| listed.checked) {
        let label = label(listed);
        let known = old.lines().find_map(|line| value(line, &label));
        let number = if std::ptr::eq(listed, figure) { Some(found) } else { known };
        if let Some(number) = number {
            new += &format!("{number:.2} {label}\n");
        }
    }
    fs::write(place::c_tests().join("bench/expected.txt"), new)?;
    Ok(())
}
