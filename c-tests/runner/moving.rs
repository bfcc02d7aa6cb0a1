//! `docs/moving.md`: the tests that it names exist and stand for the numbers beside them, no number and no function is
//! missing, and the programs that it shows compile.

use crate::man::{Complaints, complaining};
use crate::{child, compile, coverage, place};
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Whose numbers have a row each: defects, and questions that were answered.
const COMPLETE: [&str; 3] = ["K", "D", "Q"];
/// Whose numbers lead to functions.
const DEFECTS: [&str; 2] = ["K", "D"];

/// Whose program a block of C shows; the word stands behind `c` in the first line of the block.
const LIBRARIES: [&str; 4] = ["libowfat_io", "libev", "libevent", "libuv"];

/// `others` are all other trials.
pub(crate) fn trials(others: &[Trial]) -> Vec<Trial> {
    // The page names a trial, a group of trials, or the part of a name that backends have in common.
    let names: Vec<String> = others.iter().map(|t| format!("::{}::", t.name())).collect();
    vec![
        complaining("moving::tests_exist", move || tests_exist(&names)),
        complaining("moving::numbers_are_complete", numbers_are_complete),
        complaining("moving::functions_are_complete", functions_are_complete),
        complaining("moving::what_0_34_does", what_0_34_does),
        complaining("moving::examples_compile", examples_compile),
    ]
}

/// A row of a table, by the heads of its columns.
type Row<'a> = BTreeMap<&'a str, &'a str>;

struct Page {
    /// All but the blocks.
    prose: String,
    /// What stands behind the opening fence of a block, and the block.
    blocks: Vec<(String, String)>,
}

impl Page {
    fn read() -> Result<Page, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/moving.md");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut page = Page { prose: String::new(), blocks: Vec::new() };
        for (n, part) in text.split("\n```").enumerate() {
            match part.split_once('\n') {
                Some((words, block)) if n % 2 == 1 => page.blocks.push((words.into(), format!("{block}\n"))),
                _ => page.prose += &format!("{part}\n"),
            }
        }
        Ok(page)
    }

    /// The rows of the tables that have a column of that head.
    fn rows_with(&self, head: &str) -> Result<Vec<Row<'_>>, String> {
        let mut rows = Vec::new();
        for table in self.prose.split("\n\n").filter(|t| t.trim_start().starts_with('|')) {
            let mut lines = table.trim().lines().map(|line| (line, cells(line)));
            let heads = lines.next().map(|(_, cells)| cells).unwrap_or_default();
            for (line, cells) in lines.skip(1) {
                // Markdown drops what is too much, and says nothing.
                if cells.len() != heads.len() {
                    return Err(format!("{} columns, but {} in\n{line}", heads.len(), cells.len()));
                }
                if heads.contains(&head) {
                    rows.push(heads.iter().copied().zip(cells).collect());
                }
            }
        }
        if rows.is_empty() { Err(format!("no table has a column '{head}'")) } else { Ok(rows) }
    }
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The contract's numbers among the words.
fn numbers(text: &str) -> BTreeSet<String> {
    let known: BTreeSet<String> = coverage::tables().into_iter().flat_map(|(_, numbers)| numbers).collect();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|w| known.contains(*w)).map(str::to_owned).collect()
}

