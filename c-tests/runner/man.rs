//! The manual pages: complete, as the headers have it, and free of what mandoc and the compiler complain about.
//!
//! The SYNOPSIS of a page about functions is what the headers declare of the names that the page lists, and a mark
//! that changes with their comments. If you change a declaration or comment, read the page against it, and then let
//! `OWFAT_IO_UPDATE=1` rewrite the SYNOPSIS.

#[path = "man/header.rs"]
mod header;
#[path = "man/page.rs"]
pub(crate) mod page;

use crate::{child, compile, place};
use libtest_mimic::Trial;
use page::Page;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

const LIMIT: Duration = Duration::from_secs(60);

/// Exported, because libowfat exports them, but in no header: no program calls them.
const INTERNAL: [&str; 2] = ["io_sigpipe", "iob_addbuf_internal"];

/// What was found to be wrong, a line each.
pub(crate) type Complaints = Result<Vec<String>, String>;

/// A trial that passes without a complaint.
pub(crate) fn complaining(name: &str, run: impl FnOnce() -> Complaints + Send + 'static) -> Trial {
    Trial::test(name, move || match run()? {
        complaints if complaints.is_empty() => Ok(()),
        complaints => Err(complaints.join("\n").into()),
    })
}

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn() -> Complaints| complaining(&format!("man::{name}"), run);
    vec![
        trial("every_function_has_a_page", every_function_has_a_page),
        trial("synopses_are_the_headers", synopses_are_the_headers),
        trial("types_are_the_headers", types_are_the_headers),
        trial("errors_are_the_headers", errors_are_the_headers),
        trial("references_lead_somewhere", references_lead_somewhere),
        trial("each_page_about_functions_names_a_chapter_of_the_behaviour_book", chapters_exist),
        trial("lint", lint),
        trial("examples_compile", examples_compile),
    ]
}

fn every_function_has_a_page() -> Complaints {
    let public = header::public()?;
    let mut pages_of: BTreeMap<&str, Vec<String>> = public.keys().map(|n| (n.as_str(), Vec::new())).collect();
    let pages = page::all()?;
    let mut complaints = Vec::new();
    for page in &pages {
        let (stem, _) = page.title();
        if page.names().first() != Some(&stem.as_str()) {
            complaints.push(format!("{}: NAME begins with {:?}", page.file(), page.names().first()));
        }
        for name in page.names() {
            match pages_of.get_mut(name) {
                Some(pages) => pages.push(page.file()),
                None if name == stem => {}
                None => complaints.push(format!("{}: no header declares {name}", page.file())),
            }
        }
    }
    for (name, pages) in pages_of {
        if pages.len() != 1 {
            complaints.push(format!("{name} has pages {pages:?}"));
        }
    }
    let listed = fs::read_to_string(place::c_tests().join("symbols.txt")).map_err(|e| e.to_string())?;
    let misplaced = |name: &&str| public.contains_key(*name) == INTERNAL.contains(name);
    complaints
        .extend(listed.lines().filter(misplaced).map(|n| format!("{n}: exported, in a header or not?")));
    Ok(complaints)
}

fn synopses_are_the_headers() -> Complaints {
    let public = header::public()?;
    let mut complaints = Vec::new();
    for page in page::all()? {
        let wanted = page.with_synopsis(&public)?;
        if wanted == page.text {
            continue;
        }
        if env::var_os("OWFAT_IO_UPDATE").is_some() {
            fs::write(&page.path, wanted).map_err(|e| e.to_string())?;
        } else {
            complaints.push(format!(
                "{}: the headers say something else of its functions: read both, then run `make man`",
                page.file()
            ));
        }
    }
    Ok(complaints)
}

/// Structures and types of functions, spaces and line ends apart, in the pages for programmers.
fn types_are_the_headers() -> Complaints {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let headers: Vec<String> = header::texts()?.iter().map(|(_, text)| words(text)).collect();
    let mut complaints = Vec::new();
    for page in page::all()?.iter().filter(|page| page.title().1 == "3") {
        let unknown = |shown: &String| !headers.iter().any(|header| header.contains(&words(shown)));
        let unknown = page.types().into_iter().filter(unknown);
        complaints.extend(unknown.map(|shown| format!("{}: no header has\n{shown}", page.file())));
    }
    Ok(complaints)
}

