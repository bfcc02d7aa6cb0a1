//! C programs, each compiled when the first trial asks for it and only once.

use crate::{child, place};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Whose headers and library a program is built with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    Ours,
    /// The installed 0.32.
    Debian,
    /// Our headers and the installed 0.32: to be run with our library preloaded.
    Preloaded,
    /// The unpacked 0.34.
    Later,
}

/// A program to be: cloned freely, compiled once.
#[derive(Clone)]
pub(crate) struct Program(Arc<Recipe>);

struct Recipe {
    source: PathBuf,
    with: With,
    built: OnceLock<Result<PathBuf, String>>,
}

impl Program {
    pub(crate) fn new(source: &Path, with: With) -> Program {
        Program(Arc::new(Recipe { source: source.to_owned(), with, built: OnceLock::new() }))
    }

    /// The executable, or what the compiler said.
    pub(crate) fn path(&self) -> Result<&Path, String> {
        let recipe = &*self.0;
        recipe.built.get_or_init(|| compile(&recipe.source, recipe.with)).as_deref().map_err(Clone::clone)
    }

    /// A command that runs the program as the environment asks (`VALGRIND`, `EMULATOR`), with our library in reach.
    pub(crate) fn command(&self) -> Result<Command, String> {
        let path = self.path()?;
        let wrapper = env::var("VALGRIND").or_else(|_| env::var("EMULATOR")).unwrap_or_default();
        let mut words = wrapper.split_whitespace();
        let mut command = match words.next() {
            Some(word) => {
                let mut command = Command::new(word);
                command.args(words).arg(path);
                command
            }
            None => Command::new(path),
        };
        match self.0.with {
            With::Ours => command.env("LD_LIBRARY_PATH", place::library_directory()?),
            With::Preloaded => command.env("LD_PRELOAD", place::shared_library()?),
            With::Debian | With::Later => &mut command,
        };
        Ok(command)
    }
}

/// Where Debian 13 and later have libowfat's headers; Debian 12 has them where every compiler looks. Programs need them
/// behind ours, which have the same names.
pub(crate) const LIBOWFAT_HEADERS: [&str; 2] = ["-idirafter", "/usr/include/libowfat"];

/// The compiler, and what the environment (`CC`) tells it besides.
pub(crate) fn compiler() -> Command {
    let words = env::var("CC").unwrap_or_default();
    let mut words = words.split_whitespace();
    let mut cc = Command::new(words.next().unwrap_or("cc"));
    cc.args(words).args(LIBOWFAT_HEADERS);
    cc
}

/// The same for C++. With `CC` goes what is wanted of it: its options, and clang's own compiler for C++.
fn compiler_for_cpp() -> Command {
    let words = env::var("CC").unwrap_or_default();
    let mut words = words.split_whitespace();
    let c = words.next().unwrap_or("cc");
    let mut cpp = Command::new(match c {
        "cc" => "c++".into(),
        _ if c.contains("clang") => c.replacen("clang", "clang++", 1),
        _ => c.replacen("gcc", "g++", 1),
    });
    cpp.args(words).args(LIBOWFAT_HEADERS);
    cpp
}

/// What the compiler says of a source that is an example and nobody runs; `None` if it is silent.
pub(crate) fn complaint(source: &Path, standard: &str) -> Result<Option<String>, String> {
    let mut cc = Command::new("cc");
    cc.arg(format!("-std={standard}")).args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]);
    let end = child::run(cc.arg("-I").arg(place::include()).arg(source), LIMIT)?;
    Ok((!end.passed()).then(|| end.story()))
}

/// Its headers are found as `<libowfat/io.h>` and as `<io.h>`; or those of the installed 0.32 would be.
pub(crate) fn flags_of_0_34(directory: &Path) -> Vec<String> {
    let headers = ["include", "include/libowfat"].map(|h| format!("-isystem{}", directory.join(h).display()));
    [&headers[..], &[format!("-L{}", directory.display())]].concat()
}

fn compile(source: &Path, with: With) -> Result<PathBuf, String> {
    let kind = source.parent().map(place::stem).unwrap_or_default();
    let owner = match with {
        With::Ours => "ours",
        With::Debian => "debian",
        With::Preloaded => "preloaded",
        With::Later => "0.34",
    };
    let directory = place::output().join(owner).join(kind);
    fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let program = directory.join(place::stem(source));
    let (mut cc, standard) = match source.extension() {
        Some(extension) if extension == "cc" => (compiler_for_cpp(), "-std=c++17"),
        _ => (compiler(), "-std=c11"),
    };
    cc.args([standard, "-Wall", "-Wextra", "-Werror", "-g", "-pthread", "-o"]).arg(&program);
    cc.arg("-I").arg(place::c_tests().join("support"));
    match with {
        With::Ours => {
            cc.arg("-I").arg(place::include()).arg(source);
            cc.arg("-L").arg(place::library_directory()?).arg("-lowfat_io");
        }
        With::Debian => {
            cc.arg(source).arg("-lowfat");
        }
        With::Preloaded => {
            cc.arg("-include").arg(place::c_tests().join("preloaded.h"));
            cc.arg("-I").arg(place::include()).arg(source).args(["-lowfat", "-Wl,-z,dynamic-undefined-weak"]);
        }
        With::Later => {
            let directory = place::libowfat_034().ok_or("no libowfat 0.34: make libowfat-034")?;
            cc.arg(source).args(flags_of_0_34(directory)).arg("-lowfat");
        }
    }
    let end = child::run(&mut cc, LIMIT)?;
    if end.passed() { Ok(program) } else { Err(format!("{cc:?}: {}", end.story())) }
}
