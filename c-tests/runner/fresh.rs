//! A library that is older than its sources is not tested: cargo builds the tests and not what they load.

use crate::place;
use libtest_mimic::{Failed, Trial};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// One line about a library that has to be built first. One that `OWFAT_IO_LIBDIR` names is taken as it is.
pub(crate) fn check() -> Result<(), String> {
    let library = place::shared_library()?;
    if std::env::var_os("OWFAT_IO_LIBDIR").is_some() {
        return Ok(());
    }
    refuse_old(&library)
}

fn refuse_old(library: &Path) -> Result<(), String> {
    match newer_source(library) {
        None => Ok(()),
        Some(source) => Err(format!("{} is older than {}: run `make`", library.display(), source.display())),
    }
}

/// A source that was changed, or taken away, after the library was built. Cargo leaves the list of its sources beside it.
fn newer_source(library: &Path) -> Option<PathBuf> {
    let list = fs::read_to_string(library.with_extension("d")).ok()?;
    let built = changed(library)?;
    let sources = list.lines().next()?.split_once(": ")?.1.replace("\\ ", "\0");
    let sources = sources.split(' ').map(|source| PathBuf::from(source.replace('\0', " ")));
    sources.into_iter().find(|source| changed(source).is_none_or(|at| at > built))
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("runner::a_library_older_than_its_sources_is_refused", old_library_is_refused)]
}

fn old_library_is_refused() -> Result<(), Failed> {
    let directory = place::output().join("an old library");
    fs::create_dir_all(&directory)?;
    let (library, source) = (directory.join("libowfat_io.so"), directory.join("slot.rs"));
    let list = format!("{}: {}\n", library.display(), source.display().to_string().replace(' ', "\\ "));
    fs::write(library.with_extension("d"), list)?;
    let now = SystemTime::now();
    File::create(&library)?.set_modified(now)?;
    let source_is_of = |at| File::create(&source)?.set_modified(at);
    source_is_of(now - Duration::from_secs(1))?;
    refuse_old(&library)?;
    let refused = |why: &str| match refuse_old(&library) {
        Err(line) if line.contains("slot.rs: run `make`") && !line.contains('\n') => Ok(()),
        other => Err(Failed::from(format!("{why}: {other:?}"))),
    };
    source_is_of(now + Duration::from_secs(1))?;
    refused("a source that was changed")?;
    fs::remove_file(&source)?;
    refused("a source that was taken away")
}
