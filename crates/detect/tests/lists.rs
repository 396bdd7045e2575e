//! Lists of phrases in rules: in whole texts, in streams, large, and under attack.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chatward_detect::{
    Context, Denied, Detector, HOLD, Lists, Options, Out, PhraseCollector, Phrases, RuleSource,
    rules_check_with,
};
use chatward_message::Span;
use proptest::prelude::*;

const STAFF: &str = r#"
id = "staff"
kind = "staff_name"
entity = "PERSON"
class = "identity"
label = "STAFF"
description = "Who works here"
source = "the house"
words_file = "staff.txt"
words_score = 0.8
[context]
against = ["order"]
penalty = 0.5
[[example]]
text = "ask «Ann Lee» now"
[[near_miss]]
text = "Anna Leeds"
"#;

const NAMES: [&str; 9] =
    ["Ann Lee", "ann lee smith", "ann", "Zoë", "O'Neil-Smith", "jo", "C++ team", "Lee Smith Jones", "@house"];

fn list(phrases: &[&str], exact_case: bool) -> Arc<Phrases> {
    let mut all = PhraseCollector::new(exact_case);
    for phrase in phrases {
        all.add(phrase).unwrap();
    }
    Arc::new(all.finish().unwrap())
}

fn compiled(phrases: Arc<Phrases>) -> Arc<Detector> {
    let words: Lists = [("staff.toml".to_owned(), phrases)].into();
    let options = Options { without_names: true, words, ..Options::default() };
    let rules = [RuleSource { name: "staff.toml", text: STAFF }];
    Arc::new(Detector::compile(&rules, &options).unwrap_or_else(|e| panic!("{e:?}")))
}

static DETECTOR: LazyLock<Arc<Detector>> = LazyLock::new(|| compiled(list(&NAMES, false)));

fn found(text: &str) -> Vec<&str> {
    DETECTOR.find(text, Context::default()).iter().map(|f| f.span.of(text).unwrap()).collect()
}

#[test]
fn the_longest_phrase_between_word_boundaries_is_found_in_any_case() {
    assert_eq!(found("Ask ANN LEE, or ann."), ["ANN LEE", "ann"]);
    assert_eq!(found("ann lee smith and ann lee smithson"), ["ann lee smith", "ann lee"]);
    assert_eq!(found("anna lee, joan, @jo, x_jo"), ["jo"]);
    assert_eq!(found("zoe Zoë ＺＯＥ z\u{200B}oe"), ["zoe", "Zoë", "ＺＯＥ", "z\u{200B}oe"]);
    assert_eq!(found("o’neil-smith of the c++ team @House"), ["o’neil-smith", "c++ team", "@House"]);
    assert_eq!(found("ann \n\t lee"), ["ann \n\t lee"]);
    assert_eq!(found("ann"), ["ann"]);
    assert_eq!(found(""), [""; 0]);
}

#[test]
fn a_rule_with_a_list_has_context_examples_and_a_score_like_any_other() {
    // 0.8 less 0.5 is below the threshold.
    assert_eq!(found("order ann"), [""; 0]);
    let words: Lists = [("staff.toml".to_owned(), list(&NAMES, false))].into();
    let good = RuleSource { name: "staff.toml", text: STAFF };
    let report = &rules_check_with(&[good], &words)[0];
    assert_eq!((report.faults.as_slice(), report.tried), (&[][..], 2));
    assert!(report.bound.as_ref().unwrap().hostile.iter().any(|text| text == "@house"));
    let wrong = STAFF.replace("Anna Leeds", "Ann Lee");
    let report = &rules_check_with(&[RuleSource { name: "staff.toml", text: &wrong }], &words)[0];
    assert!(report.faults[0].to_string().contains("near_miss[0]"), "{:?}", report.faults);
    let error = Detector::compile(&[good], &Options::default()).unwrap_err().to_string();
    assert!(error.contains("words_file: staff.txt: the list was not given"), "{error}");
}

#[test]
fn case_may_count() {
    let exact = compiled(list(&["Will", "IT"], true));
    let text = "will it work? ask IT, or Will";
    let found: Vec<&str> =
        exact.find(text, Context::default()).iter().map(|f| f.span.of(text).unwrap()).collect();
    assert_eq!(found, ["IT", "Will"]);
}

#[test]
fn the_name_of_a_rule_set_tells_its_lists() {
    let same = compiled(list(&["jo", "ann"], false));
    assert_eq!(same.hash(), compiled(list(&["ANN", "jo"], false)).hash());
    assert_ne!(same.hash(), compiled(list(&["ann"], false)).hash());
    assert_ne!(same.hash(), compiled(list(&["anna", "jo"], false)).hash());
    assert_ne!(same.hash(), compiled(list(&["ann", "jo"], true)).hash());
}

/// A denied list beside all built-in rules and names.
static BUILTIN: LazyLock<Arc<Detector>> = LazyLock::new(|| {
    let deny = vec![Denied { kind: "person_name".to_owned(), words: list(&NAMES, false) }];
    let options = Options { deny, ..Options::default() };
    let detector = Detector::compile(&Detector::builtin_sources(), &options);
    Arc::new(detector.unwrap_or_else(|e| panic!("{e:?}")))
});

