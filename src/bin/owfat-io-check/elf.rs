//! Reads one ELF file. It is not mapped or executed.

use crate::shown;
use object::elf::{
    DF_1_NODEFLIB, DF_1_PIE, DF_SYMBOLIC, DT_FLAGS, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME,
    DT_STRSZ, DT_STRTAB, DT_SYMBOLIC, FileHeader32, FileHeader64,
};
use object::read::elf::{Dyn, ElfFile, FileHeader, ProgramHeader};
use object::{Endianness, File, Object, ObjectKind, ObjectSymbol};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest file that is read into memory. No program is larger.
const MOST: u64 = 2 << 30;

/// The label of `src/sys/label.rs`. A file that has it contains our library.
const MARK: &[u8] = b"libowfat_io backend is:\0";

pub(crate) struct Elf {
    pub(crate) path: PathBuf,
    /// Device and inode.
    pub(crate) file: (u64, u64),
    /// As `std::env::consts::ARCH` names it.
    pub(crate) machine: &'static str,
    pub(crate) is_64: bool,
    pub(crate) is_library: bool,
    /// Functions that it imports.
    pub(crate) takes: BTreeSet<String>,
    /// Functions that it exports.
    pub(crate) offers: BTreeSet<String>,
    /// All functions that it defines, unless its symbols were stripped.
    pub(crate) holds: BTreeSet<String>,
    /// Whether our library was linked into it.
    pub(crate) has_us: bool,
    pub(crate) linking: Linking,
}

/// What the dynamic linker reads.
#[derive(Default)]
pub(crate) struct Linking {
    /// The dynamic linker that it asks for; `None` for a static program.
    pub(crate) interpreter: Option<PathBuf>,
    /// Whether it prefers its own definitions to those of a library loaded before it.
    pub(crate) is_symbolic: bool,
    /// Whether it is a position-independent program and not a library.
    is_pie: bool,
    /// The libraries that it needs, by name or path.
    pub(crate) needed: Vec<Vec<u8>>,
    pub(crate) soname: Option<Vec<u8>>,
    /// Where to search for them: `DT_RPATH`, and the newer `DT_RUNPATH`.
    pub(crate) rpath: Option<Vec<u8>>,
    pub(crate) runpath: Option<Vec<u8>>,
    /// Whether the system's folders are not searched.
    pub(crate) no_defaults: bool,
}

impl Elf {
    pub(crate) fn read(path: &Path) -> Result<Elf, String> {
        let at = |e: &dyn std::fmt::Display| format!("{}: {e}", shown::path(path));
        let (data, file) = contents(path).map_err(|e| at(&e))?;
        if data.starts_with(b"#!") {
            return Err(at(&"a script: check the program that it starts"));
        }
        if !data.starts_with(b"\x7fELF") {
            return Err(at(&"no ELF file"));
        }
        Elf::parse(path, &data, file).map_err(|e| at(&e))
    }

    fn parse(path: &Path, data: &[u8], identity: (u64, u64)) -> object::Result<Elf> {
        let file = File::parse(data)?;
        let linking = match &file {
            File::Elf32(f) => linking::<FileHeader32<Endianness>>(f, data),
            File::Elf64(f) => linking::<FileHeader64<Endianness>>(f, data),
            _ => Ok(Linking::default()),
        }?;
        let named = |wanted: fn(&object::Symbol) -> bool| {
            file.dynamic_symbols().filter(wanted).filter_map(|s| s.name().ok().map(str::to_owned)).collect()
        };
        let offers: BTreeSet<String> = named(|s| s.is_definition());
        let inside =
            file.symbols().filter(|s| s.is_definition()).filter_map(|s| s.name().ok().map(str::to_owned));
        Ok(Elf {
            path: path.to_owned(),
            file: identity,
            machine: machine(&file),
            is_64: file.is_64(),
            is_library: file.kind() == ObjectKind::Dynamic
                && !linking.is_pie
                && linking.interpreter.is_none(),
            takes: named(|s| s.is_undefined()),
            holds: inside.chain(offers.iter().cloned()).collect(),
            has_us: data.windows(MARK.len()).any(|w| w == MARK),
            offers,
            linking,
        })
    }
}

/// Reads a regular file, and no other, because a FIFO or a device could make it wait.
fn contents(path: &Path) -> std::io::Result<(Vec<u8>, (u64, u64))> {
    let refused = |why: &str| Err(std::io::Error::other(why.to_owned()));
    let file =
        fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return refused("a directory");
    }
    if !metadata.is_file() {
        return refused("no regular file");
    }
    if metadata.len() > MOST {
        return refused("too large for a program");
    }
    let mut data = Vec::new();
    file.take(MOST).read_to_end(&mut data)?;
    Ok((data, (metadata.dev(), metadata.ino())))
}

fn linking<H: FileHeader<Endian = Endianness>>(
    file: &ElfFile<'_, H>,
    data: &[u8],
) -> object::Result<Linking> {
    let endian = file.endian();
    let mut linking = Linking::default();
    let (mut table, mut size, mut strings) = (None, 0, Vec::new());
    for segment in file.elf_program_headers() {
        if let Some(path) = segment.interpreter(endian, data)? {
            linking.interpreter = Some(std::ffi::OsString::from_vec(path.to_owned()).into());
        }
        for entry in segment.dynamic(endian, data)?.unwrap_or_default() {
            let value: u64 = entry.val(endian);
            match entry.tag(endian) {
                DT_SYMBOLIC => linking.is_symbolic = true,
                DT_FLAGS => linking.is_symbolic |= value & DF_SYMBOLIC.0 != 0,
                DT_FLAGS_1 => {
                    linking.is_pie = value & DF_1_PIE.0 != 0;
                    linking.no_defaults = value & DF_1_NODEFLIB.0 != 0;
                }
                DT_STRTAB => table = Some(value),
                DT_STRSZ => size = value,
                tag @ (DT_NEEDED | DT_SONAME | DT_RPATH | DT_RUNPATH) => strings.push((tag, value)),
                _ => {}
            }
        }
    }
    let within = |address| {
        let find = |s: &H::ProgramHeader| s.data_range(endian, data, address, size).ok().flatten();
        file.elf_program_headers().iter().find_map(find)
    };
    let table = table.and_then(within).unwrap_or_default();
    for (tag, offset) in strings {
        let rest = usize::try_from(offset).ok().and_then(|o| table.get(o..)).unwrap_or_default();
        let string: Vec<u8> = rest.iter().copied().take_while(|b| *b != 0).collect();
        match tag {
            DT_NEEDED => linking.needed.push(string),
            DT_SONAME => linking.soname = Some(string),
            DT_RPATH => linking.rpath = Some(string),
            _ => linking.runpath = Some(string),
        }
    }
    Ok(linking)
}

fn machine(file: &File) -> &'static str {
    use object::Architecture::{Aarch64, Arm, I386, Riscv64, S390x, X86_64};
    match file.architecture() {
        X86_64 => "x86_64",
        I386 => "x86",
        Aarch64 => "aarch64",
        Arm => "arm",
        Riscv64 => "riscv64",
        S390x => "s390x",
        _ => "another machine",
    }
}
