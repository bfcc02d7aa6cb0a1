//! `build/hostile.txt`: what the servers used before, during and after.

use super::KNOB;
use crate::servers::usage::Usage;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::{env, io};

const HEAD: &str = "\
    | server | attack | backend | before: CPU %, KiB, descriptors | attack: CPU % | held: CPU %, KiB, descriptors \
    | after: CPU %, KiB, descriptors |\n|---|---|---|---|---|---|---|\n";

pub(super) struct Row<'a> {
    /// Server, attack, backend.
    subject: [&'a str; 3],
    pub(super) before: Spent,
    /// While the attack grew to its full size: the processor time in per cent.
    pub(super) attacked: f64,
    pub(super) during: Spent,
    pub(super) after: Spent,
}

/// The processor time of a span, in per cent, and what was used at its end.
pub(super) type Spent = (f64, Usage);

impl<'a> Row<'a> {
    pub(super) fn new(subject: [&'a str; 3], before: Spent) -> Row<'a> {
        Row { subject, before, attacked: 0.0, during: before, after: before }
    }

    /// Written only on demand, one row after the other.
    pub(super) fn write(&self) -> Result<(), Box<dyn Error>> {
        static TABLE: Mutex<Option<File>> = Mutex::new(None);
        if env::var_os(KNOB).is_none() {
            return Ok(());
        }
        let mut table = TABLE.lock().map_err(|e| e.to_string())?;
        let file = match table.take() {
            Some(file) => file,
            None => begin()?,
        };
        let used = |(cpu, usage): &Spent| format!("{cpu:.0}, {}, {}", usage.resident, usage.descriptors);
        let [before, during, after] = [&self.before, &self.during, &self.after].map(used);
        let subject = self.subject.join(" | ");
        let row = format!("| {subject} | {before} | {:.0} | {during} | {after} |\n", self.attacked);
        table.insert(file).write_all(row.as_bytes())?;
        Ok(())
    }
}

fn begin() -> io::Result<File> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("build");
    fs::create_dir_all(&directory)?;
    let mut file = File::create(directory.join("hostile.txt"))?;
    file.write_all(HEAD.as_bytes())?;
    Ok(file)
}
