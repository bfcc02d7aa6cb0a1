//! From figures to rows: counts once, times in alternating runs.

use crate::count::{self, Units};
use crate::figure::{Figure, How};
use crate::program::{Interface, Loop};
use std::collections::BTreeMap;

/// Runs of a time, each followed by one of every other loop, so that a machine that slows down slows all.
const ROUNDS: usize = 7;
/// Where differences are smaller than what a machine does meanwhile, and than what it makes of a run how client and
/// server fall into step.
const MANY_ROUNDS: usize = 15;

/// A measured cell of the table.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) median: f64,
    /// Half the distance between the quartiles, as part of the median; counts have none.
    pub(crate) spread: Option<f64>,
}

pub(crate) struct Row {
    pub(crate) case: &'static str,
    pub(crate) what: String,
    pub(crate) limit: Option<Limit>,
    pub(crate) at: Option<u32>,
    pub(crate) cells: Vec<(Loop, Cell)>,
}

#[derive(Clone, Copy)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// Measures a figure for those of its loops that are `asked` for.
pub(crate) fn rows(figure: &Figure, asked: &[Loop]) -> Result<Vec<Row>, String> {
    let loops: Vec<Loop> = figure.loops.iter().copied().filter(|l| asked.contains(l)).collect();
    match figure.how {
        How::Ratio { arguments, key } => {
            let cells = ratios(figure, &loops, arguments, key)?;
            Ok(vec![row(figure, cells, allowed(figure, &[])?.map(Limit::AtLeast))])
        }
        How::Paired { arguments, key } => {
            let runs = alternating(figure, &loops, arguments, key, MANY_ROUNDS)?;
            let paired = paired(&runs);
            let times = row(figure, summaries(runs), None);
            let mut parts = row(figure, paired, allowed(figure, &[])?.map(Limit::AtMost));
            parts.what = format!("{}; ours as part of it", figure.what);
            parts.at = None;
            Ok(vec![times, parts])
        }
        How::Timed { arguments, key } => {
            let cells = summaries(alternating(figure, &loops, arguments, key, ROUNDS)?);
            let limit = allowed(figure, &cells)?.map(Limit::AtMost);
            Ok(vec![row(figure, cells, limit)])
        }
        How::Functions(units) => functions(figure, &loops, units),
        _ => {
            let cell = |under| Ok((under, Cell { median: figure.once(under)?, spread: None }));
            let cells = loops.iter().map(|&l| cell(l)).collect::<Result<Vec<_>, String>>()?;
            let limit = allowed(figure, &cells)?.map(Limit::AtMost);
            Ok(vec![row(figure, cells, limit)])
        }
    }
}

fn functions(figure: &Figure, loops: &[Loop], units: Units) -> Result<Vec<Row>, String> {
    let mut rows = BTreeMap::new();
    for &under in loops {
        for (name, median) in count::functions(figure.program, under, units)? {
            let cells: &mut Vec<_> = rows.entry(name).or_default();
            cells.push((under, Cell { median, spread: None }));
        }
    }
    // What is called once in a run is in neither.
    let matters = |cells: &[(Loop, Cell)]| cells.iter().any(|(_, cell)| cell.median >= 0.5);
    let named = |(name, cells)| Row { what: format!("{}: {name}", figure.what), ..row(figure, cells, None) };
    Ok(rows.into_iter().filter(|(_, cells)| matters(cells)).map(named).collect())
}

fn row(figure: &Figure, cells: Vec<(Loop, Cell)>, limit: Option<Limit>) -> Row {
    Row { case: figure.case, what: figure.what.to_owned(), limit, at: figure.at, cells }
}

fn allowed(figure: &Figure, cells: &[(Loop, Cell)]) -> Result<Option<f64>, String> {
    let measured = cells.iter().find(|(l, _)| *l == Loop::Epoll).map(|(_, cell)| cell.median);
    figure.allowed(|| measured.map_or_else(|| figure.once(Loop::Epoll), Ok))
}

fn alternating(
    figure: &Figure,
    loops: &[Loop],
    arguments: &str,
    key: &str,
    rounds: usize,
) -> Result<Vec<(Loop, Vec<f64>)>, String> {
    let mut runs: Vec<(Loop, Vec<f64>)> = loops.iter().map(|&l| (l, Vec::new())).collect();
    for round in 0..rounds {
        for turn in 0..runs.len() {
            // Whoever comes first after a pause may find the processor slower.
            let place = (round + turn) % runs.len();
            let (under, values) = &mut runs[place];
            values.push(count::printed(figure.program, *under, arguments, key)?);
        }
    }
    Ok(runs)
}

/// Each run as part of the hand-written program's of the same round.
fn ratios(figure: &Figure, loops: &[Loop], arguments: &str, key: &str) -> Result<Vec<(Loop, Cell)>, String> {
    let rounds = match figure.program.interface {
        Interface::Loop | Interface::Pool | Interface::Server => ROUNDS,
        Interface::Batch => MANY_ROUNDS,
    };
    let mut all = vec![Loop::Epoll];
    all.extend(loops.iter().filter(|&&l| l != Loop::Epoll));
    let mut runs = alternating(figure, &all, arguments, key, rounds)?.into_iter();
    let (_, floor) = runs.next().ok_or("no runs")?;
    let per_floor =
        |values: Vec<f64>| values.iter().zip(&floor).map(|(value, floor)| value / floor).collect();
    let one = (Loop::Epoll, Cell { median: 1.0, spread: None });
    Ok(std::iter::once(one).chain(runs.map(|(under, values)| (under, summary(per_floor(values))))).collect())
}

fn summaries(runs: Vec<(Loop, Vec<f64>)>) -> Vec<(Loop, Cell)> {
    runs.into_iter().map(|(under, values)| (under, summary(values))).collect()
}

/// Each run of ours as part of the others' of the same round.
fn paired(runs: &[(Loop, Vec<f64>)]) -> Vec<(Loop, Cell)> {
    let Some((_, ours)) = runs.iter().find(|(under, _)| *under == Loop::Ours) else { return Vec::new() };
    let others = runs.iter().filter(|(under, _)| *under != Loop::Ours);
    let part =
        |theirs: &[f64]| summary(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect());
    others.map(|(under, theirs)| (*under, part(theirs))).collect()
}

fn summary(mut values: Vec<f64>) -> Cell {
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    let half = (values[values.len() * 3 / 4] - values[values.len() / 4]) / 2.0;
    Cell { median, spread: Some(half / median) }
}
