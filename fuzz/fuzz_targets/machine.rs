//! The event loop against its model.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| owfat_io::fuzz::machine(input));
