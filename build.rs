//! Gives the shared library its name for the dynamic linker, and keeps it loaded for good.

/// Programs linked with -lowfat_io record the name, as they recorded libowfat.so.0. And pthread_atfork handlers and a signal
/// handler point into the library: it must never be unmapped.
const LINK_ARGUMENTS: [&str; 2] = ["-Wl,-soname,libowfat_io.so.0", "-Wl,-z,nodelete"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for argument in LINK_ARGUMENTS {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
}