#[test]
fn what_is_denied_wins_over_what_rules_find_and_is_certain() {
    let text = "mail jo@house.example or Lee Smith Jones";
    let all = BUILTIN.find(text, Context::default());
    let words: Vec<(&str, f32)> = all.iter().map(|f| (f.span.of(text).unwrap(), f.score)).collect();
    assert_eq!(words[0].0, "jo");
    assert_eq!(words.last().unwrap(), &("Lee Smith Jones", 1.0));
}

fn texts() -> impl Strategy<Value = String> {
    let bits = prop::sample::select(vec![
        "ann",
        "Ann",
        "lee",
        "LEE",
        "smith",
        "jones",
        "zo",
        "ë",
        "e\u{308}",
        "o'neil",
        "-",
        "C++",
        "team",
        "@",
        "house",
        " ",
        " ",
        " ",
        "\n",
        "\t",
        "\u{200B}",
        "\u{A0}",
        ".",
        "order",
        "x",
        "_",
        "😀",
        "joe@example.com",
        "4111111111111111",
        "东京",
        "жук",
        "                                                                                ",
        "\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}",
    ]);
    prop::collection::vec(bits, 0..40).prop_map(|bits| bits.concat())
}

fn streamed(detector: &Arc<Detector>, text: &str, cuts: &[u16]) -> (String, Vec<(Span, String)>, usize) {
    let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
    let mut at: Vec<usize> =
        cuts.iter().filter_map(|c| places.get(usize::from(*c) % places.len().max(1))).copied().collect();
    at.extend([0, text.len()]);
    at.sort_unstable();
    let mut window = detector.window(Context::default());
    let (mut given, mut found, mut held) = (String::new(), Vec::new(), 0);
    let mut sink = |out: Out<'_>| match out {
        Out::Text(text) => given.push_str(text),
        Out::Found(finding, text) => {
            given.push_str(text);
            found.push((finding.span, finding.rule.id.to_string()));
        }
        other => panic!("{other:?}"),
    };
    for pair in at.windows(2) {
        window.push(&text[pair[0]..pair[1]], &mut sink);
        held = held.max(window.held());
    }
    window.finish(&mut sink);
    (given, found, held)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_gives_the_same_as_the_whole(
        text in texts(),
        cuts in prop_oneof![prop::collection::vec(any::<u16>(), 0..12), prop::collection::vec(any::<u16>(), 200..400)],
    ) {
        for detector in [&*DETECTOR, &*BUILTIN] {
            let whole = detector.find(&text, Context::default());
            let whole: Vec<(Span, String)> = whole.iter().map(|f| (f.span, f.rule.id.to_string())).collect();
            let (given, found, held) = streamed(detector, &text, &cuts);
            prop_assert_eq!(&given, &text);
            prop_assert_eq!(found, whole);
            prop_assert!(held <= HOLD, "held {}", held);
        }
    }

    /// Against the plainest way of looking for phrases there is.
    #[test]
    fn it_finds_what_a_plain_search_finds(words in prop::collection::vec(prop::sample::select(vec!["ann", "lee", "smith", "jo", "x"]), 0..30)) {
        let text = words.join(" ");
        let mut plain = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let fits = |name: &&&str| {
                let of: Vec<String> = name.to_lowercase().split(' ').map(str::to_owned).collect();
                words.get(at..at + of.len()).is_some_and(|w| w == of)
            };
            match NAMES.iter().filter(fits).map(|name| name.split(' ').count()).max() {
                Some(length) => {
                    plain.push(words[at..at + length].join(" "));
                    at += length;
                }
                None => at += 1,
            }
        }
        prop_assert_eq!(found(&text), plain);
    }
}

/// Time this thread spent on a processor, where the system tells; others' load does not count then.
fn busy() -> Duration {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next().and_then(|n| n.parse().ok()))
        .map_or_else(|| BEGIN.elapsed(), Duration::from_nanos)
}

#[test]
fn a_list_made_for_it_takes_linear_time_too() {
    let long = "a ".repeat(60);
    let detector = compiled(list(&[long.trim(), &"a".repeat(120), &"-a".repeat(60)], false));
    for bit in ["a ", "a", "-a", "a \u{200B}", "  "] {
        let time = |bytes: usize| {
            let text = bit.repeat(bytes / bit.len());
            detector.find(&text, Context::default());
            let begin = busy();
            detector.find(&text, Context::default());
            busy().saturating_sub(begin).max(Duration::from_millis(5))
        };
        let (small, large) = (time(20_000), time(160_000));
        assert!(large < small * 24, "{bit:?}: {small:?} → {large:?}");
    }
}

#[test]
fn many_phrases_take_little_memory() {
    let mut all = PhraseCollector::new(false);
    for n in 0..100_000_u32 {
        all.add(&format!("Person{} Family{}", n % 1000, n / 7)).unwrap();
    }
    let all = all.finish().unwrap();
    assert_eq!(all.len(), 100_000);
    assert!(all.memory() < 2_000_000, "{}", all.memory());
    let detector = compiled(Arc::new(all));
    let text = "ask person77 family11 or person77 family12 today";
    let found: Vec<&str> =
        detector.find(text, Context::default()).iter().map(|f| f.span.of(text).unwrap()).collect();
    assert_eq!(found, ["person77 family11"]);
}
