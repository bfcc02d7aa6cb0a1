//! Gives the shared library its name for the dynamic linker, and keeps it loaded for good.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for argument in link_arguments(&env::var("CARGO_CFG_TARGET_OS").expect("cargo sets it")) {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
}

/// Programs linked with -lowfat_io record the name, as they recorded libowfat.so.0. And pthread_atfork handlers and a signal
/// handler point into the library: it must never be unmapped, which the linker of macOS has no word for.
fn link_arguments(system: &str) -> &'static [&'static str] {
    match system {
        "macos" => &["-Wl,-install_name,@rpath/libowfat_io.0.dylib"],
        _ => &["-Wl,-soname,libowfat_io.so.0", "-Wl,-z,nodelete"],
    }
}
