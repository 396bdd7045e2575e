//! What is explained is what was done.
#![expect(clippy::panic, reason = "helpers of tests are tests")]

use std::sync::{Arc, LazyLock};

use chatward_detect::check::Verdict;
use chatward_detect::{Because, By, Context, Detector, Explained, Heard, Options, Outcome, Place};
use chatward_message::Finding;
use proptest::prelude::*;

static DETECTOR: LazyLock<Arc<Detector>> = LazyLock::new(|| {
    let detector = Detector::compile(&Detector::builtin_sources(), &Options::default());
    Arc::new(detector.unwrap_or_else(|e| panic!("{e:?}")))
});

fn explained(text: &str, previous: Option<&str>) -> Vec<Explained> {
    DETECTOR.explain(text, Context { previous, lang: None })
}

fn reported(all: &[Explained]) -> Vec<Finding> {
    let reported = all.iter().filter(|e| e.outcome == Outcome::Reported);
    let mut reported: Vec<Finding> = reported.map(|e| e.finding.clone()).collect();
    reported.sort_by_key(|f| f.span.start);
    reported
}

#[test]
fn a_check_and_words_are_named_with_what_they_changed() {
    let all = explained("about my social, it goes 219-09-9998", None);
    let ssn = all.iter().find(|e| e.outcome == Outcome::Reported).unwrap();
    assert_eq!(&*ssn.finding.rule.kind.to_string(), "us_ssn");
    assert!(matches!(ssn.why.by, By::Pattern(_)), "{ssn:?}");
    let heard = |e: &Explained, word: &str, place| {
        e.why.words.contains(&Heard { word: word.into(), place, speaks_for: true })
    };
    assert!(heard(ssn, "social", Place::Before), "{:?}", ssn.why.words);
    let evidence = ssn.finding.evidence;
    assert!(evidence.context > 0.0 && evidence.context <= ssn.why.boost + 1e-6, "{evidence:?}");

    let all = explained("card 4111 1111 1111 1111", None);
    let card = all.iter().find(|e| e.outcome == Outcome::Reported).unwrap();
    assert_eq!(card.why.verdict, Some(Verdict::Holds));
    assert_eq!(card.why.checks.iter().map(|c| &**c).collect::<Vec<_>>(), ["card"]);
    assert!(card.finding.evidence.checked);

    let all = explained("219-09-9998", Some("What is your social security number?"));
    assert!(all.iter().any(|e| heard(e, "social security", Place::Previous)), "{all:#?}");
}

#[test]
fn names_tell_their_margin_and_doubts() {
    let of = |text: &str| {
        let all = explained(text, None);
        all.into_iter().find(|e| &*e.finding.rule.id == "names-person").unwrap()
    };
    let By::Tagger { label, margin, doubts } = of("My sister is Emma Watkins.").why.by else { panic!() };
    assert_eq!((label, doubts.len()), ("person", 0));
    assert!(margin > 0.0);
    let odd = of("My colleague Mr. Wblorpt called.");
    let By::Tagger { margin, doubts, .. } = odd.why.by else { panic!() };
    assert!(doubts.iter().any(|(why, off)| why.contains("list") && *off > 0.0), "{doubts:?}");
    // The score is what margin and doubts say.
    let sure = margin - doubts.iter().map(|(_, off)| off).sum::<f32>();
    let score = 0.59 / (1.0 + (-sure).exp());
    assert!((score - odd.finding.evidence.raw()).abs() < 1e-5, "{score} {:?}", odd.finding.evidence);
}

#[test]
fn answers_are_explained_with_those_they_beat() {
    let all = explained("4471", Some("What is your PIN?"));
    let pin = all.iter().find(|e| e.outcome == Outcome::Reported).unwrap();
    assert_eq!((pin.finding.rule.kind.as_str(), &pin.why.by), ("pin", &By::Answer));
    let all = explained("bob@example.com", Some("And your password, please?"));
    let lost = |e: &&Explained| matches!(&e.outcome, Outcome::LostTo(to, Because::Score) if &**to == "email");
    assert!(all.iter().filter(lost).any(|e| e.why.by == By::Answer), "{all:#?}");
}

#[test]
fn a_long_value_is_explained_whole() {
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "QUJD".repeat(100));
    let text = format!("see {key} ok");
    assert_eq!(reported(&explained(&text, None)), DETECTOR.find(&text, Context::default()));
}

fn texts() -> impl Strategy<Value = String> {
    let bits = prop::sample::select(vec![
        "4111 1111 1111 1111",
        "078-05-1120",
        "social security number ",
        "joe@example.com",
        "password is ",
        "hunter2",
        "my card ",
        "order ",
        "code ",
        "123456",
        " ",
        " ",
        ", ",
        "Emma Watkins",
        "sarah jones",
        "12 oak st springfield",
        "GB82 WEST 1234 5698 7654 32",
        "passport ",
        "X1234567",
        "phone ",
        "+44 20 7946 0958",
        "é",
        "\u{200B}",
        "名",
        "4471",
        "and ",
    ]);
    // Bare values are answers.
    let answers =
        prop::sample::select(vec!["4471", "bob@example.com", "219-09-9998", "austin", "4471 and austin"]);
    prop_oneof![
        3 => prop::collection::vec(bits, 0..16).prop_map(|bits| bits.concat()),
        1 => answers.prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_explained_as_reported_is_what_is_found(
        text in texts(),
        previous in prop::option::of(prop::sample::select(vec!["What is your name?", "Your PIN, please?", "What is your social security number?"])),
    ) {
        let all = explained(&text, previous);
        prop_assert_eq!(reported(&all), DETECTOR.find(&text, Context { previous, lang: None }));
        for e in &all {
            let evidence = e.finding.evidence;
            // Words were heard if and only if they changed something, or would have but for the ends of the scale.
            let (up, down) = (e.why.words.iter().any(|w| w.speaks_for), e.why.words.iter().any(|w| !w.speaks_for));
            let by = if up { e.why.boost } else { 0.0 };
            let wanted = (evidence.pattern + by - if down { e.why.penalty } else { 0.0 }).clamp(0.0, 1.0);
            prop_assert!((wanted - evidence.raw()).abs() < 1e-5, "{e:?}");
            match &e.outcome {
                Outcome::Reported => prop_assert!(evidence.raw() >= e.threshold),
                Outcome::BelowThreshold => prop_assert!(evidence.raw() < e.threshold),
                Outcome::CheckFailed => prop_assert_eq!(e.why.verdict, Some(Verdict::Fails)),
                _ => {}
            }
        }
    }
}
