//! The pages for readers: links lead somewhere, commands and files that they name exist, and the README is one page.

use crate::man::{Complaints, complaining};
use crate::{compile, place};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of the README.
const MOST_LINES: usize = 140;

/// `others` are all other trials.
pub(crate) fn trials(others: &[Trial]) -> Vec<Trial> {
    let mut names: Vec<String> = others.iter().map(|trial| trial.name().to_owned()).collect();
    names.push("docs::".into());
    vec![
        complaining("docs::links_lead_somewhere", links_lead_somewhere),
        complaining("docs::make_has_the_targets_that_are_named", targets_exist),
        complaining("docs::tests_that_are_named_exist", move || tests_exist(&names)),
        complaining("docs::the_map_names_files_that_exist", files_of_the_map_exist),
        complaining("docs::the_version_is_the_same_everywhere", versions),
        complaining("docs::the_readme_is_one_page_and_its_program_compiles", readme),
    ]
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page for readers, with its text.
fn pages() -> Result<Vec<(PathBuf, String)>, String> {
    let mut pages = Vec::new();
    for directory in ["", "docs", "c-tests", "examples", ".github", ".github/ISSUE_TEMPLATE"] {
        let Ok(entries) = fs::read_dir(root().join(directory)) else { continue };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.extension().is_some_and(|e| e == "md") {
                let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                pages.push((path, text));
            }
        }
    }
    if pages.len() < 2 { Err("where are the pages?".into()) } else { Ok(pages) }
}

/// What stands behind each `before`, up to `end`.
fn behind<'a>(
    text: &'a str,
    before: &'a str,
    end: impl Fn(char) -> bool + Copy,
) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(move |rest| rest.split(end).next().unwrap_or_default())
}

fn links_lead_somewhere() -> Complaints {
    let mut complaints = Vec::new();
    for (path, text) in pages()? {
        for link in behind(&text, "](", |c| c == ')').filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            let leads = if anchor.is_empty() {
                target.exists()
            } else {
                fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor))
            };
            if !leads {
                complaints.push(format!("{}: {link} leads nowhere", path.display()));
            }
        }
    }
    Ok(complaints)
}

/// The headings, as a browser of repositories makes anchors of them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| heading.chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// In backquotes, and in blocks of commands.
fn targets_exist() -> Complaints {
    let mut known = BTreeSet::new();
    for file in ["Makefile", "c-tests/checks.mk"] {
        let text = fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))?;
        known.extend(text.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())));
    }
    let mut complaints = Vec::new();
    for (path, text) in pages()? {
        let ends = |c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-';
        for target in behind(&text, "`make ", ends).chain(behind(&text, "\nmake ", ends)) {
            if !target.is_empty() && !target.starts_with('-') && !known.contains(target) {
                complaints.push(format!("{}: make has no target {target}", path.display()));
            }
        }
    }
    Ok(complaints)
}

/// As `make t T=name`.
fn tests_exist(trials: &[String]) -> Complaints {
    let units = sources()?.concat();
    let mut complaints = Vec::new();
    for (path, text) in pages()? {
        for name in behind(&text, "make t T=", |c| !c.is_alphanumeric() && c != '_' && c != ':') {
            let is_unit = || units.lines().any(|line| line.trim().starts_with("fn ") && line.contains(name));
            if !name.is_empty()
                && name != "name"
                && !trials.iter().any(|trial| trial.contains(name))
                && !is_unit()
            {
                complaints.push(format!("{}: no test has {name} in its name", path.display()));
            }
        }
    }
    Ok(complaints)
}

/// The texts of all files under `src/`.
fn sources() -> Result<Vec<String>, String> {
    let read = |path: PathBuf| fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()));
    files_below(&root().join("src")).into_iter().map(read).collect()
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn files_of_the_map_exist() -> Complaints {
    let page = root().join("docs/architecture.md");
    let text = fs::read_to_string(&page).map_err(|e| format!("{}: {e}", page.display()))?;
    let files = files_below(&root().join("src"));
    let exists = |name: &str| {
        let directory = format!("/{name}");
        files.iter().any(|file| {
            file.ends_with(name) || (name.ends_with('/') && file.to_string_lossy().contains(&directory))
        })
    };
    let quoted = text.split('`').skip(1).step_by(2).filter(|q| !q.contains(char::is_whitespace));
    let named = quoted.filter(|q| q.ends_with(".rs") || q.ends_with('/'));
    Ok(named.filter(|name| *name != "src/" && !exists(name)).map(|name| format!("no file {name}")).collect())
}

/// Where the version is named, and what stands before and behind it there.
const VERSIONS: [(&str, &str, &str); 8] = [
    ("Cargo.lock", "name = \"owfat_io\"\nversion = \"", "\""),
    ("fuzz/Cargo.lock", "name = \"owfat_io\"\nversion = \"", "\""),
    ("debian/changelog", "libowfat-io (", ")"),
    ("c-tests/consumers/meson/subprojects/libowfat_io.wrap", "directory = libowfat_io-", "\n"),
    ("c-tests/consumers/meson/subprojects/packagefiles/libowfat_io/meson.build", "version: '", "'"),
    ("packaging/apk/APKBUILD", "pkgver=", "\n"),
    ("packaging/rpm/libowfat_io.spec", "Version:        ", "\n"),
    ("packaging/vcpkg/libowfat-io/vcpkg.json", "\"version\": \"", "\""),
];

/// What can take it from elsewhere does.
fn versions() -> Complaints {
    let version = env!("CARGO_PKG_VERSION");
    let mut complaints = Vec::new();
    for (file, before, behind) in VERSIONS {
        let text = fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))?;
        if !text.contains(&format!("{before}{version}{behind}")) {
            complaints.push(format!("{file} does not name version {version}"));
        }
    }
    Ok(complaints)
}

fn readme() -> Complaints {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES {
        complaints.push(format!("the README has {lines} lines, and {MOST_LINES} at most are to be read"));
    }
    let program = behind(&text, "```c\n", |c| c == '`').next().ok_or("the README shows no C")?;
    let source = place::output().join("readme.c");
    let frame = format!(
        "#include <io.h>\nvoid server(int64 s, void (*serve)(int64, char *, int64)) {{\n\
         char buf[512]; int64 n;\n{program}}}\n"
    );
    fs::write(&source, frame).map_err(|e| e.to_string())?;
    complaints.extend(compile::complaint(&source, "c11")?);
    Ok(complaints)
}