/// What errno can be: every name in the comment of a function stands in its page, and pages name what exists.
fn errors_are_the_headers() -> Complaints {
    let mut cc = Command::new("cc");
    let end = child::run(cc.args(["-dM", "-E", "-x", "c", "-include", "errno.h", "/dev/null"]), LIMIT)?;
    let known: BTreeSet<&str> =
        end.stdout.lines().filter_map(|l| l.strip_prefix("#define E")?.split_whitespace().next()).collect();
    let exists = |name: &&str| name.strip_prefix('E').is_some_and(|rest| known.contains(rest));
    let public = header::public()?;
    let mut complaints = Vec::new();
    for page in page::all()? {
        let on_page: BTreeSet<&str> = page.all_of(".Er ").into_iter().collect();
        for name in on_page.iter().filter(|name| !exists(name)) {
            complaints.push(format!("{}: {name} is no errno", page.file()));
        }
        for function in page.names().iter().filter_map(|name| public.get(*name)) {
            let said = function.comment.split(|c: char| !c.is_ascii_alphanumeric()).filter(exists);
            for name in said.filter(|name| !on_page.contains(name)) {
                complaints.push(format!("{}: {} says {name}", page.file(), function.header));
            }
        }
    }
    Ok(complaints)
}

/// Names like ours are ours; other pages are the system's, and nothing tells whether it has them installed.
fn references_lead_somewhere() -> Complaints {
    let pages = page::all()?;
    let own = |page: &Page| {
        let section = page.title().1;
        page.names().into_iter().map(|name| format!("{name} {section}")).collect::<Vec<_>>()
    };
    let own: BTreeSet<String> = pages.iter().flat_map(own).collect();
    let like_ours = ["io_", "iob", "iom", "tai", "array", "uint32", "uint64", "libowfat", "owfat"];
    let mut complaints = Vec::new();
    for page in &pages {
        for line in page.text.lines() {
            let mut words = line.split_whitespace();
            let (name, section) = match (words.next(), words.next(), words.next()) {
                (Some(".Xr"), Some(name), Some(section)) => (name, section),
                (Some(".Fn"), Some(name), _) => (name, "3"),
                _ => continue,
            };
            let must_be_ours = line.starts_with(".Fn") || like_ours.iter().any(|p| name.starts_with(p));
            if must_be_ours && !own.contains(&format!("{name} {section}")) {
                complaints.push(format!("{}: no page for '{line}'", page.file()));
            }
        }
    }
    Ok(complaints)
}

fn chapters_exist() -> Complaints {
    let book = place::c_tests().join("../docs/behaviour.md");
    let book = fs::read_to_string(&book).map_err(|e| format!("{}: {e}", book.display()))?;
    let chapters: BTreeSet<&str> = book.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut complaints = Vec::new();
    for page in page::all()?.iter().filter(|p| p.title().1 == "3" && p.title().0 != "libowfat_io") {
        let before = page.text.split_once("\nin\n.Pa behaviour.md\n").map(|(before, _)| before);
        let named = before.and_then(|text| text.lines().last()).and_then(|line| line.strip_prefix(".Dq "));
        if !named.is_some_and(|chapter| chapters.contains(chapter)) {
            complaints.push(format!("{}: names no chapter of the book, but {named:?}", page.file()));
        }
    }
    Ok(complaints)
}

fn lint() -> Complaints {
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-T", "lint", "-W", "warning"]).args(page::all()?.iter().map(|page| &page.path));
    let end = child::run(&mut mandoc, LIMIT)?;
    let silent = end.passed() && end.stdout.is_empty() && end.stderr.is_empty();
    Ok(if silent { Vec::new() } else { vec![end.story()] })
}

fn examples_compile() -> Complaints {
    let directory = place::output().join("man");
    fs::create_dir_all(&directory).map_err(|e| e.to_string())?;
    let mut complaints = Vec::new();
    for page in page::all()? {
        for (n, text) in page.examples().iter().enumerate() {
            let source = directory.join(format!("{}-{n}.c", page.title().0));
            fs::write(&source, text).map_err(|e| e.to_string())?;
            complaints.extend(compile::complaint(&source, "c11")?);
        }
    }
    Ok(complaints)
}
