#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chatward_fuzz::threats(bytes));
