//! From figures to rows: counts once, times in alternating runs.

use crate::count;
use crate::figure::{Figure, How};
use crate::program::{Interface, Loop};

/// Runs of a time, each followed by one of every other loop, so that a machine that slows down slows all.
const ROUNDS: usize = 7;
/// Of these shorter runs: their differences are smaller than what a machine does meanwhile.
const RATIO_ROUNDS_OF_BATCHES: usize = 15;

/// A measured cell of the table.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) median: f64,
    /// Half the distance between the quartiles, as part of the median; counts have none.
    pub(crate) spread: Option<f64>,
}

pub(crate) struct Row {
    pub(crate) case: &'static str,
    pub(crate) what: &'static str,
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
pub(crate) fn row(figure: &Figure, asked: &[Loop]) -> Result<Row, String> {
    let loops: Vec<Loop> = figure.loops.iter().copied().filter(|l| asked.contains(l)).collect();
    let cells: Vec<(Loop, Cell)> = match figure.how {
        How::Ratio { arguments, key } => ratios(figure, &loops, arguments, key)?,
        How::Timed { arguments, key } => {
            let runs = alternating(figure, &loops, arguments, key, ROUNDS)?;
            runs.into_iter().map(|(under, runs)| (under, summary(runs))).collect()
        }
        _ => {
            let cell = |under| Ok((under, Cell { median: figure.once(under)?, spread: None }));
            loops.iter().map(|&l| cell(l)).collect::<Result<_, String>>()?
        }
    };
    let measured = cells.iter().find(|(l, _)| *l == Loop::Epoll).map(|(_, cell)| cell.median);
    let allowed = figure.allowed(|| measured.map_or_else(|| figure.once(Loop::Epoll), Ok))?;
    let limit = match figure.how {
        How::Ratio { .. } => allowed.map(Limit::AtLeast),
        _ => allowed.map(Limit::AtMost),
    };
    Ok(Row { case: figure.case, what: figure.what, limit, at: figure.at, cells })
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
        Interface::Loop | Interface::Pool => ROUNDS,
        Interface::Batch => RATIO_ROUNDS_OF_BATCHES,
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

fn summary(mut values: Vec<f64>) -> Cell {
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    let half = (values[values.len() * 3 / 4] - values[values.len() / 4]) / 2.0;
    Cell { median, spread: Some(half / median) }
}
