//! Finds out whether a process runs on the library, from what the kernel shows of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) program: PathBuf,
    /// The file of our library in the process's memory; the program itself, if it was linked in.
    pub(crate) library: Option<PathBuf>,
    /// Whether the file was replaced or removed since.
    pub(crate) is_deleted: bool,
    pub(crate) backend: Backend,
    /// The file of libowfat.
    pub(crate) libowfat: Option<PathBuf>,
}

/// The backend that it uses.
pub(crate) enum Backend {
    Named(String),
    /// None yet, because no descriptor was registered.
    NotYet,
    /// Unknown, with the reason.
    Hidden(String),
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
        files.iter().find(is_it).copied()
    };
    let plain = |file: &str| PathBuf::from(file.strip_suffix(" (deleted)").unwrap_or(file));
    let library = mapped("libowfat_io.so");
    let of_program = program.to_string_lossy();
    let label = label(pid, &maps, library.unwrap_or(&of_program));
    // A label in the program's own memory means that the library was linked in.
    let is_linked_in = library.is_none() && matches!(label, Ok(Some(_)));
    let file = library.or(is_linked_in.then_some(&*of_program));
    Ok(Process {
        pid,
        library: file.map(plain),
        is_deleted: file.is_some_and(|f| f.ends_with(" (deleted)")),
        backend: match label {
            Ok(Some(name)) if name.is_empty() => Backend::NotYet,
            Ok(Some(name)) => Backend::Named(name),
            Ok(None) => Backend::Hidden("another version".into()),
            Err(e) => Backend::Hidden(e.to_string()),
        },
        libowfat: mapped("libowfat.so").map(plain),
        program,
    })
}

/// The label of `src/sys/label.rs`.
const MARK: &[u8] = b"libowfat_io backend is:\0";
const ROOM: usize = 8;

/// No library has more writable data.
const MOST: u64 = 64 << 20;

/// The backend's name after the label, in the writable memory that came from `file`; `None` if there is no label.
fn label(pid: u32, maps: &str, file: &str) -> std::io::Result<Option<String>> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    for (from, to) in maps.lines().filter_map(|line| writable(line, file)) {
        let mut bytes = vec![0; to.saturating_sub(from).min(MOST) as usize];
        memory.read_exact_at(&mut bytes, from)?;
        if let Some(at) = bytes.windows(MARK.len()).position(|w| w == MARK) {
            let name = bytes.iter().skip(at + MARK.len()).take(ROOM).take_while(|b| **b != 0);
            return Ok(Some(name.map(|b| char::from(*b)).collect()));
        }
    }
    Ok(None)
}

/// The range of a line `FROM-TO rw-p OFFSET DEVICE INODE FILE` of /proc/PID/maps, if it is writable and of `file`.
fn writable(line: &str, file: &str) -> Option<(u64, u64)> {
    let (range, rest) = line.split_once(' ')?;
    if !rest.starts_with("rw") || rest.find('/').map(|at| &rest[at..]) != Some(file) {
        return None;
    }
    let (from, to) = range.split_once('-')?;
    Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_memory_map() {
        let line = "7f00a000-7f00b000 rw-p 0007a000 fe:01 123  /lib/a b.so (deleted)";
        assert_eq!(writable(line, "/lib/a b.so (deleted)"), Some((0x7f00_a000, 0x7f00_b000)));
        assert_eq!(writable(line, "/lib/a b.so"), None);
        assert_eq!(writable(&line.replace("rw-p", "r--p"), "/lib/a b.so (deleted)"), None);
        assert_eq!(writable("7f00a000-7f00b000 rw-p 00000000 00:00 0", ""), None);
    }
}
