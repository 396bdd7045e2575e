//! Any text as a rule file: compiled or refused, never a panic; what compiles can be used.

#![no_main]

use chatward_detect::{Context, Detector, Options, RuleSource};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(detector) = Detector::compile(&[RuleSource { name: "fuzz.toml", text }], &Options::default()) {
        let _ = detector.find(text, Context::default());
    }
});
