//! Compares the committed headers with what cbindgen makes of the C functions, so that a build needs no cbindgen.
//! `OWFAT_IO_UPDATE_HEADERS=1` rewrites them.

use std::path::{Path, PathBuf};
use std::{env, fs};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn check(header: &str, generated: &str) {
    let committed = Path::new(ROOT).join("include").join(header);
    if env::var_os("OWFAT_IO_UPDATE_HEADERS").is_some() {
        fs::write(&committed, generated).unwrap();
    }
    let current = fs::read_to_string(&committed).unwrap_or_default();
    assert!(current == generated, "{header} is out of date: run `make headers`");
}

#[test]
fn io_h_is_up_to_date() {
    check("io.h", &generated("cbindgen-io.toml", &["io_", "iom"]));
}

#[test]
fn iob_h_is_up_to_date() {
    check("iob.h", &generated("cbindgen-iob.toml", &["iob"]));
}

/// The header of the functions in the files whose names begin with one of the prefixes.
fn generated(config: &str, prefixes: &[&str]) -> String {
    let config = cbindgen::Config::from_file(Path::new(ROOT).join(config)).unwrap();
    let builder = cbindgen::Builder::new().with_config(config);
    let mut text = Vec::new();
    sources(prefixes).iter().fold(builder, |b, s| b.with_src(s)).generate().unwrap().write(&mut text);
    for_c(&String::from_utf8(text).unwrap())
}

/// In an order that does not depend on the file system.
fn sources(prefixes: &[&str]) -> Vec<PathBuf> {
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    };
    let entries = fs::read_dir(Path::new(ROOT).join("src/capi")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).filter(is_wanted).collect();
    files.sort();
    files
}

/// These are declared with `()`, as in libowfat. cbindgen writes only `(void)`.
const WITHOUT_PROTOTYPE: [&str; 5] = ["io_wait", "io_check", "io_canread", "io_canwrite", "io_timeouted"];

/// Around the declarations of a header with `()`, so that compilers do not warn in programs.
const QUIET: &str = "\
/* Some functions have (), as in libowfat: before C23 a program may pass what it likes. */
#if defined(__GNUC__) && !defined(__cplusplus)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored \"-Wstrict-prototypes\"
#endif

";
const QUIET_ENDS: &str = "\
#if defined(__GNUC__) && !defined(__cplusplus)
#pragma GCC diagnostic pop
#endif

";
const BEGIN: &str = "#ifdef __cplusplus\nextern";
const END: &str = "#ifdef __cplusplus\n}";

/// Replaces the integer types by libowfat's, and Rust's headings by words for the C reader.
fn for_c(text: &str) -> String {
    let text = text.replace("int64_t", "int64").replace("# Safety\n ", "Requires: ");
    let without = |text: String, name| text.replace(&format!("{name}(void);"), &format!("{name}();"));
    let changed = WITHOUT_PROTOTYPE.iter().fold(text.clone(), without);
    if changed == text {
        return text;
    }
    changed.replace(BEGIN, &format!("{QUIET}{BEGIN}")).replace(END, &format!("{QUIET_ENDS}{END}"))
}
