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
#[expect(clippy::print_stdout, reason = "shown only of a test that fails: the file at fault")]
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

/// The corpus with random changes, blind but without any tool: `FUZZ_ROUNDS` (20) changed inputs for every file, of
/// `FUZZ_TARGET` (all); `FUZZ_SEED` makes other ones. An input that finds a fault is written to the build folder.
#[test]
fn changed_inputs_find_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (rounds, seed) = (number("FUZZ_ROUNDS").unwrap_or(20), number("FUZZ_SEED").unwrap_or(1));
    let only = std::env::var("FUZZ_TARGET").ok();
    let mut broken = Vec::new();
    for (name, target) in TARGETS.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)) {
        let mut files: Vec<PathBuf> = (fs::read_dir(fuzz().join("corpus").join(name)).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let files: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
        let mut dice = targets::Dice::of(&[name.as_bytes(), &seed.to_be_bytes()].concat());
        let mut runs = 0;
        'rounds: for round in 0..rounds {
            for file in &files {
                let mut input = file.clone();
                for _ in 0..=dice.throw(4) {
                    change(&mut input, &files, &mut dice);
                }
                runs += 1;
                if std::panic::catch_unwind(|| target(&input)).is_err() {
                    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{seed}-{round}"));
                    fs::write(&path, &input).unwrap();
                    broken.push(path);
                    break 'rounds;
                }
            }
        }
        println!("{name}: {runs} changed inputs");
    }
    assert!(broken.is_empty(), "faults found by {broken:?}");
}

/// One random change: a byte, a stretch cut out, doubled, or taken from another file.
fn change(input: &mut Vec<u8>, files: &[Vec<u8>], dice: &mut targets::Dice) {
    const BYTES: &[u8] = b"\"\\{}[],: \n\r0eE-.\xc3\xa9";
    const WORDS: &[&str] =
        &["[EMAIL_1]", "[CARD_1 ending 1111]", r"\u00e9", r"\ud83d", "null", "1e999", "\u{200b}", "'''"];
    let at = dice.throw(input.len() + 1);
    let end = (at + dice.throw(24)).min(input.len());
    match dice.throw(6) {
        0 => drop(input.drain(at..end)),
        1 => {
            let copy = input[at..end].to_vec();
            let to = dice.throw(input.len() + 1);
            input.splice(to..to, copy);
        }
        2 => {
            let other = &files[dice.throw(files.len())];
            let from = dice.throw(other.len() + 1);
            let piece = other[from..(from + dice.throw(64)).min(other.len())].to_vec();
            input.splice(at..end, piece);
        }
        3 => input.insert(at, BYTES[dice.throw(BYTES.len())]),
        4 => drop(input.splice(at..at, WORDS[dice.throw(WORDS.len())].bytes())),
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << dice.throw(8);
            }
        }
    }
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
    fuzz_corpus_attachment: "attachment",
    fuzz_corpus_backups: "backups",
    fuzz_corpus_behaviour: "behaviour",
    fuzz_corpus_certificate: "certificate",
    fuzz_corpus_channel: "channel",
    fuzz_corpus_config: "config",
    fuzz_corpus_control: "control",
    fuzz_corpus_detect: "detect",
    fuzz_corpus_intel_lines: "intel_lines",
    fuzz_corpus_intel_misp: "intel_misp",
    fuzz_corpus_intel_stix: "intel_stix",
    fuzz_corpus_key_files: "key_files",
    fuzz_corpus_links: "links",
    fuzz_corpus_log_files: "log_files",
    fuzz_corpus_placeholders: "placeholders",
    fuzz_corpus_policies: "policies",
    fuzz_corpus_records: "records",
    fuzz_corpus_reply: "reply",
    fuzz_corpus_request: "request",
    fuzz_corpus_routes: "routes",
    fuzz_corpus_rules: "rules",
    fuzz_corpus_scan: "scan",
    fuzz_corpus_sealed: "sealed",
    fuzz_corpus_stream: "stream",
    fuzz_corpus_threats: "threats",
    fuzz_corpus_wrapped_keys: "wrapped_keys",
}
