//! `make bench`: the library beside its peers and hand-written epoll, on the C programs of this directory.
//!
//! `make bench` measures everything, `make bench CASE=echo` one case, and `LOOPS="epoll ours"` fewer loops.
//! `OWFAT_IO_BACKEND` is passed on. What is measured stands in `driver/figure.rs`, `driver/batches.rs` and
//! `driver/pools.rs`; where the table and the charts go, in `driver/report.rs`.

#[path = "driver/batches.rs"]
mod batches;
#[path = "driver/chart.rs"]
mod chart;
#[path = "../runner/child.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod child;
#[path = "driver/count.rs"]
mod count;
#[path = "driver/figure.rs"]
mod figure;
#[path = "driver/measure.rs"]
mod measure;
#[path = "../runner/place.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod place;
#[path = "driver/pools.rs"]
mod pools;
#[path = "driver/program.rs"]
mod program;
#[path = "driver/report.rs"]
mod report;
#[path = "driver/table.rs"]
mod table;
#[path = "driver/tracker.rs"]
mod tracker;

use program::{EVERY_LOOP, Loop};
use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(story) => {
            eprintln!("bench: {story}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<(), String> {
    let case = env::var("CASE").unwrap_or_default();
    let loops = asked_loops()?;
    let selected = |name: &str| case.is_empty() || case == name;
    let mut rows = Vec::new();
    println!("{}", table::line(None));
    for figure in figure::every().filter(|figure| selected(figure.case)) {
        rows.push(measure::row(figure, &loops)?);
        println!("{}", table::line(rows.last()));
    }
    if selected(tracker::CASE) {
        rows.push(tracker::row(&loops)?);
        println!("{}", table::line(rows.last()));
    }
    if rows.is_empty() {
        return Err(format!("no CASE {case}"));
    }
    let whole = case.is_empty() && loops.len() == EVERY_LOOP.len();
    for path in report::write(&case, whole, &rows)? {
        println!("{}", path.display());
    }
    Ok(())
}

fn asked_loops() -> Result<Vec<Loop>, String> {
    let names = env::var("LOOPS").unwrap_or_default();
    if names.trim().is_empty() {
        return Ok(EVERY_LOOP.to_vec());
    }
    let named =
        |name: &str| EVERY_LOOP.iter().copied().find(|l| l.name() == name).ok_or(format!("no loop {name}"));
    names.split_whitespace().map(named).collect()
}
