//! Rows as text and as markdown.

use crate::measure::{Cell, Limit, Row};
use crate::program::{EVERY_LOOP, Loop};
use std::fmt::Write as _;

/// Three digits that count, and all those in front of the point.
pub(crate) fn number(value: f64) -> String {
    match value {
        v if v >= 1000.0 => thousands(v.round() as u64),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 20.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn cell(cell: Option<Cell>) -> String {
    match cell {
        None => String::new(),
        Some(Cell { median, spread: None }) => number(median),
        Some(Cell { median, spread: Some(spread) }) => format!("{} ±{:.0}%", number(median), spread * 100.0),
    }
}

pub(crate) fn limit(limit: Option<Limit>) -> String {
    match limit {
        None => String::new(),
        Some(Limit::AtMost(most)) => format!("at most {}", number(most)),
        Some(Limit::AtLeast(least)) => format!("at least {}", number(least)),
    }
}

pub(crate) fn of(row: &Row, under: Loop) -> Option<Cell> {
    row.cells.iter().find(|(l, _)| *l == under).map(|(_, cell)| *cell)
}

/// One line for a terminal; the first one of a table is made of `None`.
pub(crate) fn line(row: Option<&Row>) -> String {
    let (case, what) = row.map_or(("case", ""), |r| (r.case, r.what.as_str()));
    let mut text = format!("{case:10} {what:58}");
    for &under in EVERY_LOOP {
        let cell = row.map_or_else(|| under.name().to_owned(), |r| cell(of(r, under)));
        let _ = write!(text, " {cell:>13}");
    }
    let allowed = row.map_or_else(|| "allowed".to_owned(), |r| limit(r.limit));
    format!("{text}  {allowed}")
}

/// A head and the rows, for one case. Loops that have nothing there are left out.
fn cells(rows: &[&Row]) -> Vec<Vec<String>> {
    let loops: Vec<Loop> =
        EVERY_LOOP.iter().copied().filter(|&l| rows.iter().any(|row| of(row, l).is_some())).collect();
    let allowed = rows.iter().any(|row| row.limit.is_some());
    let mut head = vec![String::new()];
    head.extend(loops.iter().map(|l| l.name().to_owned()));
    head.extend(allowed.then(|| "allowed".to_owned()));
    let line = |row: &&Row| {
        let mut line = vec![row.what.clone()];
        line.extend(loops.iter().map(|&l| cell(of(row, l))));
        line.extend(allowed.then(|| limit(row.limit)));
        line
    };
    std::iter::once(head).chain(rows.iter().map(line)).collect()
}

pub(crate) fn markdown(rows: &[&Row]) -> String {
    let mut lines: Vec<String> =
        cells(rows).iter().map(|line| format!("| {} |\n", line.join(" | "))).collect();
    let columns = lines[0].matches('|').count() - 1;
    lines.insert(1, format!("|{}\n", "---|".repeat(columns)));
    lines.concat()
}

pub(crate) fn html(rows: &[&Row]) -> String {
    let row = |line: &Vec<String>, tag: &str| {
        let cells: String = line.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let table = cells(rows);
    let lines: String =
        table.iter().enumerate().map(|(n, line)| row(line, if n == 0 { "th" } else { "td" })).collect();
    format!("<table>\n{lines}</table>\n")
}
