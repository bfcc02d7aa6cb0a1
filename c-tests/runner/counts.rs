//! The figures of the benchmark that repeat exactly, held against `bench/expected.txt` and against what they are
//! allowed to be. A line of the table is `NUMBER case: what`; `OWFAT_IO_UPDATE=1` rewrites it.

use crate::figure::{self, Figure};
use crate::place;
use crate::program::Loop;
use libtest_mimic::{Failed, Trial};
use std::sync::Mutex;
use std::{env, fs};

/// What a figure may differ from the committed one, in both directions: one that has become better is to be
/// committed, or the next loss would go unnoticed.
const SLACK: f64 = 0.05;

pub(crate) fn trials() -> Vec<Trial> {
    let checked = figure::every().filter(|figure| figure.checked);
    checked.map(|figure| Trial::test(format!("counts::{}", name(figure)), move || compare(figure))).collect()
}

fn label(figure: &Figure) -> String {
    format!("{}: {}", figure.case, figure.what)
}

fn name(figure: &Figure) -> String {
    let words = label(figure).replace(|c: char| !c.is_ascii_alphanumeric(), " ");
    words.split_whitespace().collect::<Vec<_>>().join("_")
}

fn compare(figure: &'static Figure) -> Result<(), Failed> {
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
    Ok(())
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
