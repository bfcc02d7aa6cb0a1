//! `layout/*.sh`: scripts that look at the headers and at the shared library.

use crate::{child, place};
use libtest_mimic::Trial;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |script: std::path::PathBuf| {
        let name = place::stem(&script);
        Trial::test(format!("layout::{name}"), move || {
            let subject = match &*name {
                "panics" | "symbols" => place::shared_library()?,
                _ => place::include().to_owned(),
            };
            let end = child::run(Command::new("sh").arg(script).arg(subject), LIMIT)?;
            if end.passed() { Ok(()) } else { Err(end.story().into()) }
        })
    };
    place::sources("layout", "sh").into_iter().map(trial).collect()
}
