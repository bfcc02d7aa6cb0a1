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

fn cell(cell: Option<Cell>) -> String {
    match cell {
        None => String::new(),
        Some(Cell { median, spread: None }) => number(median),
        Some(Cell { median, spread: Some(spread) }) => format!("{} ±{:.0}%", number(median), spread * 100.0),
    }
}

fn limit(limit: Option<Limit>) -> String {
    match limit {
        None => String::new(),
        Some(Limit::AtMost(most)) => format!("at most {}", number(most)),
        Some(Limit::AtLeast(least)) => format!("at least {}", number(least)),
    }
}

fn of(row: &Row, under: Loop) -> Option<Cell> {
    row.cells.iter().find(|(l, _)| *l == under).map(|(_, cell)| *cell)
}

/// One line for a terminal; the first one of a table is made of `None`.
pub(crate) fn line(row: Option<&Row>) -> String {
    let (case, what) = row.map_or(("case", ""), |r| (r.case, r.what));
    let mut text = format!("{case:10} {what:58}");
    for &under in EVERY_LOOP {
        let cell = row.map_or_else(|| under.name().to_owned(), |r| cell(of(r, under)));
        let _ = write!(text, " {cell:>13}");
    }
    let allowed = row.map_or_else(|| "allowed".to_owned(), |r| limit(r.limit));
    format!("{text}  {allowed}")
}

pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from("| case | |");
    for under in EVERY_LOOP {
        let _ = write!(text, " {} |", under.name());
    }
    text.push_str(" allowed |\n|---|---|");
    text.push_str(&"---|".repeat(EVERY_LOOP.len() + 1));
    text.push('\n');
    for row in rows {
        let _ = write!(text, "| {} | {} |", row.case, row.what);
        for &under in EVERY_LOOP {
            let _ = write!(text, " {} |", cell(of(row, under)));
        }
        let _ = writeln!(text, " {} |", limit(row.limit));
    }
    text
}
