//! Any text as a file of goals.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipeline::fuzzing::goals_file(bytes));
