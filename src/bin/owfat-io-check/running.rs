//! What the kernel shows of a process.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) program: PathBuf,
    /// Our library, as the process has it in memory.
    pub(crate) library: Option<PathBuf>,
    /// The file has been replaced or removed since.
    pub(crate) is_deleted: bool,
    /// libowfat's other half.
    pub(crate) libowfat: Option<PathBuf>,
}

impl Process {
    pub(crate) fn uses_it(&self) -> bool {
        self.library.is_some()
    }
}

pub(crate) fn look(pid: u32) -> Result<Process, String> {
    let at = |what: &str, e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => format!("no process {pid}"),
        _ => format!("process {pid}: {what}: {e}"),
    };
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).map_err(|e| at("memory map", e))?;
    let program = fs::read_link(format!("/proc/{pid}/exe")).map_err(|e| at("program", e))?;
    let files: BTreeSet<&str> = maps.lines().filter_map(|l| l.find('/').map(|at| &l[at..])).collect();
    let mapped = |prefix: &str| {
        let is_it = |f: &&&str| f.rsplit('/').next().is_some_and(|name| name.starts_with(prefix));
        files.iter().find(is_it).map(|f| f.strip_suffix(" (deleted)").map_or((*f, false), |f| (f, true)))
    };
    let library = mapped("libowfat_io.so");
    Ok(Process {
        pid,
        program,
        library: library.map(|(path, _)| path.into()),
        is_deleted: library.is_some_and(|(_, deleted)| deleted),
        libowfat: mapped("libowfat.so").map(|(path, _)| path.into()),
    })
}
