//! `docs/moving.md` and `docs/other-loops.md`: the tests that they name exist, each change has a name to which functions
//! refer, no function is missing, and the programs that they show compile.

use crate::man::{Complaints, complaining};
use crate::{child, compile, place};
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// How the functions of the libraries begin that the page compares with.
const OTHERS_PREFIXES: [&str; 5] = ["ev", "event", "evbuffer", "bufferevent", "uv"];

/// Whose program a block of C shows; the word stands behind `c` in the first line of the block.
const LIBRARIES: [&str; 4] = ["libowfat_io", "libev", "libevent", "libuv"];

/// `others` are all other trials.
pub(crate) fn trials(others: &[Trial]) -> Vec<Trial> {
    // The page names a trial, a group of trials, or the part of a name that backends have in common.
    let names: Vec<String> = others.iter().map(|t| format!("::{}::", t.name())).collect();
    vec![
        complaining("moving::tests_exist", move || tests_exist(&names)),
        complaining("moving::rows_are_complete", rows_are_complete),
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
    /// Both pages, as one.
    fn read() -> Result<Page, String> {
        let mut text = String::new();
        for name in ["docs/moving.md", "docs/other-loops.md"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            text += &fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
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

fn lines_of(name: &str) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(place::c_tests().join(name)).map_err(|e| format!("{name}: {e}"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Tests are: what is quoted in a column of tests, what is called by a path, and what reads like a sentence.
fn tests_exist(trials: &[String]) -> Complaints {
    let page = Page::read()?;
    let reads_like_a_test = |q: &&str| {
        let prefix = q.split('_').next().unwrap_or_default();
        q.contains("::") || q.matches('_').count() > 2 && !OTHERS_PREFIXES.contains(&prefix)
    };
    let mut named: BTreeSet<&str> = quoted(&page.prose).filter(reads_like_a_test).collect();
    let rows = page.rows_with("test")?;
    named.extend(rows.iter().flat_map(|row| quoted(row["test"])));
    let units = unit_tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).map_err(|e| e.to_string())?;
    let exists = |name: &str| {
        units.contains(name) || trials.iter().any(|trial| trial.contains(&format!("::{name}::")))
    };
    Ok(named.into_iter().filter(|name| !exists(name)).map(|name| format!("{name}: no test")).collect())
}

/// Names of the Rust tests under a directory, which are no trials of this runner.
fn unit_tests(directory: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut unit_tests(&path)?);
        } else {
            let text = fs::read_to_string(&path)?;
            let functions = text.split("#[test]").skip(1).filter_map(|rest| rest.split_once("fn "));
            found.extend(functions.filter_map(|(_, rest)| Some(rest.split_once('(')?.0.to_owned())));
        }
    }
    Ok(found)
}

/// Each row is filled and has a test, and no two have one name.
fn rows_are_complete() -> Complaints {
    let page = Page::read()?;
    let mut complaints = Vec::new();
    let mut names = BTreeSet::new();
    for row in page.rows_with("test")? {
        if row.values().any(|cell| cell.is_empty()) {
            complaints.push(format!("not filled: {row:?}"));
        }
        if quoted(row["test"]).next().is_none() {
            complaints.push(format!("no test for {row:?}"));
        }
        complaints.extend(row.get("name").filter(|n| !names.insert(**n)).map(|n| format!("{n}: two rows")));
    }
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
            complaints.push(format!("{}: '{said}', but the tests say '{expected}'", row["name"]));
        }
    }
    // A test may stand in no row of its own; one that passes is news.
    let news = unseen.iter().filter(|(_, verdict)| verdict.starts_with("passes"));
    complaints.extend(news.map(|(test, _)| format!("{test} passes on 0.34: no row says so")));
    Ok(complaints)
}

/// Each exported function has one row, with a verdict, and is new if Debian's libowfat lacks it. What is mended says so by
/// the names of the changes, or by another function ("as `io_wait`"); a function leads to each change.
fn functions_are_complete() -> Complaints {
    let page = Page::read()?;
    let in_libowfat = of_libowfat()?;
    let mut complaints = Vec::new();
    let changes = page.rows_with("name")?;
    let mut names: BTreeSet<&str> = changes.iter().map(|row| row["name"]).collect();
    let mut rows_of = BTreeMap::<&str, u32>::new();
    let rows = page.rows_with("function")?;
    for row in &rows {
        let (verdict, what) = (row["verdict"], row["what"]);
        for name in quoted(row["function"]) {
            *rows_of.entry(name).or_default() += 1;
            let is_new = !in_libowfat.contains(name);
            if !["same", "mended", "new"].contains(&verdict) || is_new != (verdict == "new") {
                complaints.push(format!("{name} is '{verdict}', and in 0.32: {}", !is_new));
            }
        }
        let leads =
            |way: &&str| way.starts_with("as `") || changes.iter().any(|change| change["name"] == *way);
        if verdict == "mended" {
            let astray = what.split(", ").filter(|way| !leads(way));
            complaints.extend(astray.map(|way| format!("'{way}' is the name of no change: {row:?}")));
        }
    }
    names.retain(|name| !rows.iter().any(|row| row["what"].contains(name)));
    complaints.extend(names.iter().map(|name| format!("no function leads to '{name}'")));
    let exported = lines_of("symbols.txt")?;
    for name in &exported {
        match rows_of.remove(name.as_str()) {
            Some(1) => {}
            rows => complaints.push(format!("{name} has {} rows", rows.unwrap_or(0))),
        }
    }
    complaints.extend(rows_of.keys().map(|name| format!("{name} is not exported")));
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
