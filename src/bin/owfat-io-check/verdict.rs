//! Decides whether a program gets our io layer if this library is loaded first.

use crate::elf::Elf;
use crate::loaded::{self, Loaded};
use crate::shown;
use nix::unistd::{AccessFlags, access};
use std::collections::BTreeSet;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(crate) struct Verdict {
    pub(crate) program: PathBuf,
    pub(crate) functions: Vec<Function>,
    /// Why it does not work; empty if it does.
    pub(crate) obstacles: Vec<Obstacle>,
    pub(crate) linked: Option<Linked>,
}

/// How a program was linked with this library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Linked {
    /// This library comes before libowfat.
    First,
    /// libowfat comes before it, and has the functions as well.
    Behind,
    /// As a static archive.
    Inside,
}

impl Linked {
    /// A word for programs.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Linked::First => "first",
            Linked::Behind => "behind-libowfat",
            Linked::Inside => "inside",
        }
    }
}

pub(crate) struct Function {
    pub(crate) name: String,
    /// The program, or a library that comes with it.
    pub(crate) used_by: PathBuf,
    /// The library that it comes from without ours.
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
    OtherC,
    Missing(String),
    NotExecutable,
}

/// The functions that this library exports, from the list that the tests use, too.
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

    /// Whether it uses libowfat's io layer as it is.
    pub(crate) fn needs_preloading(&self) -> bool {
        !matches!(self.linked, Some(Linked::First | Linked::Inside))
    }
}

pub(crate) fn judge(path: &Path) -> Result<Verdict, String> {
    let program = Elf::read(path)?;
    let mut verdict =
        Verdict { program: path.to_owned(), functions: Vec::new(), obstacles: Vec::new(), linked: None };
    if program.machine != std::env::consts::ARCH || program.is_64 != cfg!(target_pointer_width = "64") {
        verdict.obstacles.push(Obstacle::Machine(program.machine));
        return Ok(verdict);
    }
    if program.is_library {
        verdict.obstacles.push(Obstacle::NoProgram);
        return Ok(verdict);
    }
    if access(path, AccessFlags::X_OK).is_err() {
        verdict.obstacles.push(Obstacle::NotExecutable);
    }
    let is_inside = program.has_us;
    let Some(interpreter) = program.linking.interpreter.clone() else {
        if is_inside {
            verdict.linked = Some(Linked::Inside);
        } else {
            let holds = ours().filter(|n| is_of_the_io_layer(n) && program.holds.contains(*n));
            verdict.obstacles.push(Obstacle::Static { holds: holds.map(str::to_owned).collect() });
        }
        return Ok(verdict);
    };
    if is_of_musl(&interpreter) != cfg!(target_env = "musl") {
        verdict.obstacles.push(Obstacle::OtherC);
        return Ok(verdict);
    }
    if !interpreter.exists() {
        verdict.obstacles.push(Obstacle::Missing(shown::path(&interpreter)));
        return Ok(verdict);
    }
    let objects = match loaded::load(program) {
        Loaded::Objects(objects) => objects,
        Loaded::Missing(name) => {
            verdict.obstacles.push(Obstacle::Missing(shown::bytes(&name)));
            return Ok(verdict);
        }
    };
    verdict.linked = if is_inside { Some(Linked::Inside) } else { linked(&objects) };
    for (i, object) in objects.iter().enumerate().filter(|(_, o)| !is_libowfat(&o.path) && !is_us(&o.path)) {
        verdict.functions.extend(used_by(object, &objects));
        if !(i == 0 && is_inside) {
            verdict.obstacles.extend(own_copy(object, i == 0));
        }
    }
    if verdict.needs_preloading() {
        verdict.obstacles.extend(privilege(path)?.map(Obstacle::Privileged));
    }
    let unprovided = verdict.functions.iter().filter(|f| !f.is_provided).map(|f| f.name.clone());
    let unprovided: BTreeSet<String> = unprovided.collect();
    if !unprovided.is_empty() {
        verdict.obstacles.push(Obstacle::NotProvided(unprovided.into_iter().collect()));
    }
    if verdict.functions.is_empty() && verdict.obstacles.is_empty() && verdict.linked.is_none() {
        verdict.obstacles.push(Obstacle::Unused);
    }
    Ok(verdict)
}

