//! `layout/*.sh`: scripts that look at the headers, the shared library and what it is built from.

use crate::{behaviour, child, place};
use libtest_mimic::Trial;
use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |script: PathBuf| {
        let name = place::stem(&script);
        Trial::ignorable_test(format!("layout::{name}"), move || {
            let subject = subject(&name)?;
            behaviour::verdict(&child::run(Command::new("sh").arg(script).arg(subject), LIMIT)?)
        })
    };
    place::sources("layout", "sh").into_iter().map(trial).collect()
}

/// What a script is given to look at.
fn subject(script: &str) -> Result<PathBuf, String> {
    match script {
        "abi" => described_library(),
        "symbols" | "panics" | "hardening" | "secure" => place::shared_library(),
        _ => Ok(place::include().to_owned()),
    }
}

/// The shared library with debug information, which the released one has not: built from the crates that the unit
/// tests have compiled already.
fn described_library() -> Result<PathBuf, String> {
    let target = place::target();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["rustc", "--locked", "--quiet", "--lib", "--crate-type", "cdylib", "--target-dir"])
        .arg(target);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    let end = child::run(&mut cargo, LIMIT)?;
    if end.passed() {
        Ok(target.join("debug/libowfat_io.so"))
    } else {
        Err(format!("{cargo:?}: {}", end.story()))
    }
}
