//! Any text: findings are in order, do not overlap, fit the text.

#![no_main]

use std::sync::LazyLock;

use chatward_detect::{Context, Detector};
use libfuzzer_sys::fuzz_target;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| Detector::builtin().expect("the built-in rules compile"));

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut done = 0;
    for finding in DETECTOR.find(text, Context::default()) {
        assert!(finding.span.start >= done && !finding.span.is_empty());
        assert!(finding.span.of(text).is_some());
        done = finding.span.end;
    }
});
