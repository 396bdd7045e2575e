//! The fuzz corpus, replayed by the ordinary tests: what once found a fault never does again (`fuzz/README.md`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

use std::path::{Path, PathBuf};

use chatward_detect::{Context, Detector, Options, RuleSource};

/// The files of a target's corpus; there must be some.
fn corpus(target: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files: Vec<(PathBuf, String)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()))
        .collect();
    assert!(!files.is_empty(), "{target} has no corpus");
    files
}

#[test]
fn fuzz_corpus_detect() {
    let detector = Detector::builtin().unwrap();
    for (path, text) in corpus("detect") {
        let mut done = 0;
        for finding in detector.find(&text, Context::default()) {
            assert!(finding.span.start >= done && !finding.span.is_empty(), "{}", path.display());
            assert!(finding.span.of(&text).is_some(), "{}", path.display());
            done = finding.span.end;
        }
    }
}

#[test]
fn fuzz_corpus_rules() {
    for (_, text) in corpus("rules") {
        if let Ok(detector) =
            Detector::compile(&[RuleSource { name: "fuzz.toml", text: &text }], &Options::default())
        {
            let _ = detector.find(&text, Context::default());
        }
    }
}
