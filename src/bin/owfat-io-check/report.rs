//! Prints the answers, as text for people and as JSON.

use crate::running::{Backend, Process};
use crate::shown;
use crate::verdict::{Function, Linked, Verdict};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    /// Only the obstacles.
    Brief,
}

/// JSON with more escapes than it needs, because it may be shown on a terminal.
fn json_text(value: &Value) -> String {
    let text = format!("{value:#}\n");
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            // A line end of the layout. In a string it is `\\n`.
            '\n' => safe.push(c),
            c if shown::text(c.encode_utf8(&mut [0; 4])) == c.to_string() => safe.push(c),
            // Writing to a string does not fail. All of these characters are below 2^16.
            c => drop(write!(safe, "\\u{:04x}", u32::from(c))),
        }
    }
    safe
}

fn name_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

pub(crate) fn program(v: &Verdict, form: Form) -> String {
    match form {
        Form::Text => program_text(v),
        Form::Json => program_json(v),
        Form::Brief => v.obstacles.iter().map(|o| format!("{}: {o}\n", o.kind())).collect(),
    }
}

fn program_json(v: &Verdict) -> String {
    let function = |f: &Function| {
        json!({"name": f.name, "used_by": name_of(&f.used_by), "from": f.from.as_deref().map(name_of),
            "provided": f.is_provided})
    };
    let functions: Vec<_> = v.functions.iter().map(function).collect();
    let obstacles: Vec<_> =
        v.obstacles.iter().map(|o| json!({"kind": o.kind(), "text": o.to_string()})).collect();
    let command = v.is_reachable().then(|| command(v));
    json_text(&json!({"program": name_of(&v.program), "reachable": v.is_reachable(), "functions": functions,
            "obstacles": obstacles, "linked": v.linked.map(Linked::kind), "command": command}))
}

fn program_text(v: &Verdict) -> String {
    let mut text = String::new();
    if !v.functions.is_empty() {
        let of = |p: &Path| shown::path(Path::new(p.file_name().unwrap_or(p.as_os_str())));
        let rows = v.functions.iter().map(|f| {
            let from = f.from.as_deref().map_or("nowhere".to_owned(), of);
            let provided = if f.is_provided { "yes" } else { "no" };
            [shown::text(&f.name), of(&f.used_by), from, provided.to_owned()]
        });
        table(&mut text, &["function", "used by", "comes from", "provided"], rows.collect());
        text.push('\n');
    }
    let name = shown::path(&v.program);
    if !v.is_reachable() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name} cannot be run on libowfat_io.");
        for obstacle in &v.obstacles {
            let _ = writeln!(text, "{obstacle}");
        }
        return text;
    }
    let what = match v.linked {
        Some(Linked::First) => "is linked with libowfat_io: it runs on it as it is",
        Some(Linked::Inside) => "has libowfat_io linked into it: it runs on it as it is",
        Some(Linked::Behind) => {
            "is linked with libowfat_io, but behind libowfat, whose io layer it uses. Link it with -lowfat_io before \
             -lowfat. Until then it can be run on libowfat_io"
        }
        None => "can be run on libowfat_io",
    };
    let _ = write!(text, "{name} {what}:\n\n    {}\n", command(v));
    text
}

/// The command that runs the program, for a shell.
fn command(v: &Verdict) -> String {
    // Without a slash a shell would search PATH.
    let path =
        if v.program.components().count() == 1 { Path::new(".").join(&v.program) } else { v.program.clone() };
    let path = quoted(&path);
    if v.needs_preloading() { format!("owfat-io-run {path}") } else { path }
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    let escaped = shown::path(path);
    match () {
        () if text.chars().all(is_plain) => text.into_owned(),
        () if escaped == text => format!("'{}'", text.replace('\'', r"'\''")),
        // A form of bash, zsh, ksh and POSIX 2024.
        () => format!("$'{}'", escaped.replace('\'', r"\'")),
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

/// The backend of a process on our library, if it is known.
fn named(p: &Process) -> Option<&str> {
    match &p.backend {
        Backend::Named(name) if p.uses_it() => Some(name),
        _ => None,
    }
}

pub(crate) fn process(p: &Process, form: Form) -> String {
    if form == Form::Json {
        return json_text(
            &json!({"pid": p.pid, "program": name_of(&p.program), "uses_libowfat_io": p.uses_it(),
                "library": p.library.as_deref().map(name_of), "library_replaced": p.is_deleted,
                "backend": named(p), "libowfat": p.libowfat.as_deref().map(name_of)}),
        );
    }
    let who = format!("process {} ({})", p.pid, shown::path(&p.program));
    let Some(library) = &p.library else {
        return match &p.libowfat {
            Some(old) => format!("{who} does not use libowfat_io: its io layer is {}.\n", shown::path(old)),
            None => format!("{who} uses neither libowfat_io nor libowfat.\n"),
        };
    };
    let mut text = format!("{who} uses libowfat_io: {}\n", shown::path(library));
    // Writing to a string does not fail.
    let _ = match &p.backend {
        Backend::Named(name) => writeln!(text, "It waits with {}.", shown::text(name)),
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
