//! Batches, their plan and their books, against their models.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| owfat_io::fuzz::plan(input));
