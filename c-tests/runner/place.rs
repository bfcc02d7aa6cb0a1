//! Where sources, headers, libraries and compiled programs are.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fs};

pub(crate) fn c_tests() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/c-tests"))
}

/// Servers for readers.
pub(crate) fn examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
}

/// The files of a directory under `c-tests/` with an extension, sorted; none if there is no such directory.
pub(crate) fn sources(directory: &str, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(c_tests().join(directory)) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Compiled programs and reports.
pub(crate) fn output() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The directory with our headers.
pub(crate) fn include() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/include"))
}

/// Our shared library, as it was built.
pub(crate) fn shared_library() -> Result<PathBuf, String> {
    let directory = env::var_os("OWFAT_IO_LIBDIR").map_or_else(|| target().join("release"), PathBuf::from);
    existing(directory.join("libowfat_io.so"))
}

fn existing(library: PathBuf) -> Result<PathBuf, String> {
    if library.exists() { Ok(library) } else { Err(format!("{} is missing: run make", library.display())) }
}

/// Where `make libowfat-034` has unpacked libowfat 0.34, if it has.
pub(crate) fn libowfat_034() -> Option<&'static Path> {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/build/libowfat-0.34"));
    directory.join("version").exists().then_some(directory)
}

/// The directory that cargo builds in.
pub(crate) fn target() -> &'static Path {
    output().parent().unwrap_or(Path::new("."))
}

/// Whether the portable build is to be run, too: `OWFAT_IO_PORTABLE` says where it is.
pub(crate) fn has_portable() -> bool {
    env::var_os("OWFAT_IO_PORTABLE").is_some()
}

/// As [`library_directory`], with the portable build.
pub(crate) fn portable_directory() -> Result<&'static Path, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let directory = PathBuf::from(env::var_os("OWFAT_IO_PORTABLE").unwrap_or_default());
    made(&MADE, "portable", || existing(directory.join("libowfat_io.so")))
}

/// A directory that holds our library under both its names: the one that `-lowfat_io` looks for and the one
/// that linked programs record.
pub(crate) fn library_directory() -> Result<&'static Path, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    made(&MADE, "lib", shared_library)
}

fn made(
    once: &'static OnceLock<Result<PathBuf, String>>,
    name: &str,
    library: impl FnOnce() -> Result<PathBuf, String>,
) -> Result<&'static Path, String> {
    once.get_or_init(|| {
        let library = library()?;
        let directory = output().join(name);
        fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        let library = library.canonicalize().map_err(|e| format!("{}: {e}", library.display()))?;
        for name in ["libowfat_io.so", "libowfat_io.so.0"] {
            let link = directory.join(name);
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(&library, &link).map_err(|e| format!("{}: {e}", link.display()))?;
        }
        Ok(directory)
    })
    .as_deref()
    .map_err(Clone::clone)
}
