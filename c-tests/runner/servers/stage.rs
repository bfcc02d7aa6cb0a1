//! An installed copy of the library, and C servers built against it as a user builds them.

use crate::compile::compiler;
use crate::{child, place};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// Enough for a release build from nothing.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);
const COMPILE_LIMIT: Duration = Duration::from_secs(60);

/// The prefix of a finished `make install`.
pub(super) fn prefix() -> Result<&'static Path, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MADE.get_or_init(|| {
        let prefix = place::output().join("stage");
        make(&["all", "install", "DESTDIR=", &format!("prefix={}", prefix.display())])?;
        Ok(prefix)
    })
    .as_deref()
    .map_err(Clone::clone)
}

pub(super) fn library_directory() -> Result<PathBuf, String> {
    Ok(prefix()?.join("lib"))
}

/// Where servers find the library: the one that the environment names (`OWFAT_IO_LIBDIR`), or the installed one.
pub(super) fn servers_library() -> Result<PathBuf, String> {
    match env::var_os("OWFAT_IO_LIBDIR") {
        Some(_) => place::library_directory().map(Path::to_owned),
        None => library_directory(),
    }
}

/// Runs our Makefile, as if it had not been a make that started the tests.
pub(super) fn make(arguments: &[&str]) -> Result<String, String> {
    let mut make = Command::new("make");
    make.arg("-s").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"] {
        make.env_remove(name);
    }
    succeed(&mut make, INSTALL_LIMIT)
}

/// What `pkg-config` prints about the installed library below `prefix`.
pub(super) fn pkg_config(prefix: &Path, arguments: &[&str]) -> Result<Vec<String>, String> {
    let mut query = Command::new("pkg-config");
    query.args(arguments).arg("libowfat_io").env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    let words = succeed(&mut query, COMPILE_LIMIT)?;
    Ok(words.split_whitespace().map(str::to_owned).collect())
}

/// `examples/<name>.c` or `c-tests/servers/<name>.c`, compiled once with pkg-config's flags and `libraries` behind them.
pub(super) fn program(name: &str, libraries: &[&str]) -> Result<PathBuf, String> {
    static COMPILING: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let program = place::output().join("servers").join(name);
    let mut compiled = COMPILING.lock().map_err(|e| e.to_string())?;
    if !compiled.iter().any(|n| n == name) {
        std::fs::create_dir_all(place::output().join("servers")).map_err(|e| e.to_string())?;
        let file = format!("{name}.c");
        let example = place::examples().join(&file);
        let source = if example.exists() { example } else { place::c_tests().join("servers").join(file) };
        compile(&[source.as_path()], &pkg_config(prefix()?, &["--cflags", "--libs"])?, libraries, &program)?;
        compiled.push(name.to_owned());
    }
    Ok(program)
}

pub(super) fn compile(
    sources: &[&Path],
    flags: &[String],
    libraries: &[&str],
    program: &Path,
) -> Result<(), String> {
    let mut cc = compiler();
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-g", "-o"]).arg(program);
    cc.args(sources).args(flags).args(libraries);
    succeed(&mut cc, COMPILE_LIMIT).map(drop)
}

/// The output of a command that must succeed.
pub(super) fn succeed(command: &mut Command, limit: Duration) -> Result<String, String> {
    let end = child::run(command, limit)?;
    if end.passed() { Ok(end.stdout) } else { Err(format!("{command:?}: {}", end.story())) }
}
