//! Either answer, for a person and for a machine.

use crate::running::{Backend, Process};
use crate::verdict::Verdict;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

pub(crate) fn program(v: &Verdict, json: bool) -> String {
    if json { program_json(v) } else { program_text(v) }
}

fn program_json(v: &Verdict) -> String {
    let functions: Vec<_> = v
        .functions
        .iter()
        .map(|f| json!({"name": f.name, "used_by": f.used_by, "from": f.from, "provided": f.is_provided}))
        .collect();
    let obstacles: Vec<_> =
        v.obstacles.iter().map(|o| json!({"kind": o.kind(), "text": o.to_string()})).collect();
    let command = v.is_reachable().then(|| command(&v.program));
    format!(
        "{:#}\n",
        json!({"program": v.program, "reachable": v.is_reachable(), "functions": functions,
            "obstacles": obstacles, "command": command})
    )
}

fn program_text(v: &Verdict) -> String {
    let mut text = String::new();
    if !v.functions.is_empty() {
        let of = |p: &Path| p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().into_owned();
        let rows = v.functions.iter().map(|f| {
            let from = f.from.as_deref().map_or("nowhere".to_owned(), of);
            [f.name.clone(), of(&f.used_by), from, if f.is_provided { "yes" } else { "no" }.to_owned()]
        });
        table(&mut text, &["function", "used by", "comes from", "provided"], rows.collect());
        text.push('\n');
    }
    // Writing to a string does not fail.
    if v.is_reachable() {
        let _ = write!(
            text,
            "{} can be run on libowfat_io:\n\n    {}\n",
            v.program.display(),
            command(&v.program)
        );
    } else {
        let _ = writeln!(text, "{} cannot be run on libowfat_io.", v.program.display());
        for obstacle in &v.obstacles {
            let _ = writeln!(text, "{obstacle}");
        }
    }
    text
}

/// As a shell reads it.
fn command(program: &Path) -> String {
    let path = program.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    let options_end = if path.starts_with('-') { "-- " } else { "" };
    match path.chars().all(is_plain) {
        true => format!("owfat-io-run {options_end}{path}"),
        false => format!("owfat-io-run {options_end}'{}'", path.replace('\'', r"'\''")),
    }
}

fn table(text: &mut String, head: &[&str; 4], rows: Vec<[String; 4]>) {
    let mut all = vec![head.map(str::to_owned)];
    all.extend(rows);
    let width = |i: usize| all.iter().map(|row: &[String; 4]| row[i].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for [name, by, from, provided] in &all {
        let [a, b, c] = widths;
        let _ = writeln!(text, "{name:a$}  {by:b$}  {from:c$}  {provided}");
    }
}

/// The backend of a process on our library, as far as it is known.
fn named(p: &Process) -> Option<&str> {
    match &p.backend {
        Backend::Named(name) if p.uses_it() => Some(name),
        _ => None,
    }
}

pub(crate) fn process(p: &Process, json: bool) -> String {
    if json {
        return format!(
            "{:#}\n",
            json!({"pid": p.pid, "program": p.program, "uses_libowfat_io": p.uses_it(), "library": p.library,
                "library_replaced": p.is_deleted, "backend": named(p), "libowfat": p.libowfat})
        );
    }
    let who = format!("process {} ({})", p.pid, p.program.display());
    let Some(library) = &p.library else {
        return match &p.libowfat {
            Some(old) => format!("{who} does not use libowfat_io: its io layer is {}.\n", old.display()),
            None => format!("{who} uses neither libowfat_io nor libowfat.\n"),
        };
    };
    let mut text = format!("{who} uses libowfat_io: {}\n", library.display());
    // Writing to a string does not fail.
    let _ = match &p.backend {
        Backend::Named(name) => writeln!(text, "It waits with {name}."),
        Backend::NotYet => {
            writeln!(text, "It has not registered a descriptor yet, and so not begun to wait.")
        }
        Backend::Hidden(why) => writeln!(text, "How it waits cannot be seen: {why}."),
    };
    if p.is_deleted {
        text.push_str("That file has been replaced or removed since: the process keeps the old one until it is restarted.\n");
    }
    text
}
