//! Gives the shared library its name for the dynamic linker, keeps it loaded for good, and says where the portable build
//! is the only one.

use std::env;

/// Programs linked with -lowfat_io record the name, as they recorded libowfat.so.0. And pthread_atfork handlers and a signal
/// handler point into the library: it must never be unmapped. The linker of macOS has other words, and none for that.
const LINK_ARGUMENTS: [&str; 2] = ["-Wl,-soname,libowfat_io.so.0", "-Wl,-z,nodelete"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let system = env::var("CARGO_CFG_TARGET_OS").expect("cargo sets it");
    if system != "linux" {
        // What RUSTFLAGS='--cfg owfat_portable' asks for on Linux.
        println!("cargo:rustc-cfg=owfat_portable");
    }
    if system != "macos" {
        for argument in LINK_ARGUMENTS {
            println!("cargo:rustc-cdylib-link-arg={argument}");
        }
    }
}
