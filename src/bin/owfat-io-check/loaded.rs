//! Which libraries the dynamic linker would load with a program, in the order in which it looks for a name.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) enum Loaded {
    Libraries(Vec<PathBuf>),
    /// The name of one that is not there, so that the program does not start.
    Missing(String),
}

/// Asks the dynamic linker that the program names. It loads the program and its libraries, but runs nothing of them.
pub(crate) fn with(program: &Path, interpreter: &Path) -> Result<Loaded, String> {
    // A program that nobody trusts may name anything here.
    let real = interpreter.canonicalize().map_err(|e| format!("{}: {e}", interpreter.display()))?;
    if !["/lib", "/lib64", "/lib32", "/libx32", "/usr"].iter().any(|d| real.starts_with(d)) {
        return Err(format!("{}: asks for the dynamic linker {}", program.display(), interpreter.display()));
    }
    // Without a slash the dynamic linker would search for it.
    let program = program.canonicalize().map_err(|e| format!("{}: {e}", program.display()))?;
    let output = Command::new(&real)
        .arg("--list")
        .arg(&program)
        .env_remove("LD_PRELOAD")
        .env("LC_ALL", "C")
        .output()
        .map_err(|e| format!("{}: {e}", real.display()))?;
    if output.status.success() {
        return Ok(Loaded::Libraries(parse(&String::from_utf8_lossy(&output.stdout))));
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    missing(&why).map(Loaded::Missing).ok_or(why)
}

/// Lines as `libc.so.6 => /lib/libc.so.6 (0x7f…)` and `/lib64/ld-linux-x86-64.so.2 (0x7f…)`; what the kernel provides
/// has no path.
fn parse(list: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let place = line.split_once(" => ").map_or(line, |(_, place)| place).trim();
        let (path, _) = place.rsplit_once(" (0x")?;
        path.starts_with('/').then(|| path.into())
    };
    list.lines().filter_map(path).collect()
}

fn missing(complaint: &str) -> Option<String> {
    let (_, rest) = complaint.split_once("error while loading shared libraries: ")?;
    let (name, _) = rest.split_once(": cannot open shared object file")?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_dynamic_linker() {
        let found = parse(
            "\tlinux-vdso.so.1 (0x00007ffe)\n\tlibowfat.so.0 => /usr/lib/libowfat.so.0 (0x00007f)\n\
             \tlibc.so.6 => /a path/libc.so.6 (0x00007f)\n\t/lib64/ld.so.2 (0x00007f)\n",
        );
        let found: Vec<_> = found.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(found, ["/usr/lib/libowfat.so.0", "/a path/libc.so.6", "/lib64/ld.so.2"]);
    }

    #[test]
    fn its_complaint() {
        let why = "./p: error while loading shared libraries: libgone.so.3: cannot open shared object file: No such file";
        assert_eq!(missing(why).as_deref(), Some("libgone.so.3"));
        assert_eq!(missing("./p: error while loading shared libraries: ./p: invalid ELF header"), None);
    }
}
