//! Finds the libraries that the dynamic linker would load with a program, in the order of its search.
//!
//! The dynamic linker itself is not run: `ld.so --list` would execute what the program names in `DT_AUDIT`. So its search
//! (ld.so(8)) is done here by reading files. Variants of a library for certain processors are ignored, because all of them
//! export the same functions.

use crate::cache::Cache;
use crate::elf::Elf;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

pub(crate) enum Loaded {
    /// The program and its libraries.
    Objects(Vec<Elf>),
    /// The name of a library that is missing, so that the program does not start.
    Missing(Vec<u8>),
}

struct Search {
    cache: Cache,
    /// `LD_LIBRARY_PATH`.
    library_path: Vec<PathBuf>,
    /// The objects that were found, with the index of the one that needs each.
    objects: Vec<(Elf, usize)>,
    /// Their names, with the index of the object.
    names: Vec<(Vec<u8>, usize)>,
}

pub(crate) fn load(program: Elf) -> Loaded {
    let library_path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let library_path = library_path.as_bytes().split(|b| b":;".contains(b)).filter(|d| !d.is_empty());
    let library_path = library_path.map(|d| OsStr::from_bytes(d).into()).collect();
    let mut search = Search {
        cache: Cache::of_the_system(),
        library_path,
        objects: vec![(program, 0)],
        names: Vec::new(),
    };
    let mut next = 0;
    while let Some((object, _)) = search.objects.get(next) {
        for name in object.linking.needed.clone() {
            if !search.is_there(&name) {
                match search.find(&name, next) {
                    Some(found) => search.add(name, found, next),
                    None => return Loaded::Missing(name),
                }
            }
        }
        next += 1;
    }
    Loaded::Objects(search.objects.into_iter().map(|(object, _)| object).collect())
}

impl Search {
    fn is_there(&self, name: &[u8]) -> bool {
        self.names.iter().any(|(n, _)| n == name)
    }

    /// Adds an object. A file may be found under several names.
    fn add(&mut self, name: Vec<u8>, found: Elf, by: usize) {
        let known = self.objects.iter().position(|(o, _)| o.file == found.file);
        let at = known.unwrap_or(self.objects.len());
        self.names.push((name, at));
        if known.is_none() {
            self.names.extend(found.linking.soname.clone().map(|soname| (soname, at)));
            self.objects.push((found, by));
        }
    }

    fn find(&self, name: &[u8], by: usize) -> Option<Elf> {
        let (needs, _) = self.objects.get(by)?;
        if name.contains(&b'/') {
            return self.for_this_machine(&expanded(name, needs));
        }
        let mut directories: Vec<PathBuf> = Vec::new();
        if needs.linking.runpath.is_none() {
            directories.extend(self.rpath(by));
        }
        directories.extend(self.library_path.iter().cloned());
        directories.extend(needs.linking.runpath.iter().flat_map(|path| directories_in(path, needs)));
        let in_directory = |d: &PathBuf| self.for_this_machine(&d.join(OsStr::from_bytes(name)));
        let cached = || self.cache.files(name).iter().find_map(|file| self.for_this_machine(file));
        let found = directories.iter().find_map(in_directory);
        if needs.linking.no_defaults {
            return found;
        }
        found.or_else(cached).or_else(|| defaults().iter().find_map(in_directory))
    }

    /// `DT_RPATH` of the object that needs it, of the one that needs that, and so on up to the program.
    fn rpath(&self, by: usize) -> Vec<PathBuf> {
        let (mut at, mut paths) = (by, Vec::new());
        while let Some((object, next)) = self.objects.get(at) {
            if object.linking.runpath.is_none() {
                paths.extend(object.linking.rpath.iter().flat_map(|path| directories_in(path, object)));
            }
            if at == 0 {
                break;
            }
            at = *next;
        }
        paths
    }

    /// Reads a file; `None` if it is for another machine.
    fn for_this_machine(&self, path: &Path) -> Option<Elf> {
        let (program, _) = self.objects.first()?;
        let found = Elf::read(path).ok()?;
        (found.machine == program.machine && found.is_64 == program.is_64).then_some(found)
    }
}

fn directories_in(path: &[u8], of: &Elf) -> Vec<PathBuf> {
    path.split(|b| *b == b':').filter(|d| !d.is_empty()).map(|d| expanded(d, of)).collect()
}

/// Replaces `$ORIGIN` and `$LIB`, as the dynamic linker does.
fn expanded(path: &[u8], of: &Elf) -> PathBuf {
    let origin = of.path.canonicalize().ok();
    let origin = origin.as_deref().and_then(Path::parent).unwrap_or(Path::new("/"));
    let library = format!("lib/{}", triplet());
    let mut path = path.to_owned();
    for (word, value) in [("ORIGIN", origin.as_os_str().as_bytes()), ("LIB", library.as_bytes())] {
        for form in [format!("${{{word}}}"), format!("${word}")] {
            path = replaced(&path, form.as_bytes(), value);
        }
    }
    OsString::from_vec(path).into()
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut done, mut remaining) = (Vec::new(), text);
    while let Some(at) = remaining.windows(from.len()).position(|w| w == from) {
        done.extend_from_slice(&remaining[..at]);
        done.extend_from_slice(to);
        remaining = &remaining[at + from.len()..];
    }
    done.extend_from_slice(remaining);
    done
}

/// The name of a machine in Debian's folders.
fn triplet() -> String {
    let machine = if cfg!(target_arch = "x86") { "i386" } else { std::env::consts::ARCH };
    format!("{machine}-linux-gnu")
}

/// The system's folders for libraries, the most specific first.
fn defaults() -> Vec<PathBuf> {
    let places = if cfg!(target_env = "musl") {
        ["/lib", "/usr/local/lib", "/usr/lib"].map(PathBuf::from).to_vec()
    } else {
        ["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(PathBuf::from).to_vec()
    };
    let special = ["/lib", "/usr/lib"].map(|d| Path::new(d).join(triplet()));
    special.into_iter().chain(places).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_path_are_replaced_wherever_they_stand() {
        assert_eq!(replaced(b"$ORIGIN/a:$ORIGIN", b"$ORIGIN", b"/x"), b"/x/a:/x");
        assert_eq!(replaced(b"/none", b"$ORIGIN", b"/x"), b"/none");
        assert_eq!(replaced(b"", b"$ORIGIN", b"/x"), b"");
    }
}
