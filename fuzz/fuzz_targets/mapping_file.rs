//! Any text as the definition of a mapping.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipeline::fuzzing::mapping_file(bytes));
