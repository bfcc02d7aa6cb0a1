//! `make bench`: the library beside its peers and hand-written epoll, on the C programs of this directory.
//!
//! `make bench` measures everything, `make bench CASE=echo` one case, and `LOOPS="epoll ours"` fewer loops.
//! `OWFAT_IO_BACKEND` is passed on. Tables, charts and a page with all of them go into `build/bench/`. A run of everything,
//! and every run with `OWFAT_IO_UPDATE=1`, is published in `docs/`. What is measured stands in `driver/loops.rs`, `driver/requests.rs`,
//! `driver/batches.rs` and `driver/pools.rs`; where tables and charts go, in `driver/report.rs`.

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
#[path = "driver/loops.rs"]
mod loops;
#[path = "driver/measure.rs"]
mod measure;
#[path = "../runner/place.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod place;
#[path = "driver/pools.rs"]
mod pools;
#[path = "driver/profile.rs"]
mod profile;
#[path = "driver/program.rs"]
mod program;
#[path = "driver/report.rs"]
mod report;
#[path = "driver/requests.rs"]
mod requests;
#[path = "driver/served.rs"]
mod served;
#[path = "driver/table.rs"]
mod table;

use program::{EVERY_LOOP, Loop};
use std::env;
use std::path::Path;
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
    let origin = report::Origin::now()?;
    let mut rows = Vec::new();
    println!("{}", table::line(None));
    for figure in figure::every().filter(|figure| selected(figure.case)) {
        for row in measure::rows(figure, &loops)? {
            println!("{}", table::line(Some(&row)));
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return Err(format!("no CASE {case}"));
    }
    let whole = case.is_empty() && env::var("LOOPS").unwrap_or_default().trim().is_empty();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("build/bench");
    let published = whole || env::var_os("OWFAT_IO_UPDATE").is_some();
    for path in report::write(&directory, &origin, published, &rows)? {
        println!("{}", path.display());
    }
    Ok(())
}

fn asked_loops() -> Result<Vec<Loop>, String> {
    let names = env::var("LOOPS").unwrap_or_default();
    if names.trim().is_empty() {
        // 0.34 is there if `make libowfat-034` found it.
        let there = |l: &Loop| *l != Loop::Later || place::libowfat_034().is_some();
        return Ok(EVERY_LOOP.iter().copied().filter(there).collect());
    }
    let named =
        |name: &str| EVERY_LOOP.iter().copied().find(|l| l.name() == name).ok_or(format!("no loop {name}"));
    names.split_whitespace().map(named).collect()
}
