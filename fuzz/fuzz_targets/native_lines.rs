//! Any bytes as JSON lines, as an array and as CSV.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipeline::fuzzing::native_lines(bytes));
