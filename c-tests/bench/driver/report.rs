//! What a run leaves behind: the table with where it comes from, and the charts. A run of everything rewrites those in
//! `docs/`, every other leaves them in `build/bench/`.

use crate::measure::Row;
use crate::{chart, table};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The table stands between these lines in `docs/performance.md`.
const BEGIN: &str = "<!-- `make bench` rewrites what stands between these two lines. -->\n";
const END: &str = "<!-- The end of what `make bench` rewrites. -->\n";

struct Chart {
    case: &'static str,
    title: &'static str,
    across: &'static str,
    up: &'static str,
}

const CHARTS: &[Chart] = &[
    Chart {
        case: "pairs",
        title: "Socket pairs, 100 of them active",
        across: "socket pairs",
        up: "instructions an event",
    },
    Chart {
        case: "deadlines",
        title: "Socket pairs, 100 of them active, each event pushes a deadline back",
        across: "socket pairs",
        up: "instructions an event",
    },
    Chart {
        case: "timers",
        title: "Deadlines: 100 pushed back and one look for expired ones",
        across: "deadlines",
        up: "ns a turn",
    },
];

/// Writes the files and returns their names. `case` is empty for a run of all cases, and `whole` says that it was one of
/// all loops, too.
pub(crate) fn write(case: &str, whole: bool, rows: &[Row]) -> Result<Vec<PathBuf>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let measured = root.join("build/bench");
    let (table, charts) = if whole {
        (root.join("docs/performance.md"), root.join("docs/charts"))
    } else {
        let dash = if case.is_empty() { "" } else { "-" };
        (measured.join(format!("speed{dash}{case}.md")), measured.clone())
    };
    for directory in [&measured, &charts] {
        fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    }
    let failed = |e: std::io::Error| format!("{}: {e}", table.display());
    let mut text = text(case, rows)?;
    if whole {
        let page = fs::read_to_string(&table).map_err(failed)?;
        text = put_between(&page, &text).ok_or("docs/performance.md has no place for the table")?;
    }
    fs::write(&table, text).map_err(failed)?;
    let mut written = vec![table];
    for wanted in CHARTS {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.case == wanted.case && row.at.is_some()).collect();
        if rows.is_empty() {
            continue;
        }
        let path = charts.join(format!("{}.svg", wanted.case));
        chart::draw(&path, wanted.title, wanted.across, wanted.up, &rows)?;
        written.push(path);
    }
    Ok(written)
}

/// The page with another table.
fn put_between(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

fn text(case: &str, rows: &[Row]) -> Result<String, String> {
    let command = if case.is_empty() { "make bench".to_owned() } else { format!("make bench CASE={case}") };
    let paragraph = format!(
        "`{command}` on {}, {}, {}. Beside it: {}. ± is half the distance between the quartiles of the runs; \
         what has none is counted and repeats.",
        output("date", &["-u", "+%Y-%m-%d"])?,
        processor()?,
        kernel()?,
        peers()?
    );
    Ok(format!("{paragraph}\n\n{}", table::markdown(rows)))
}

fn processor() -> Result<String, String> {
    let info = fs::read_to_string("/proc/cpuinfo").map_err(|e| format!("/proc/cpuinfo: {e}"))?;
    let count = info.lines().filter(|line| line.starts_with("processor")).count();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("a processor without a name", |(_, name)| name.trim());
    Ok(format!("{count} × {model}"))
}

fn kernel() -> Result<String, String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").map_err(|e| format!("osrelease: {e}"))?;
    Ok(format!("Linux {}", release.trim()))
}

/// The versions of the libraries that were measured.
fn peers() -> Result<String, String> {
    let packages = ["libowfat-dev", "libev-dev", "libevent-dev", "libuv1-dev"];
    let mut arguments = vec!["-W", "-f", "${Package} ${Version}, "];
    arguments.extend(packages);
    Ok(output("dpkg-query", &arguments)?.trim_end_matches(',').to_owned())
}

fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
