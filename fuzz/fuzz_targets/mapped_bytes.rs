//! Any bytes through a shipped mapping.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipeline::fuzzing::mapped_bytes(bytes));
