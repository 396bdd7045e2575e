//! The recognisers that come with the gateway hold what they say, each by itself and all together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chatward_detect::{Context, Detector, Options, rules_check};

/// An example: text, previous bot turn, expected spans.
type Example = (String, Option<String>, Vec<(usize, usize)>);

/// The examples of one rule file.
fn examples(source: &str) -> Vec<Example> {
    let file: toml::Table = toml::from_str(source).unwrap();
    let listed = file["example"].as_array().unwrap();
    listed
        .iter()
        .map(|example| {
            let previous = example.get("previous").map(|p| p.as_str().unwrap().to_owned());
            let (mut text, mut spans, mut start) = (String::new(), Vec::new(), 0);
            for c in example["text"].as_str().unwrap().chars() {
                match c {
                    '«' => start = text.len(),
                    '»' => spans.push((start, text.len())),
                    other => text.push(other),
                }
            }
            (text, previous, spans)
        })
        .collect()
}

#[test]
fn every_file_holds_by_itself() {
    let faults: Vec<String> = rules_check(&Detector::builtin_sources())
        .iter()
        .flat_map(|report| &report.faults)
        .map(|fault| format!("{fault:?}"))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_example_is_found_by_all_together() {
    let detector = Detector::builtin().unwrap();
    let mut missed = Vec::new();
    for source in Detector::builtin_sources() {
        let file: toml::Table = toml::from_str(source.text).unwrap();
        let kind = file["kind"].as_str().unwrap();
        for (text, previous, spans) in examples(source.text) {
            let found = detector.find(&text, Context { previous: previous.as_deref(), ..Context::default() });
            for (start, end) in spans {
                let same = found
                    .iter()
                    .any(|f| f.rule.kind.to_string() == kind && (f.span.start, f.span.end) == (start, end));
                if !same {
                    let got: Vec<_> =
                        found.iter().map(|f| (&f.rule.id, &text[f.span.start..f.span.end])).collect();
                    missed.push(format!("{}: {:?} in {text:?}, got {got:?}", source.name, &text[start..end]));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// What is found in a text after a question: kind and value.
fn answered(detector: &Detector, question: &str, text: &str) -> Vec<(String, String)> {
    detector
        .find(text, Context { previous: Some(question), ..Context::default() })
        .iter()
        .map(|f| (f.rule.kind.to_string(), text[f.span.start..f.span.end].to_owned()))
        .collect()
}

#[test]
fn a_bare_value_is_what_was_asked_for() {
    // By rules alone: the tagger has its own view of "smith".
    let options = Options { without_names: true, ..Options::default() };
    let detector = Detector::compile(&Detector::builtin_sources(), &options).unwrap();
    let of = |question: &str, text: &str| answered(&detector, question, text);
    let one = |kind: &str, value: &str| vec![(kind.to_owned(), value.to_owned())];
    assert_eq!(of("What is your PIN?", "4471"), one("pin", "4471"));
    assert_eq!(of("What is your PIN?", "Sure, it’s 4471. Thanks!"), one("pin", "4471"));
    assert_eq!(of("And your password, please?", "hunter2"), one("password", "hunter2"));
    // The same digits are another thing after another question, and nothing where nobody asked.
    assert_eq!(of("And the CVV?", "4471"), one("card_code", "4471"));
    assert_eq!(of("How many do you want?", "4471"), []);
    assert!(detector.find("4471", Context::default()).is_empty());
    // Only the last question counts.
    assert_eq!(of("Your PIN was changed. How many do you want?", "4471"), []);
    // A part of an answer must look like nothing else.
    assert_eq!(
        of("Your name and the last four of your SSN?", "smith and 4471"),
        one("us_ssn_last_four", "4471")
    );
    assert_eq!(of("Your name and your password?", "smith and swordfish"), []);
    // What a text says of itself counts more than what was asked.
    assert_eq!(of("What is your PIN?", "bob@example.com")[0].0, "email");
    // Longer texts are no bare answers.
    assert_eq!(of("What is your PIN?", &format!("{}4471", "well, ".repeat(30))), []);
    let options = Options { allow: vec!["4471".into()], ..options };
    let allowing = Detector::compile(&Detector::builtin_sources(), &options).unwrap();
    assert_eq!(answered(&allowing, "What is your PIN?", "4471"), []);
}

/// Ten times the text takes about ten times the time; quadratic would be a hundred times.
#[test]
fn numbers_in_a_row_take_linear_time() {
    let detector = Detector::builtin().unwrap();
    for bit in ["1 ", "4-", "12.", "a ", "my name is "] {
        let time = |bytes: usize| {
            let text = bit.repeat(bytes / bit.len());
            let begin = Instant::now();
            detector.find(&text, Context::default());
            begin.elapsed().max(Duration::from_millis(5))
        };
        time(5_000);
        let small = (0..3).map(|_| time(10_000)).min().unwrap_or_default();
        let large = (0..3).map(|_| time(100_000)).min().unwrap_or_default();
        assert!(large < small * 40, "{bit:?}: {small:?} → {large:?}");
    }
}

#[test]
fn files_are_complete_and_kinds_are_many() {
    let mut kinds = BTreeSet::new();
    for source in Detector::builtin_sources() {
        let file: toml::Table = toml::from_str(source.text).unwrap();
        let count = |name: &str| file[name].as_array().unwrap().len();
        assert!(count("example") >= 3 && count("near_miss") >= 2, "{} needs more samples", source.name);
        kinds.insert(file["kind"].as_str().unwrap().to_owned());
    }
    assert!(kinds.len() >= 45, "{} kinds", kinds.len());
}
