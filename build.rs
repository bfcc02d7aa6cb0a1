//! Gives the shared library its name for the dynamic linker and keeps it loaded for good.

fn main() {
    // Programs linked with -lowfat_io record this name, as they recorded libowfat.so.0.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libowfat_io.so.0");
    // pthread_atfork handlers and a signal handler point into the library: it must never be unmapped.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
}
