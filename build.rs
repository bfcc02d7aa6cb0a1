//! Sets the soname of the shared library, keeps the library from being unloaded, and chooses the portable build on systems
//! other than Linux.

use std::env;

/// Programs linked with -lowfat_io record the soname. The library must never be unmapped, because pthread_atfork handlers
/// and a signal handler point into it. The linker of macOS has another option for the name, and none for that.
const LINK_ARGUMENTS: [&str; 2] = ["-Wl,-soname,libowfat_io.so.0", "-Wl,-z,nodelete"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let system = env::var("CARGO_CFG_TARGET_OS").expect("cargo sets it");
    if system != "linux" {
        // On Linux RUSTFLAGS='--cfg owfat_portable' chooses it.
        println!("cargo:rustc-cfg=owfat_portable");
    }
    if system != "macos" {
        for argument in LINK_ARGUMENTS {
            println!("cargo:rustc-cdylib-link-arg={argument}");
        }
    }
}