fn lines_of(name: &str) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(place::c_tests().join(name)).map_err(|e| format!("{name}: {e}"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Tests are: what is quoted in a column of tests, what is called by a path or a number, and what the table of functions
/// quotes as its ground, functions apart.
fn tests_exist(trials: &[String]) -> Complaints {
    let page = Page::read()?;
    let (tests, functions) = (page.rows_with("test")?, page.rows_with("function")?);
    let exported = lines_of("symbols.txt")?;
    let mut named: BTreeSet<&str> =
        quoted(&page.prose).filter(|q| q.contains("::") || !coverage::numbers(q).is_empty()).collect();
    named.extend(tests.iter().flat_map(|row| quoted(row["test"])));
    let grounds = functions.iter().flat_map(|row| quoted(row["what"]));
    named.extend(grounds.filter(|q| !exported.iter().any(|name| name == q)));
    let units = coverage::unit_tests().map_err(|e| format!("{e:?}"))?;
    let exists = |name: &str| {
        units.contains(name) || trials.iter().any(|trial| trial.contains(&format!("::{name}::")))
    };
    Ok(named.into_iter().filter(|name| !exists(name)).map(|name| format!("{name}: no test")).collect())
}

/// Each number of the series has a row, and each row is filled and has tests that are named after its numbers.
fn numbers_are_complete() -> Complaints {
    let page = Page::read()?;
    let untested = lines_of("untested.txt")?;
    let mut complaints = Vec::new();
    let mut seen = BTreeSet::new();
    for row in page.rows_with("test")? {
        if row.values().any(|cell| cell.is_empty()) {
            complaints.push(format!("not filled: {row:?}"));
        }
        let (cell, tests) = (row.get("no.").copied().unwrap_or_default(), row["test"]);
        let stands_for: BTreeSet<String> = quoted(tests).flat_map(coverage::numbers).collect();
        let found = numbers(cell);
        let is_excused = |number: &String| {
            tests == "none" && untested.iter().any(|line| line.starts_with(&format!("{number}:")))
        };
        for number in found.iter().filter(|n| !stands_for.contains(*n) && !is_excused(n)) {
            complaints.push(format!("{number}: no test of that number in its row: {tests}"));
        }
        if quoted(tests).next().is_none() && !found.iter().any(is_excused) {
            complaints.push(format!("no test for {row:?}"));
        }
        if cell != "–" && Vec::from_iter(&found) != Vec::from_iter(&words(cell)) {
            complaints.push(format!("'{cell}' are no numbers of the contract"));
        }
        seen.extend(found);
    }
    let all = COMPLETE.iter().flat_map(|letter| coverage::series(letter));
    complaints.extend(all.filter(|n| !seen.contains(n)).map(|n| format!("{n} has no row")));
    Ok(complaints)
}

/// The column about 0.34 says what the tests of defects do there.
fn what_0_34_does() -> Complaints {
    let page = Page::read()?;
    let lines = lines_of("original.0.34.txt")?;
    let verdicts: BTreeMap<&str, &str> =
        lines.iter().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' ')).collect();
    let mut complaints = Vec::new();
    let mut unseen = verdicts.clone();
    for row in page.rows_with("with 0.34")? {
        let tests: Vec<&str> = quoted(row["test"]).filter(|test| verdicts.contains_key(test)).collect();
        unseen.retain(|test, _| !tests.contains(test));
        let passing = tests.iter().filter(|test| verdicts[**test].starts_with("passes")).count();
        let expected = match passing {
            _ if tests.is_empty() => continue,
            0 => "the same",
            n if n == tests.len() => "mended",
            _ => "in part: ",
        };
        let said = row["with 0.34"];
        if said != expected && !(expected.ends_with(' ') && said.starts_with(expected)) {
            complaints.push(format!("{}: '{said}', but the tests say '{expected}'", row["no."]));
        }
    }
    // A test may stand in no row of its own; one that passes is news.
    let news = unseen.iter().filter(|(_, verdict)| verdict.starts_with("passes"));
    complaints.extend(news.map(|(test, _)| format!("{test} passes on 0.34: no row says so")));
    Ok(complaints)
}

fn words(list: &str) -> BTreeSet<String> {
    list.split(", ").map(str::to_owned).collect()
}

/// Each exported function has one row, with a verdict and a ground, and is new if Debian's libowfat lacks it.
fn functions_are_complete() -> Complaints {
    let page = Page::read()?;
    let in_libowfat = of_libowfat()?;
    let mut complaints = Vec::new();
    let (mut rows_of, mut defects) = (BTreeMap::<&str, u32>::new(), BTreeSet::new());
    for row in page.rows_with("function")? {
        let (verdict, what) = (row["verdict"], row["what"]);
        for name in quoted(row["function"]) {
            *rows_of.entry(name).or_default() += 1;
            let is_new = !in_libowfat.contains(name);
            if !["same", "mended", "new"].contains(&verdict) || is_new != (verdict == "new") {
                complaints.push(format!("{name} is '{verdict}', and in 0.32: {}", !is_new));
            }
        }
        if verdict == "mended" && numbers(what).is_empty() && quoted(what).next().is_none() {
            complaints.push(format!("how is it mended? {row:?}"));
        }
        defects.extend(numbers(what));
    }
    let exported = lines_of("symbols.txt")?;
    for name in &exported {
        match rows_of.remove(name.as_str()) {
            Some(1) => {}
            rows => complaints.push(format!("{name} has {} rows", rows.unwrap_or(0))),
        }
    }
    complaints.extend(rows_of.keys().map(|name| format!("{name} is not exported")));
    let all = DEFECTS.iter().flat_map(|letter| coverage::series(letter));
    complaints.extend(all.filter(|n| !defects.contains(n)).map(|n| format!("no function leads to {n}")));
    Ok(complaints)
}

/// What Debian's libowfat exports.
fn of_libowfat() -> Result<BTreeSet<String>, String> {
    let found = child::run(Command::new("cc").arg("-print-file-name=libowfat.so"), LIMIT)?;
    let mut nm = Command::new("nm");
    let end = child::run(nm.args(["-D", "--defined-only"]).arg(found.stdout.trim()), LIMIT)?;
    if end.passed() {
        Ok(end.stdout.lines().filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect())
    } else {
        Err(format!("libowfat-dev: {}", end.story()))
    }
}

fn examples_compile() -> Complaints {
    let directory = place::output().join("moving");
    fs::create_dir_all(&directory).map_err(|e| e.to_string())?;
    let page = Page::read()?;
    let mut complaints = Vec::new();
    for (n, (words, text)) in page.blocks.iter().enumerate() {
        let Some(library) = words.strip_prefix('c') else { continue };
        if !LIBRARIES.contains(&library.trim()) {
            complaints.push(format!("a block of '{words}': whose?"));
            continue;
        }
        let source = directory.join(format!("{}-{n}.c", library.trim()));
        fs::write(&source, text).map_err(|e| e.to_string())?;
        // uv.h wants more than C.
        complaints.extend(compile::complaint(&source, "gnu11")?);
    }
    let shown = |library: &&str| page.blocks.iter().any(|(words, _)| *words == format!("c {library}"));
    complaints.extend(LIBRARIES.iter().filter(|l| !shown(l)).map(|l| format!("no program for {l}")));
    Ok(complaints)
}
