//! What one ELF file says of itself.

use object::elf::{DF_1_PIE, DF_SYMBOLIC, DT_FLAGS, DT_FLAGS_1, DT_SYMBOLIC, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, ElfFile, FileHeader, ProgramHeader};
use object::{Endianness, File, Object, ObjectKind, ObjectSymbol};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Elf {
    pub(crate) path: PathBuf,
    /// As `std::env::consts::ARCH` names it.
    pub(crate) machine: &'static str,
    pub(crate) is_library: bool,
    /// The dynamic linker that it asks for; none: everything is linked in.
    pub(crate) interpreter: Option<PathBuf>,
    /// It prefers its own definitions to those of a library loaded before it.
    pub(crate) is_symbolic: bool,
    /// Functions that the dynamic linker has to find for it.
    pub(crate) takes: BTreeSet<String>,
    /// Functions that others find in it.
    pub(crate) offers: BTreeSet<String>,
    /// All functions in it, as far as its symbols were not stripped.
    pub(crate) holds: BTreeSet<String>,
}

impl Elf {
    pub(crate) fn read(path: &Path) -> Result<Elf, String> {
        let at = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let data = fs::read(path).map_err(|e| at(&e))?;
        if data.starts_with(b"#!") {
            return Err(at(&"a script: check the program that it starts"));
        }
        if !data.starts_with(b"\x7fELF") {
            return Err(at(&"no ELF file"));
        }
        let file = File::parse(&*data).map_err(|e| at(&e))?;
        let linking = match &file {
            File::Elf32(f) => linking::<FileHeader32<Endianness>>(f, &data),
            File::Elf64(f) => linking::<FileHeader64<Endianness>>(f, &data),
            _ => return Err(at(&"no ELF file")),
        }
        .map_err(|e| at(&e))?;
        let named = |wanted: fn(&object::Symbol) -> bool| {
            file.dynamic_symbols().filter(wanted).filter_map(|s| s.name().ok().map(str::to_owned)).collect()
        };
        let offers: BTreeSet<String> = named(|s| s.is_definition());
        let inside =
            file.symbols().filter(|s| s.is_definition()).filter_map(|s| s.name().ok().map(str::to_owned));
        Ok(Elf {
            path: path.to_owned(),
            machine: machine(&file),
            is_library: file.kind() == ObjectKind::Dynamic
                && !linking.is_pie
                && linking.interpreter.is_none(),
            interpreter: linking.interpreter,
            is_symbolic: linking.is_symbolic,
            takes: named(|s| s.is_undefined()),
            holds: inside.chain(offers.iter().cloned()).collect(),
            offers,
        })
    }
}

#[derive(Default)]
struct Linking {
    interpreter: Option<PathBuf>,
    is_symbolic: bool,
    /// Tells a static program that may lie anywhere from a library.
    is_pie: bool,
}

fn linking<H: FileHeader<Endian = Endianness>>(
    file: &ElfFile<'_, H>,
    data: &[u8],
) -> object::Result<Linking> {
    let endian = file.endian();
    let mut linking = Linking::default();
    for segment in file.elf_program_headers() {
        if let Some(path) = segment.interpreter(endian, data)? {
            linking.interpreter = Some(PathBuf::from(String::from_utf8_lossy(path).into_owned()));
        }
        for entry in segment.dynamic(endian, data)?.unwrap_or_default() {
            let value: u64 = entry.val(endian);
            match entry.tag(endian) {
                DT_SYMBOLIC => linking.is_symbolic = true,
                DT_FLAGS => linking.is_symbolic |= value & DF_SYMBOLIC.0 != 0,
                DT_FLAGS_1 => linking.is_pie = value & DF_1_PIE.0 != 0,
                _ => {}
            }
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
