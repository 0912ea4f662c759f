//! A whole workbook of any parts.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipeline::fuzzing::workbook_parts(bytes));
