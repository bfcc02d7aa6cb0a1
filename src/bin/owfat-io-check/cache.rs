//! Reads `/etc/ld.so.cache`, the list of the system's libraries that ldconfig(8) writes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// The size of the header: the magic, counts, flags, and fields of later versions.
const HEADER: usize = 48;
const ENTRY: usize = 24;

#[derive(Default)]
pub(crate) struct Cache(HashMap<Vec<u8>, Vec<PathBuf>>);

impl Cache {
    pub(crate) fn of_the_system() -> Cache {
        std::fs::read("/etc/ld.so.cache").ok().and_then(|bytes| parse(&bytes)).unwrap_or_default()
    }

    /// The files for a name, of any machine. Those for all processors come first.
    pub(crate) fn files(&self, name: &[u8]) -> &[PathBuf] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Parses the cache. `None` if it is incomplete or no cache. A list in an older format may come before the one that is
/// read.
fn parse(bytes: &[u8]) -> Option<Cache> {
    let begin = bytes.windows(MAGIC.len()).position(|w| w == MAGIC)?;
    let bytes = bytes.get(begin..)?;
    let word = |at: usize| {
        let field: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_ne_bytes(field)).ok()
    };
    let string = |at: usize| {
        let rest = bytes.get(at..)?;
        Some(rest.iter().copied().take_while(|b| *b != 0).collect::<Vec<u8>>())
    };
    let mut found: Vec<(bool, Vec<u8>, PathBuf)> = Vec::new();
    for i in 0..word(MAGIC.len())?.min(bytes.len() / ENTRY) {
        let at = HEADER + i * ENTRY;
        let (name, path) = (string(word(at + 4)?)?, string(word(at + 8)?)?);
        let is_for_all = word(at + 16)? == 0 && word(at + 20)? == 0;
        found.push((!is_for_all, name, OsString::from_vec(path).into()));
    }
    found.sort_by_key(|(is_special, ..)| *is_special);
    let mut cache = Cache::default();
    for (_, name, path) in found {
        cache.0.entry(name).or_default().push(path);
    }
    Some(cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list with two files for one name. The first is for some processors only.
    fn made() -> Vec<u8> {
        let strings = b"libx.so.1\0/lib/fast/libx.so.1\0/lib/libx.so.1\0";
        let base = (HEADER + 2 * ENTRY) as u32;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(2_u32.to_ne_bytes());
        bytes.extend((strings.len() as u32).to_ne_bytes());
        bytes.resize(HEADER, 0);
        for (path, capabilities) in [(10, 1_u64 << 62), (30, 0)] {
            for field in [0x303, base, base + path, 0] {
                bytes.extend(u32::to_ne_bytes(field));
            }
            bytes.extend(capabilities.to_ne_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn files_for_all_processors_come_first() {
        let files = |bytes: &[u8]| parse(bytes).unwrap().files(b"libx.so.1").to_vec();
        let wanted: Vec<PathBuf> = vec!["/lib/libx.so.1".into(), "/lib/fast/libx.so.1".into()];
        assert_eq!(files(&made()), wanted);
        assert_eq!(files(&[b"ld.so-1.7.0\0xxxx", &*made()].concat()), wanted);
        assert!(parse(&made()).unwrap().files(b"liby.so.1").is_empty());
    }

    #[test]
    fn an_incomplete_cache_is_refused() {
        let whole = made();
        for len in 0..whole.len() - 45 {
            assert!(parse(&whole[..len]).is_none(), "{len}");
        }
    }
}
