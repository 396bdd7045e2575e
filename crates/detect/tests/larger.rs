//! A larger model beside rules and tagger, played by a list of words.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chatward_detect::larger::{Larger, Mention, Read, Reader, Unread};
use chatward_detect::{Because, Before, By, Context, Detector, Options, Outcome, RulesError, Text};
use chatward_message::{Plain, Span};
use proptest::prelude::*;

/// Knows some words; stops at one, breaks at another.
#[derive(Debug, Default)]
struct Words {
    labels: Vec<Box<str>>,
    known: Vec<(&'static str, usize, f32)>,
    /// How many texts it has read.
    read: AtomicUsize,
    hash: u8,
}

impl Reader for Words {
    fn labels(&self) -> &[Box<str>] {
        &self.labels
    }

    fn hash(&self) -> [u8; 32] {
        [self.hash; 32]
    }

    fn read(&self, texts: &[&str], go_on: &dyn Fn() -> bool) -> Vec<Read> {
        let read = |text: &&str| {
            if !go_on() {
                return Read { mentions: Vec::new(), unread: Some(Unread::Late) };
            }
            if text.contains("breaks") {
                return Read::failed("it broke");
            }
            self.read.fetch_add(1, Ordering::Relaxed);
            let find = |(word, label, score): &(&'static str, usize, f32)| {
                let all = text.match_indices(word).map(|(at, word)| Mention {
                    span: Span::new(at, at + word.len()),
                    label: *label,
                    score: *score,
                });
                all.collect::<Vec<_>>()
            };
            Read { mentions: self.known.iter().flat_map(find).collect(), unread: None }
        };
        texts.iter().map(read).collect()
    }
}

fn words(known: &[(&'static str, usize, f32)]) -> Words {
    let labels = ["GIVEN", "FAMILY", "CITY", "PHONE"].map(Box::from).to_vec();
    Words { labels, known: known.to_vec(), ..Words::default() }
}

const KINDS: [(&str, &str); 4] =
    [("B-GIVEN", "person_name"), ("FAMILY", "person_name"), ("CITY", "location"), ("PHONE", "phone")];

fn larger(reader: Words) -> Larger {
    let kinds = KINDS.map(|(label, kind)| (label.to_owned(), kind.to_owned())).into();
    Larger { reader: Arc::new(reader), kinds, threshold: 0.5 }
}

fn compiled(reader: Words, options: &Options) -> Detector {
    let options = Options { without_names: true, ..options.clone() };
    let made = Detector::compile_beside(&Detector::builtin_sources(), &options, &larger(reader));
    made.unwrap_or_else(|e| panic!("{e:?}"))
}

/// What is found in a text, as `id:words`.
fn found(detector: &Detector, text: &str) -> Vec<String> {
    let found = detector.find(text, Context::default());
    found.iter().map(|f| format!("{}:{}", f.rule.id, f.span.of(text).unwrap())).collect()
}

#[test]
fn parts_of_one_name_are_one_finding_beside_those_of_the_rules() {
    let known = [("zorblax", 0, 0.9), ("Quïmtar", 1, 0.7), ("plonkville", 2, 0.8)];
    let detector = compiled(words(&known), &Options::default());
    let text = "😀 zorblax Quïmtar, ann@mail.example, plonkville zorblax-Quïmtar";
    let wanted = [
        "model-person-name:zorblax Quïmtar",
        "email:ann@mail.example",
        "model-location:plonkville",
        "model-person-name:zorblax-Quïmtar",
    ];
    assert_eq!(found(&detector, text), wanted);
    let finding = detector.find(text, Context::default()).remove(0);
    assert_eq!(
        (finding.rule.kind.as_str(), &*finding.rule.entity, &*finding.rule.label),
        ("person_name", "PERSON", "NAME")
    );
    // By length: seven letters of 0.9 and eight bytes of 0.7.
    assert!((finding.score - (7.0 * 0.9 + 8.0 * 0.7) / 15.0).abs() < 1e-3, "{}", finding.score);
    // Without it the rules find what they found.
    let options = Options { without_names: true, ..Options::default() };
    let alone = Detector::compile(&Detector::builtin_sources(), &options).unwrap();
    assert_eq!(found(&alone, text), ["email:ann@mail.example"]);
    assert!(!alone.has_larger() && detector.has_larger());
}

#[test]
fn what_rules_found_stays_and_only_the_rest_is_added() {
    let all = "zorblax ann@mail.example quimtar";
    let detector = compiled(words(&[(all, 0, 0.99)]), &Options::default());
    let wanted = ["model-person-name:zorblax", "email:ann@mail.example", "model-person-name:quimtar"];
    assert_eq!(found(&detector, &format!("hi {all}!")), wanted);
    // Inside of a finding nothing is left, and no word is cut.
    let detector = compiled(words(&[("mail", 0, 0.99), ("m@mail.exam", 0, 0.99)]), &Options::default());
    assert_eq!(found(&detector, "ann.m@mail.example"), ["email:ann.m@mail.example"]);
    let lost: Vec<Outcome> =
        detector.explain("x ann.m@mail.example", Context::default()).into_iter().map(|e| e.outcome).collect();
    assert!(lost.contains(&Outcome::LostTo("email".into(), Because::Priority)), "{lost:?}");
}

#[test]
fn its_findings_are_handled_like_any() {
    let known = [("zorblax", 0, 0.9), ("plonkville", 2, 0.8), ("quimtar", 1, 0.3)];
    let with =
        |options: Options| found(&compiled(words(&known), &options), "zorblax in plonkville by quimtar");
    let both = ["model-person-name:zorblax", "model-location:plonkville"];
    assert_eq!(with(Options::default()), both);
    assert_eq!(with(Options { allow: vec!["ZORBLAX".into()], ..Options::default() }), both[1..]);
    assert_eq!(
        with(Options { disabled: ["model-location".to_owned()].into(), ..Options::default() }),
        both[..1]
    );
    assert_eq!(
        with(Options { thresholds: [("location".to_owned(), 0.85)].into(), ..Options::default() }),
        both[..1]
    );
    let detector =
        compiled(words(&known), &Options { allow: vec!["plonkville".into()], ..Options::default() });
    let explained = detector.explain("zorblax in plonkville by quimtar", Context::default());
    let outcomes: Vec<(&str, &Outcome)> = explained
        .iter()
        .filter(|e| e.why.by == By::Larger)
        .map(|e| (&*e.finding.rule.id, &e.outcome))
        .collect();
    let wanted = [
        ("model-person-name", &Outcome::Reported),
        ("model-location", &Outcome::Allowed),
        ("model-person-name", &Outcome::BelowThreshold),
    ];
    assert_eq!(outcomes, wanted);
}

#[test]
fn labels_and_kinds_that_are_not_there_are_refused() {
    let made = |label: &str, kind: &str| {
        let kinds = [(label.to_owned(), kind.to_owned())].into();
        let larger = Larger { reader: Arc::new(words(&[])), kinds, threshold: 0.5 };
        match Detector::compile_beside(&Detector::builtin_sources(), &Options::default(), &larger) {
            Err(RulesError::Label { label, what }) => format!("{label}: {what}"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(made("GIVEN", "persn_name"), "GIVEN: no recogniser finds a kind `persn_name`");
    assert!(made("B-TOWN", "location").starts_with("B-TOWN: the model has no such label; it has GIVEN"));
}

#[test]
fn the_name_of_a_rule_set_tells_the_model_and_what_is_wanted_of_it() {
    let hash = |reader: Words, threshold: f32| {
        let larger = Larger { threshold, ..larger(reader) };
        let made = Detector::compile_beside(&Detector::builtin_sources(), &Options::default(), &larger);
        made.unwrap().hash().to_string()
    };
    let first = hash(words(&[]), 0.5);
    assert_eq!(first, hash(words(&[]), 0.5));
    assert_ne!(first, hash(Words { hash: 1, ..words(&[]) }, 0.5));
    assert_ne!(first, hash(words(&[]), 0.6));
    assert_ne!(first, Detector::builtin().unwrap().hash().to_string());
}

fn texts(all: &[&str]) -> Vec<Text> {
    all.iter().map(|text| Text { text: Plain::new((*text).to_owned()), before: Before::Nothing }).collect()
}

#[test]
fn what_is_not_read_is_told_and_read_the_next_time() {
    let reader = Arc::new(words(&[("zorblax", 0, 0.9)]));
    let larger = Larger { reader: Arc::clone(&reader) as Arc<dyn Reader>, ..larger(words(&[])) };
    let options = Options { without_names: true, ..Options::default() };
    let detector = Detector::compile_beside(&Detector::builtin_sources(), &options, &larger).unwrap();
    let all = ["zorblax one ann@mail.example", "zorblax two", "zorblax three"];
    let counts = |inspected: &chatward_detect::Inspected| -> Vec<usize> {
        inspected.texts().map(|(_, found)| found.len()).collect()
    };
    // Time for two texts: the last ones. What rules find is found in all.
    let left = AtomicUsize::new(2);
    let time = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
    let inspected = detector.inspect_while(texts(&all), None, &time);
    assert_eq!(
        (counts(&inspected), inspected.unread().late, inspected.unread().failed),
        (vec![1, 1, 1], 1, 0)
    );
    // Those that were read are remembered, however short.
    let inspected = detector.inspect_each(texts(&all), None);
    assert_eq!((counts(&inspected), inspected.unread().is_empty()), (vec![2, 1, 1], true));
    assert_eq!(reader.read.load(Ordering::Relaxed), 3);
    // A failure of the model is none of the rules.
    let inspected = detector.inspect_each(texts(&["zorblax breaks 4111 1111 1111 1111"]), None);
    assert_eq!(counts(&inspected), [1]);
    assert_eq!((inspected.unread().failed, inspected.unread().cause.as_deref()), (1, Some("it broke")));
    let (found, why) = detector.look("zorblax breaks 4111 1111 1111 1111", Context::default());
    assert_eq!((found.len(), why), (1, Some(Unread::Failed("it broke".into()))));
}

/// Says of any stretch whatever it is told.
#[derive(Debug)]
struct Liar {
    labels: Vec<Box<str>>,
    mentions: Vec<Mention>,
}

impl Reader for Liar {
    fn labels(&self) -> &[Box<str>] {
        &self.labels
    }
    fn hash(&self) -> [u8; 32] {
        [0; 32]
    }
    fn read(&self, _: &[&str], _: &dyn Fn() -> bool) -> Vec<Read> {
        vec![Read { mentions: self.mentions.clone(), unread: None }]
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Whatever a model says, findings are sorted, apart and on characters, and those of the rules are all there.
    #[test]
    fn no_model_takes_anything_away(
        bits in prop::collection::vec(prop::sample::select(vec![
            "ann@mail.example", " ", "é", "😀", "4111 1111 1111 1111", "zorb", ", ", "\n", "x", "+1 202 555 0143", "-",
        ]), 0..12),
        mentions in prop::collection::vec((0..80usize, 0..40usize, 0..6usize, 0.0..1.2f32), 0..8),
    ) {
        let text = bits.concat();
        let mentions = mentions.into_iter().map(|(start, length, label, score)| {
            Mention { span: Span::new(start, start + length), label, score }
        });
        let liar = Liar { labels: words(&[]).labels, mentions: mentions.collect() };
        let larger = Larger { reader: Arc::new(liar), ..larger(words(&[])) };
        let options = Options { without_names: true, ..Options::default() };
        let files = Detector::builtin_sources();
        let files: Vec<_> = files.into_iter().filter(|f| ["email.toml", "card.toml", "phone-bare.toml"].contains(&f.name)).collect();
        let kinds = [("PHONE".to_owned(), "email".to_owned()), ("CITY".to_owned(), "email".to_owned())].into();
        let larger = Larger { kinds, ..larger };
        let beside = Detector::compile_beside(&files, &options, &larger).unwrap();
        let alone = Detector::compile(&files, &options).unwrap();
        let (all, rules) = (beside.find(&text, Context::default()), alone.find(&text, Context::default()));
        let mut last = 0;
        for f in &all {
            prop_assert!(last <= f.span.start && !f.span.is_empty() && f.span.of(&text).is_some());
            prop_assert!((0.0..=1.0).contains(&f.score));
            last = f.span.end;
        }
        let kept: Vec<_> = all.iter().filter(|f| !f.rule.id.starts_with("model-")).cloned().collect();
        prop_assert_eq!(kept, rules);
    }
}
