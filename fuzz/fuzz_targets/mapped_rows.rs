//! Rows that shipped mappings accept, with other cells in them, in each format.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipeline::fuzzing::mapped_rows(bytes));
