//! What `make bench` leaves behind. The rows are made up: how they are shown is asked, not what things cost.

use crate::measure::{Cell, Row};
use crate::program::Loop;
use crate::report::{self, Origin};
use crate::{count, figure, table};
use libtest_mimic::{Failed, Trial};
use std::fs;
use std::path::PathBuf;

type Verdict = Result<(), Failed>;
type Question = fn() -> Verdict;

pub(crate) fn trials() -> Vec<Trial> {
    let trials: [(&str, Question); 2] = [
        ("charts::every_case_has_a_chart_with_its_origin_its_ticks_and_a_dark_scheme", every_case),
        ("charts::a_run_of_one_case_leaves_its_table_and_its_chart_and_adds_them_to_the_page", one_case),
    ];
    trials.into_iter().map(|(name, run)| Trial::test(name, run)).collect()
}

/// A directory that goes with it.
struct Results(PathBuf);

impl Results {
    fn of(cases: &[&str]) -> Result<Results, String> {
        let results = Results(count::fresh_path());
        for &case in cases {
            report::write(&results.0, &Origin::now()?, false, &rows(case))?;
        }
        Ok(results)
    }

    fn read(&self, name: &str) -> Result<String, String> {
        let path = self.0.join(name);
        fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Those of one case, or of all if its name is empty.
fn rows(case: &str) -> Vec<Row> {
    let cells = [(Loop::Epoll, 100.0), (Loop::Ours, 120.0)];
    let cells = cells.map(|(under, median)| (under, Cell { median, spread: Some(0.01) }));
    let row = |figure: &'static figure::Figure| Row {
        case: figure.case,
        what: figure.what.to_owned(),
        limit: None,
        at: figure.at,
        cells: cells.to_vec(),
    };
    figure::every().filter(|figure| case.is_empty() || figure.case == case).map(row).collect()
}

fn every_case() -> Verdict {
    let results = Results::of(&[""])?;
    let page = results.read("index.html")?;
    for row in rows("") {
        let case = row.case;
        let chart = results.read(&format!("{case}.svg"))?;
        let has_line = |wanted: &str| chart.lines().any(|line| line == wanted);
        let tick = row.at.map(|at| table::number(f64::from(at)));
        let origin = chart.lines().find(|line| line.contains(", libowfat_io ")).unwrap_or_default();
        for (missing, what) in [
            (!chart.contains("@media (prefers-color-scheme: dark)"), "a dark scheme"),
            (!begins_with_date(origin), "the date"),
            (!origin.contains(concat!("libowfat_io ", env!("CARGO_PKG_VERSION"))), "the version"),
            (!origin.contains(", Linux "), "the machine"),
            (tick.is_some_and(|tick| !has_line(&tick)), "a tick at what was measured"),
            (row.at.is_none() && !has_line(&row.what), "each row"),
        ] {
            if missing {
                return Err(format!("the chart of {case}, {}: not {what}", row.what).into());
            }
        }
        if !page.contains(&format!("<h2 id=\"{case}\">"))
            || !page.contains(&format!("<img src=\"{case}.svg\""))
        {
            return Err(format!("the page does not show {case}").into());
        }
    }
    Ok(())
}

fn begins_with_date(line: &str) -> bool {
    let shape: String = line.chars().take(10).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00"
}

fn one_case() -> Verdict {
    let results = Results::of(&["echo", "memory"])?;
    let page = results.read("index.html")?;
    for case in ["echo", "memory"] {
        let table = results.read(&format!("{case}.md"))?;
        if !rows(case).iter().all(|row| table.contains(&row.what)) {
            return Err(format!("the table of {case}: {table}").into());
        }
        if !results.0.join(format!("{case}.svg")).exists() || !page.contains(&format!("id=\"{case}\"")) {
            return Err(format!("no chart of {case}, or it is not in the page: {page}").into());
        }
    }
    if page.matches("<h2").count() != 2 {
        return Err(format!("more than was measured: {page}").into());
    }
    Ok(())
}
