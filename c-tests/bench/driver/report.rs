//! What a run leaves behind: for each case its table and its chart, and a page with all those that are there. What is to
//! be published also goes into `docs/performance.md`, and charts over a number of things into `docs/charts/`.

use crate::measure::Row;
use crate::{chart, figure, place, table};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HOME: &str = env!("CARGO_MANIFEST_DIR");
const PAGE_HEAD: &str = "<!doctype html>\n<meta charset=\"utf-8\">\n<title>libowfat_io: what things cost</title>\n\
    <style>:root { color-scheme: light dark } body { font: 16px sans-serif; margin: 2em } \
    table { border-collapse: collapse } td, th { padding: .2em .8em; text-align: right; \
    border-bottom: 1px solid #8886 } td:first-child { text-align: left } img { max-width: 100% }</style>\n\
    <h1>libowfat_io: what things cost</h1>\n";

/// Where the figures come from. Made before the first is measured: the load is that of others then.
pub(crate) struct Origin {
    version: String,
    load: String,
    peers: String,
}

/// Writes the files into `directory` and returns their names.
pub(crate) fn write(
    directory: &Path,
    origin: &Origin,
    published: bool,
    rows: &[Row],
) -> Result<Vec<PathBuf>, String> {
    fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut written = Vec::new();
    let mut page = String::from(PAGE_HEAD);
    for case in cases() {
        let file = |extension: &str| directory.join(format!("{case}.{extension}"));
        let rows: Vec<&Row> = rows.iter().filter(|row| row.case == case).collect();
        if !rows.is_empty() {
            let caption = origin.caption(&rows);
            let text = format!("{}\n\n{}", caption.join("\n"), table::markdown(&rows));
            let chart = chart::draw(case, &caption, &rows)?;
            if published {
                let drawn = rows.iter().any(|row| row.at.is_some()).then_some(chart.as_str());
                publish(case, &text, drawn)?;
            }
            let section = format!(
                "<h2 id=\"{case}\">{case}</h2>\n<p>{}</p>\n{}<p><img src=\"{case}.svg\" alt=\"chart of {case}\"></p>\n",
                caption.join(" "),
                table::html(&rows)
            );
            for (path, text) in [(file("md"), text), (file("svg"), chart), (file("part.html"), section)] {
                fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
                written.push(path);
            }
        }
        page += &fs::read_to_string(file("part.html")).unwrap_or_default();
    }
    let path = directory.join("index.html");
    fs::write(&path, page).map_err(|e| format!("{}: {e}", path.display()))?;
    written.push(path);
    Ok(written)
}

fn cases() -> Vec<&'static str> {
    let mut cases: Vec<&str> = figure::every().map(|figure| figure.case).collect();
    cases.dedup();
    cases
}

/// Puts the table of one case between its marks, and its chart beside the page.
fn publish(case: &str, text: &str, chart: Option<&str>) -> Result<(), String> {
    let docs = Path::new(HOME).join("docs");
    let page = docs.join("performance.md");
    let mut text = text.to_owned();
    if let Some(chart) = chart {
        let path = docs.join(format!("charts/{case}.svg"));
        fs::write(&path, chart).map_err(|e| format!("{}: {e}", path.display()))?;
        text += &format!("\n![chart of {case}](charts/{case}.svg)\n");
    }
    let old = fs::read_to_string(&page).map_err(|e| format!("{}: {e}", page.display()))?;
    let new = put_between(&old, case, &text)
        .ok_or_else(|| format!("{} has no place for {case}", page.display()))?;
    fs::write(&page, new).map_err(|e| format!("{}: {e}", page.display()))
}

fn put_between(page: &str, case: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- make bench CASE={case} -->\n"), "<!-- end of the table -->");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{text}\n{end}{after}"))
}

impl Origin {
    pub(crate) fn now() -> Result<Origin, String> {
        let load = read("/proc/loadavg")?;
        let later = place::libowfat_034().map(|directory| fs::read_to_string(directory.join("version")));
        let later = later.transpose().map_err(|e| format!("libowfat 0.34: {e}"))?;
        let mut peers = peers()?;
        if let Some(later) = later {
            peers = format!("{peers}, libowfat {}", later.trim());
        }
        // What is not a repository any more has its version alone.
        let commit = output("git", &["-C", HOME, "rev-parse", "--short", "HEAD"]);
        let commit = commit.map_or_else(|_| String::new(), |commit| format!(" ({commit})"));
        let (date, version) = (output("date", &["-u", "+%Y-%m-%d"])?, env!("CARGO_PKG_VERSION"));
        Ok(Origin {
            version: format!("{date}, libowfat_io {version}{commit}, {}, {}", processor()?, kernel()?),
            load: load.split_whitespace().next().unwrap_or_default().to_owned(),
            peers,
        })
    }

    /// In lines for a chart. The load matters for what is not counted.
    fn caption(&self, rows: &[&Row]) -> Vec<String> {
        let timed = rows.iter().any(|row| row.cells.iter().any(|(_, cell)| cell.spread.is_some()));
        let load = if timed {
            format!("; load average before the run: {}", self.load)
        } else {
            String::from("; counted")
        };
        vec![format!("{}{load}.", self.version), format!("Beside it: {}.", self.peers)]
    }
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

fn processor() -> Result<String, String> {
    let info = read("/proc/cpuinfo")?;
    let count = info.lines().filter(|line| line.starts_with("processor")).count();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("a processor without a name", |(_, name)| name.trim());
    Ok(format!("{count} × {model}"))
}

fn kernel() -> Result<String, String> {
    Ok(format!("Linux {}", read("/proc/sys/kernel/osrelease")?.trim()))
}

/// The versions of the libraries that were measured.
fn peers() -> Result<String, String> {
    let packages = ["libowfat-dev", "libev-dev", "libevent-dev", "libuv1-dev"];
    let mut arguments = vec!["-W", "-f", "${Package} ${Version}, "];
    arguments.extend(packages);
    Ok(output("dpkg-query", &arguments)?.trim_end_matches(',').replace("-dev ", " "))
}

fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
