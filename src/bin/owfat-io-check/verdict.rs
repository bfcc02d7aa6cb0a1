//! Whether loading this library first gives a program our io layer.

use crate::elf::Elf;
use crate::loaded::{self, Loaded};
use std::collections::BTreeSet;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(crate) struct Verdict {
    pub(crate) program: PathBuf,
    pub(crate) functions: Vec<Function>,
    /// Why not; none: it works.
    pub(crate) obstacles: Vec<Obstacle>,
}

pub(crate) struct Function {
    pub(crate) name: String,
    /// The program, or a library that comes with it.
    pub(crate) used_by: PathBuf,
    /// Where it comes from without us.
    pub(crate) from: Option<PathBuf>,
    pub(crate) is_provided: bool,
}

#[derive(PartialEq, Debug)]
pub(crate) enum Obstacle {
    Unused,
    NoProgram,
    Static { holds: Vec<String> },
    OwnCopy { object: PathBuf, names: Vec<String> },
    Privileged(&'static str),
    NotProvided(Vec<String>),
    Machine(&'static str),
    Missing(String),
}

/// What this library exports, whose list is in the sources for the tests.
fn ours() -> impl Iterator<Item = &'static str> {
    include_str!("../../../c-tests/symbols.txt").lines()
}

fn is_of_the_io_layer(name: &str) -> bool {
    ["io_", "iob_", "iom_"].iter().any(|prefix| name.starts_with(prefix))
}

fn is_libowfat(path: &Path) -> bool {
    path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("libowfat."))
}

fn is_us(path: &Path) -> bool {
    path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("libowfat_io."))
}

impl Verdict {
    pub(crate) fn is_reachable(&self) -> bool {
        self.obstacles.is_empty()
    }
}

pub(crate) fn judge(path: &Path) -> Result<Verdict, String> {
    let program = Elf::read(path)?;
    let mut verdict = Verdict { program: path.to_owned(), functions: Vec::new(), obstacles: Vec::new() };
    if program.machine != std::env::consts::ARCH {
        verdict.obstacles.push(Obstacle::Machine(program.machine));
        return Ok(verdict);
    }
    if program.is_library {
        verdict.obstacles.push(Obstacle::NoProgram);
        return Ok(verdict);
    }
    let Some(interpreter) = &program.interpreter else {
        let holds = ours().filter(|n| is_of_the_io_layer(n) && program.holds.contains(*n));
        verdict.obstacles.push(Obstacle::Static { holds: holds.map(str::to_owned).collect() });
        return Ok(verdict);
    };
    verdict.obstacles.extend(privilege(path)?.map(Obstacle::Privileged));
    let libraries = match loaded::with(path, interpreter)? {
        Loaded::Libraries(libraries) => libraries,
        Loaded::Missing(name) => {
            verdict.obstacles.push(Obstacle::Missing(name));
            return Ok(verdict);
        }
    };
    let mut objects = vec![program];
    for library in &libraries {
        objects.push(Elf::read(library)?);
    }
    for (i, object) in objects.iter().enumerate().filter(|(_, o)| !is_libowfat(&o.path) && !is_us(&o.path)) {
        verdict.functions.extend(used_by(object, &objects));
        verdict.obstacles.extend(own_copy(object, i == 0));
    }
    let unprovided = verdict.functions.iter().filter(|f| !f.is_provided).map(|f| f.name.clone());
    let unprovided: BTreeSet<String> = unprovided.collect();
    if !unprovided.is_empty() {
        verdict.obstacles.push(Obstacle::NotProvided(unprovided.into_iter().collect()));
    }
    if verdict.functions.is_empty() && verdict.obstacles.is_empty() {
        verdict.obstacles.push(Obstacle::Unused);
    }
    Ok(verdict)
}

/// Other libraries have names that begin alike (`io_submit`, `io_uring_enter`): it is libowfat's if we have it, too, or
/// if libowfat offers it.
fn used_by(object: &Elf, objects: &[Elf]) -> Vec<Function> {
    let function = |name: &String| {
        let from = objects.iter().find(|o| o.offers.contains(name)).map(|o| o.path.clone());
        let is_provided = ours().any(|n| n == name);
        let is_meant = is_provided || from.as_deref().is_some_and(is_libowfat);
        is_meant.then(|| Function { name: name.clone(), used_by: object.path.clone(), from, is_provided })
    };
    object.takes.iter().filter(|n| is_of_the_io_layer(n)).filter_map(function).collect()
}

/// A definition in the program wins over every library; one in a library that binds to itself is used by that library.
fn own_copy(object: &Elf, is_program: bool) -> Option<Obstacle> {
    let within = if is_program { &object.holds } else { &object.offers };
    let names: Vec<String> =
        ours().filter(|n| is_of_the_io_layer(n) && within.contains(*n)).map(str::to_owned).collect();
    (!names.is_empty() && (is_program || object.is_symbolic))
        .then(|| Obstacle::OwnCopy { object: object.path.clone(), names })
}

/// For such programs the dynamic linker ignores `LD_PRELOAD` (ld.so(8), secure-execution mode).
fn privilege(path: &Path) -> Result<Option<&'static str>, String> {
    let mode = path.metadata().map_err(|e| format!("{}: {e}", path.display()))?.mode();
    let has_capabilities = || xattr::get_deref(path, "security.capability").is_ok_and(|c| c.is_some());
    Ok(match () {
        () if mode & 0o4000 != 0 => Some("set-user-ID"),
        () if mode & 0o2000 != 0 => Some("set-group-ID"),
        () if has_capabilities() => Some("given file capabilities"),
        () => None,
    })
}

impl Obstacle {
    /// A word for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Obstacle::Unused => "unused",
            Obstacle::NoProgram => "no-program",
            Obstacle::Static { .. } => "static",
            Obstacle::OwnCopy { .. } => "own-copy",
            Obstacle::Privileged(_) => "privileged",
            Obstacle::NotProvided(_) => "not-provided",
            Obstacle::Machine(_) => "machine",
            Obstacle::Missing(_) => "missing-library",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Unused => f.write_str("It uses no function of libowfat's io layer."),
            Obstacle::NoProgram => f.write_str("It is a library: check the program that loads it."),
            Obstacle::Static { holds } if holds.is_empty() => f.write_str(
                "It is linked statically, so that no library can be put before another. Whether libowfat is in it \
                 does not show: its symbols do not name it.",
            ),
            Obstacle::Static { holds } => write!(
                f,
                "It is linked statically, libowfat's io layer included ({} functions): it has to be linked anew.",
                holds.len()
            ),
            Obstacle::OwnCopy { object, names } => write!(
                f,
                "{} has functions of the io layer in itself, which are used before any library's: {}.",
                object.display(),
                names.join(", ")
            ),
            Obstacle::Privileged(how) => write!(
                f,
                "It is {how}: the dynamic linker ignores LD_PRELOAD for such programs (ld.so(8)). Start a copy that is \
                 not, as the user that it needs, or link it with -lowfat_io."
            ),
            Obstacle::NotProvided(names) => {
                write!(f, "libowfat_io does not have all that it uses: {} would stay libowfat's.", names.join(", "))
            }
            Obstacle::Machine(machine) => {
                write!(f, "It is a program for {machine}; this libowfat_io is for {}.", std::env::consts::ARCH)
            }
            Obstacle::Missing(name) => write!(f, "It does not start here at all: {name} is not installed."),
        }
    }
}
