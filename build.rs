//! Gives the shared library its name for the dynamic linker, keeps it loaded for good, and generates the C
//! headers of the io layer from its C functions.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    for argument in link_arguments(&env::var("CARGO_CFG_TARGET_OS").expect("cargo sets it")) {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
    for input in ["build.rs", "src/capi", "cbindgen-io.toml", "cbindgen-iob.toml"] {
        println!("cargo:rerun-if-changed={input}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let sources = sources();
    let of = |prefixes: &[&str]| -> Vec<PathBuf> {
        let wanted = |p: &&PathBuf| prefixes.iter().any(|prefix| name(p).starts_with(prefix));
        sources.iter().filter(wanted).cloned().collect()
    };
    generate("cbindgen-io.toml", &of(&["io_", "iom"]), &out.join("io.h"));
    generate("cbindgen-iob.toml", &of(&["iob"]), &out.join("iob.h"));
}

/// Programs linked with -lowfat_io record the name, as they recorded libowfat.so.0. And pthread_atfork handlers and a signal
/// handler point into the library: it must never be unmapped, which the linker of macOS has no word for.
fn link_arguments(system: &str) -> &'static [&'static str] {
    match system {
        "macos" => &["-Wl,-install_name,@rpath/libowfat_io.0.dylib"],
        _ => &["-Wl,-soname,libowfat_io.so.0", "-Wl,-z,nodelete"],
    }
}

/// The files of the C border, in an order that does not depend on the file system.
fn sources() -> Vec<PathBuf> {
    let entries = fs::read_dir("src/capi").expect("src/capi is readable");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("src/capi is readable").path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|n| n.to_str()).unwrap_or_default()
}

fn generate(config: &str, sources: &[PathBuf], header: &Path) {
    let config = cbindgen::Config::from_file(config).expect("the cbindgen configuration is valid");
    let builder = sources.iter().fold(cbindgen::Builder::new().with_config(config), |b, s| b.with_src(s));
    let mut text = Vec::new();
    builder.generate().expect("cbindgen understands the C border").write(&mut text);
    let text = String::from_utf8(text).expect("cbindgen writes UTF-8");
    fs::write(header, for_c(&text)).expect("OUT_DIR is writable");
}

/// Gives the text libowfat's integer names, and the reader of C no Rust heading.
fn for_c(text: &str) -> String {
    text.replace("int64_t", "int64").replace("# Safety\n ", "Requires: ")
}
