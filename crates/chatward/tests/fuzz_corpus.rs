//! The fuzz corpus, replayed by the ordinary tests: what once found a fault never does again (`fuzz/README.md`).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

/// What each target does: the very code that runs under libFuzzer.
#[path = "../../../fuzz/src/lib.rs"]
pub mod targets;

use std::fs;
use std::path::{Path, PathBuf};

use targets::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = (fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), known);
    assert_eq!(names(&fuzz().join("corpus")), known);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in known {
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in fuzz/Cargo.toml");
    }
}

/// Every file of a target's corpus; a failing one is named in the output.
fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let mut files = 0;
    for entry in fs::read_dir(fuzz().join("corpus").join(name)).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        target(&fs::read(path).unwrap());
        files += 1;
    }
    assert!(files > 0, "{name} has no corpus");
}

/// One test a target.
macro_rules! replayed {
    ($($test:ident: $name:literal,)*) => {$(
        #[test]
        fn $test() {
            replay($name);
        }
    )*

        #[test]
        fn every_target_is_replayed() {
            let known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!([$($name),*], known[..]);
        }
    };
}

replayed! {
    fuzz_corpus_config: "config",
    fuzz_corpus_control: "control",
    fuzz_corpus_detect: "detect",
    fuzz_corpus_key_files: "key_files",
    fuzz_corpus_log_files: "log_files",
    fuzz_corpus_placeholders: "placeholders",
    fuzz_corpus_reply: "reply",
    fuzz_corpus_request: "request",
    fuzz_corpus_rules: "rules",
    fuzz_corpus_scan: "scan",
    fuzz_corpus_sealed: "sealed",
    fuzz_corpus_stream: "stream",
}
