//! `make check-browser`: a headless Chromium loads a page with pictures from `examples/files.c`, on every backend.

use super::files;
use super::process::{Server, fresh_path};
use super::{Verdict, stage, trial};
use crate::behaviour::BACKENDS;
use crate::place;
use libtest_mimic::Trial;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const KNOB: &str = "OWFAT_IO_BROWSER";
const PICTURES: usize = 50;
const LIMIT: Duration = Duration::from_secs(120);

/// The browser is big, and no other test needs it.
pub(super) fn trials() -> Vec<Trial> {
    let trials = BACKENDS.map(|backend| {
        trial(format!("browser::page_with_pictures::{backend}"), move || page_with_pictures(backend))
    });
    trials.map(|t| t.with_ignored_flag(env::var_os(KNOB).is_none())).into()
}

/// A page that writes into itself how many of its pictures have come, and how many of them differ in width.
fn site(backend: &str) -> std::io::Result<PathBuf> {
    let site = place::output().join("browser").join(backend);
    fs::create_dir_all(&site)?;
    let mut page = String::from("<!doctype html><meta charset=utf-8><title>pictures</title>\n");
    for n in 1..=PICTURES {
        let _ = writeln!(page, "<img src=\"picture%20{n}.svg\">");
        let picture = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{n}\" height=\"10\"><!--{}--></svg>",
            "x".repeat(n * 1000)
        );
        fs::write(site.join(format!("picture {n}.svg")), picture)?;
    }
    page += "<p id=said></p><script>onload = () => {\n\
        const widths = [...document.images].map(i => i.naturalWidth).filter(w => w > 0);\n\
        said.textContent = `${widths.length} pictures, ${new Set(widths).size} widths`;\n\
        };</script>\n";
    fs::write(site.join("index.html"), page)?;
    Ok(site)
}

fn page_with_pictures(backend: &str) -> Verdict {
    let server = Server::start(files::command()?.arg(site(backend)?), backend)?;
    let profile = fresh_path("profile");
    fs::create_dir(&profile)?;
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    chromium.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    chromium.args(["--dump-dom", "--timeout=60000"]).arg(format!("--user-data-dir={}", profile.display()));
    let page = stage::succeed(chromium.arg(format!("http://{}/", server.address)), LIMIT);
    fs::remove_dir_all(&profile)?;
    let page = page?;
    if !page.contains(&format!(">{PICTURES} pictures, {PICTURES} widths<")) {
        return Err(page.into());
    }
    // The page, its pictures, and what else a browser asks for, over some connections that are used again.
    let said = server.last_words()?;
    let numbers: Vec<usize> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [requests, connections] if requests > PICTURES && (1..PICTURES).contains(&connections) => Ok(()),
        _ => Err(said.into()),
    }
}
