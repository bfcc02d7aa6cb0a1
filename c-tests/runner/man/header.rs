//! What our headers declare, as a manual page shows it.

use crate::place;
use std::collections::BTreeMap;
use std::fs;

/// A function of a header, or a macro that is used like one.
pub(crate) struct Declaration {
    pub(crate) header: &'static str,
    /// The lines of mdoc that show it.
    pub(crate) shown: String,
    /// The comment before it.
    pub(crate) comment: String,
}

const HEADERS: [&str; 8] =
    ["io.h", "iob.h", "tai.h", "taia.h", "array.h", "uint16.h", "uint32.h", "uint64.h"];

/// Everything that a program may call, by its name.
pub(crate) fn public() -> Result<BTreeMap<String, Declaration>, String> {
    let mut all = BTreeMap::new();
    for (header, text) in texts()? {
        read(header, &text, &mut all);
    }
    Ok(all)
}

/// Each header by its name.
pub(crate) fn texts() -> Result<Vec<(&'static str, String)>, String> {
    let text = |header: &'static str| {
        let path = place::include().join(header);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok((header, text))
    };
    HEADERS.into_iter().map(text).collect()
}

/// Goes through a header comment by comment, directive by directive, statement by statement.
fn read(header: &'static str, text: &str, all: &mut BTreeMap<String, Declaration>) {
    let mut comment = "";
    let mut depth = 0;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with("/*") {
            rest.find("*/").map(|at| at + 2)
        } else if rest.starts_with('#') || rest.starts_with("//") {
            rest.find('\n')
        } else {
            rest.find([';', '{', '}']).map(|at| at + 1)
        };
        let (piece, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind.trim_start();
        let shown = match piece.chars().last() {
            _ if piece.starts_with("/*") => {
                comment = piece;
                continue;
            }
            _ if piece.starts_with('#') => of_macro(piece),
            // The braces of extern "C" hold declarations, all others what is not for the reader.
            Some('{') if !piece.starts_with("extern") => {
                depth += 1;
                None
            }
            Some('}') => {
                depth = i32::max(depth - 1, 0);
                None
            }
            Some(';') if depth == 0 => of_prototype(piece),
            _ => None,
        };
        if let Some((name, shown)) = shown {
            let comment = std::mem::take(&mut comment).to_owned();
            let found = Declaration { header, shown, comment };
            // On some machines a macro stands for the function: the function is what the page shows.
            if piece.starts_with('#') {
                all.entry(name).or_insert(found);
            } else {
                all.insert(name, found);
            }
        }
    }
}

/// `#define name(a, b) …`
fn of_macro(directive: &str) -> Option<(String, String)> {
    let (name, rest) = directive.strip_prefix("#define ")?.split_once('(')?;
    let arguments = rest.split_once(')')?.0.replace(',', "");
    let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_name.then(|| (name.to_owned(), format!(".Fn {name} {arguments}\n")))
}

/// `type name(type argument, …);`
fn of_prototype(statement: &str) -> Option<(String, String)> {
    // What is for C++ only stands in capitals behind the arguments.
    let is_for_c = |word: &&str| !word.ends_with("_NOEXCEPT;");
    let words = statement.split_whitespace().filter(is_for_c).collect::<Vec<_>>().join(" ");
    let (head, arguments) = words.trim_end_matches(';').strip_suffix(')')?.split_once('(')?;
    let start = head.rfind([' ', '*']).map(|at| at + 1)?;
    let (kind, name) = head.split_at(start);
    if kind.starts_with("typedef") {
        return None;
    }
    let quoted = |text: &str| {
        let text = text.trim();
        if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
    };
    // What C23 takes empty parentheses for.
    let arguments = if arguments.is_empty() { "void" } else { arguments };
    let arguments: Vec<String> = arguments.split(',').map(quoted).collect();
    Some((name.to_owned(), format!(".Ft {}\n.Fn {name} {}\n", quoted(kind), arguments.join(" "))))
}
