//! A manual page as it stands in `man/`.

use super::header::Declaration;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Every page, sorted.
pub(crate) fn all() -> Result<Vec<Page>, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let said = |e| format!("{}: {e}", directory.display());
    let mut pages = Vec::new();
    for entry in fs::read_dir(&directory).map_err(said)? {
        let path = entry.map_err(said)?.path();
        let text = fs::read_to_string(&path).map_err(said)?;
        pages.push(Page { path, text });
    }
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(pages)
}

impl Page {
    /// `io_fd.3`
    pub(crate) fn file(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// `("io_fd", "3")`
    pub(crate) fn title(&self) -> (String, String) {
        let file = self.file();
        let (stem, section) = file.rsplit_once('.').unwrap_or((&file, ""));
        (stem.to_owned(), section.to_owned())
    }

    /// What the NAME section lists; the page is installed under each of them.
    pub(crate) fn names(&self) -> Vec<&str> {
        let section = self.text.split(".Sh ").find(|s| s.starts_with("NAME\n")).unwrap_or_default();
        arguments(section, ".Nm ")
    }

    /// The first word behind each line's macro, which ends in a blank: `.Er `, and so in lists: `.It Bq Er `.
    pub(crate) fn all_of(&self, macro_: &str) -> Vec<&str> {
        arguments(&self.text, macro_)
    }

    /// The text with the synopsis that the headers ask for, if the page is about functions. A mark in it changes
    /// with what the headers say of them, because the page says the same in its own order.
    pub(crate) fn with_synopsis(&self, public: &BTreeMap<String, Declaration>) -> Result<String, String> {
        let functions: Vec<&Declaration> = self.names().iter().filter_map(|n| public.get(*n)).collect();
        if functions.is_empty() {
            return Ok(self.text.clone());
        }
        let parts = self.text.split_once(".Sh SYNOPSIS\n");
        let parts = parts.and_then(|(before, rest)| Some((before, rest.split_once(".Sh ")?.1)));
        let (before, after) = parts.ok_or_else(|| format!("{}: no SYNOPSIS", self.file()))?;
        let comments: String = functions.iter().map(|f| f.comment.as_str()).collect();
        let mut synopsis =
            format!(".\\\" Last read against the headers' comments {:08x}.\n", mark(&comments));
        let mut header = "";
        for function in functions {
            if header != function.header {
                header = function.header;
                synopsis += &format!(".In {header}\n");
            }
            synopsis += &function.shown;
        }
        Ok(format!("{before}.Sh SYNOPSIS\n{synopsis}.Sh {after}"))
    }

    /// The C files of the EXAMPLES section, in order.
    pub(crate) fn examples(&self) -> Vec<String> {
        self.literals(true)
    }

    /// The declarations that the other sections show.
    pub(crate) fn types(&self) -> Vec<String> {
        self.literals(false)
    }

    fn literals(&self, in_examples: bool) -> Vec<String> {
        let sections = self.text.split("\n.Sh ").filter(|s| s.starts_with("EXAMPLES\n") == in_examples);
        let blocks = sections.flat_map(|section| section.split("\n.Bd -literal").skip(1));
        let text = |block: &str| Some(block.split_once('\n')?.1.split_once("\n.Ed")?.0.to_owned());
        blocks.filter_map(text).map(|b| b.replace("\\&", "").replace("\\e", "\\") + "\n").collect()
    }
}

/// The FNV-1a hash of the words.
fn mark(text: &str) -> u32 {
    let step = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.split_whitespace().flat_map(|word| word.bytes().chain([b' '])).fold(0x811c_9dc5, step)
}

fn arguments<'a>(text: &'a str, macro_: &str) -> Vec<&'a str> {
    let argument = |line: &'a str| {
        let behind = line.strip_prefix(macro_).or_else(|| {
            let inner = line.starts_with(".It ").then(|| line.split_once(&macro_[1..]))?;
            inner.map(|(_, behind)| behind)
        })?;
        behind.split_whitespace().next()
    };
    text.lines().filter_map(argument).collect()
}
