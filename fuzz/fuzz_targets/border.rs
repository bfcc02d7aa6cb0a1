//! The C functions with anything that their contract allows.
#![no_main]

#[path = "../border/mod.rs"]
mod border;

/// Like the system's `malloc`, the sanitizer's refuses what it cannot give.
#[unsafe(no_mangle)]
pub extern "C" fn __asan_default_options() -> *const std::ffi::c_char {
    c"allocator_may_return_null=1".as_ptr()
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| border::run(input));
