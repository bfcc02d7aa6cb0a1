//! Holds the committed headers against the generated ones. `OWFAT_IO_UPDATE_HEADERS=1` rewrites them.

use std::path::Path;
use std::{env, fs};

fn check(name: &str, generated: &str) {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("include").join(name);
    if env::var_os("OWFAT_IO_UPDATE_HEADERS").is_some() {
        fs::write(&committed, generated).unwrap();
    }
    let found = fs::read_to_string(&committed).unwrap();
    assert!(found == generated, "include/{name} is not what src/capi says: run `make headers`");
}

#[test]
fn io_h_is_up_to_date() {
    check("io.h", include_str!(concat!(env!("OUT_DIR"), "/io.h")));
}

#[test]
fn iob_h_is_up_to_date() {
    check("iob.h", include_str!(concat!(env!("OUT_DIR"), "/iob.h")));
}