/// How the program was linked with this library. The first library that has a function wins.
fn linked(objects: &[Elf]) -> Option<Linked> {
    let first = |is_it: fn(&Path) -> bool| objects.iter().position(|o| is_it(&o.path));
    match (first(is_us), first(is_libowfat)) {
        (None, _) => None,
        (Some(ours), Some(theirs)) if theirs < ours => Some(Linked::Behind),
        _ => Some(Linked::First),
    }
}

fn is_of_musl(interpreter: &Path) -> bool {
    interpreter.file_name().is_some_and(|n| n.to_string_lossy().starts_with("ld-musl"))
}

/// The functions of libowfat's io layer that an object imports. Other libraries have names like these (`io_submit`,
/// `io_uring_enter`), so a function counts only if our library or libowfat exports it.
fn used_by(object: &Elf, objects: &[Elf]) -> Vec<Function> {
    let function = |name: &String| {
        let from = objects.iter().find(|o| o.offers.contains(name)).map(|o| o.path.clone());
        let is_provided = ours().any(|n| n == name);
        let is_meant = is_provided || from.as_deref().is_some_and(is_libowfat);
        is_meant.then(|| Function { name: name.clone(), used_by: object.path.clone(), from, is_provided })
    };
    object.takes.iter().filter(|n| is_of_the_io_layer(n)).filter_map(function).collect()
}

/// The obstacle that an object defines one of the functions itself. A definition in the program wins over every library. One
/// in a library with `-Bsymbolic` is used by that library.
fn own_copy(object: &Elf, is_program: bool) -> Option<Obstacle> {
    let within = if is_program { &object.holds } else { &object.offers };
    let names: Vec<String> =
        ours().filter(|n| is_of_the_io_layer(n) && within.contains(*n)).map(str::to_owned).collect();
    (!names.is_empty() && (is_program || object.linking.is_symbolic))
        .then(|| Obstacle::OwnCopy { object: object.path.clone(), names })
}

/// Whether the program has raised privileges, so that the dynamic linker ignores `LD_PRELOAD` (ld.so(8), secure-execution
/// mode).
fn privilege(path: &Path) -> Result<Option<&'static str>, String> {
    let mode = path.metadata().map_err(|e| format!("{}: {e}", shown::path(path)))?.mode();
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
            Obstacle::OtherC => "c-library",
            Obstacle::Missing(_) => "missing-library",
            Obstacle::NotExecutable => "not-executable",
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
                "It is linked statically, libowfat's io layer included ({} functions): it has to be linked anew, with \
                 -lowfat_io before -lowfat.",
                holds.len()
            ),
            Obstacle::OwnCopy { object, names } => write!(
                f,
                "{} has functions of the io layer in itself, which are used before any library's: {}.",
                shown::path(object),
                shown::text(&names.join(", "))
            ),
            Obstacle::Privileged(how) => write!(
                f,
                "It is {how}: the dynamic linker ignores LD_PRELOAD for such programs (ld.so(8)). Start a copy that is \
                 not, as the user that it needs, or link it with -lowfat_io."
            ),
            Obstacle::NotProvided(names) => {
                write!(f, "libowfat_io does not have all that it uses: {} would stay libowfat's.", shown::text(&names.join(", ")))
            }
            Obstacle::Machine(machine) => {
                write!(f, "It is a program for {machine}; this libowfat_io is for {}.", std::env::consts::ARCH)
            }
            Obstacle::OtherC => write!(
                f,
                "It was built for another C library ({}) than this libowfat_io: build both for one.",
                if cfg!(target_env = "musl") { "not musl" } else { "musl" }
            ),
            Obstacle::NotExecutable => f.write_str("It may not be executed: give it the right by chmod +x."),
            Obstacle::Missing(name) => write!(f, "It does not start here at all: {name} is not installed."),
        }
    }
}
