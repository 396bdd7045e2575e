//! The engine as its users see it: whole texts, streams, bounds, and the checking of rules.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod rules;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chatward_detect::{
    Allowed, Because, Before, Context, Denied, Detector, HOLD, Heeded, Options, Out, Outcome, Phrases,
    RuleSource, Text, Window, rules_check,
};
use chatward_message::{Class, Plain, RuleInfo, Span};
use proptest::prelude::*;
use rules::RULES;

static DETECTOR: LazyLock<Arc<Detector>> = LazyLock::new(|| compiled(&Options::default()));

/// The rules alone; `tests/names.rs` looks at names.
fn compiled(options: &Options) -> Arc<Detector> {
    let options = Options { without_names: true, ..options.clone() };
    Arc::new(Detector::compile(&sources(), &options).unwrap_or_else(|e| panic!("{e:?}")))
}

fn sources() -> Vec<RuleSource<'static>> {
    RULES.iter().map(|(name, text)| RuleSource { name, text }).collect()
}

/// What was found, as `kind:text`.
fn found(text: &str) -> Vec<String> {
    found_after(text, None)
}

fn found_after(text: &str, previous: Option<&str>) -> Vec<String> {
    let context = Context { previous, lang: None };
    DETECTOR
        .find(text, context)
        .iter()
        .map(|f| format!("{}:{}", f.rule.kind, f.span.of(text).unwrap()))
        .collect()
}

#[test]
fn the_rules_of_this_test_pass_their_own_examples() {
    for report in rules_check(&sources()) {
        assert_eq!(report.faults, [], "{}", report.file);
        assert!(report.tried >= 2);
    }
}

#[test]
fn the_longest_end_whose_check_holds_is_taken() {
    assert_eq!(found("card 4111 1111 1111 1111 12 left"), ["credit_card:4111 1111 1111 1111"]);
    assert_eq!(found("4111111111111112"), [""; 0]);
    assert_eq!(found("x4111111111111111"), [""; 0]);
}

#[test]
fn hidden_values_are_found_at_their_place_in_the_original() {
    for card in [
        "４１１１１１１１１１１１１１１１",
        "4111\u{200B}1111\u{200B}1111\u{200B}1111",
        "4111\u{A0}1111\u{A0}1111\u{A0}1111",
        "٤١١١١١١١١١١١١١١١",
        "4111\u{2011}1111\u{2011}1111\u{2011}1111",
    ] {
        assert_eq!(found(&format!("ça va? {card}, oui")), [format!("credit_card:{card}")]);
    }
    // Cyrillic о and а.
    assert_eq!(found("mail jоhn@exаmple.com now"), ["email:jоhn@exаmple.com"]);
    assert_eq!(found("卡号4111111111111111吗"), ["credit_card:4111111111111111"]);
    assert_eq!(found("é4111111111111111"), [""; 0]);
}

#[test]
fn context_raises_lowers_and_may_be_required() {
    assert_eq!(found("code 123456"), ["one_time_code:123456"]);
    assert_eq!(found("123456"), [""; 0]);
    assert_eq!(found("123456 is the code"), ["one_time_code:123456"]);
    assert_eq!(found("decoder 123456"), [""; 0]);
    assert_eq!(found_after("123456", Some("What is the code?")), ["one_time_code:123456"]);
    assert_eq!(found("code for order 123456"), [""; 0]);
    assert_eq!(found("the code is 123456 order"), [""; 0]);
    let far = format!("code {} 123456", "x ".repeat(60));
    assert_eq!(found(&far), [""; 0]);
    let far = format!("123456 {} code", "x ".repeat(16));
    assert_eq!(found(&far), [""; 0]);
}

#[test]
fn each_inspected_text_has_its_own_context() {
    let text = |text: &str, before| Text { text: Plain::new(text.to_owned()), before };
    let inspected = DETECTOR.inspect_each(
        vec![
            text("123456", Before::Nothing),
            text("What is the code?", Before::Text(0)),
            text("123456", Before::Text(1)),
            text("123456", Before::Text(4)),
            text("123456", Before::Words("order code".into())),
            text("123456", Before::Words("code".into())),
            text("123456", Before::Text(0)),
        ],
        None,
    );
    let counts: Vec<usize> = inspected.texts().map(|(_, found)| found.len()).collect();
    assert_eq!(counts, [0, 0, 1, 0, 0, 1, 0]);
}

#[test]
fn a_lead_in_is_not_part_of_the_value() {
    assert_eq!(found("my password is hunter2!"), ["password:hunter2!"]);
    assert_eq!(found("Password: Correct-Horse ok"), ["password:Correct-Horse"]);
}

#[test]
fn the_better_of_two_wins_and_the_rest_is_free() {
    // The card lies inside the address, which has the higher score.
    assert_eq!(found("4111111111111111@example.com"), ["email:4111111111111111@example.com"]);
    // The password rule starts further left, the address is surer.
    assert_eq!(found("password is joe@example.com"), ["email:joe@example.com"]);
}

#[test]
fn a_long_value_is_taken_to_its_end() {
    let body = "MIIE".repeat(300);
    let key = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----");
    assert_eq!(
        found(&format!("see {key} ok 4111111111111111")),
        [format!("private_key:{key}"), "credit_card:4111111111111111".to_owned(),]
    );
    let open = format!("-----BEGIN PRIVATE KEY-----\n{body} joe@example.com");
    assert_eq!(found(&open), [format!("private_key:{open}")]);
    let token = format!("tok_{}", "a1".repeat(200));
    assert_eq!(
        found(&format!("({token}) joe@example.com")),
        [format!("api_key:{token}"), "email:joe@example.com".to_owned(),]
    );
}

#[test]
fn the_house_has_its_own_wishes() {
    let texts = |options: &Options, text: &str| -> Vec<String> {
        let found = compiled(options).find(text, Context::default());
        found.iter().map(|f| format!("{}:{}", f.rule.kind, f.span.of(text).unwrap())).collect()
    };
    let text = "joe@example.com Project Ünicorn 4111111111111111";
    let all = ["email:joe@example.com", "credit_card:4111111111111111"];
    assert_eq!(texts(&Options::default(), text), all);
    let allow = Options { allow: vec!["JOE@example.com".into()], ..Options::default() };
    assert_eq!(texts(&allow, text), all[1..]);
    let disabled = Options { disabled: ["card".to_owned()].into(), ..Options::default() };
    assert_eq!(texts(&disabled, text), all[..1]);
    let words = |list: &[&str]| Arc::new(Phrases::of(list.iter().copied()).unwrap());
    let denied = |kind: &str, list: &[&str]| Denied { kind: kind.into(), words: words(list) };
    let deny =
        Options { deny: vec![denied("password", &["other", "project ünicorn"])], ..Options::default() };
    assert_eq!(texts(&deny, text), [all[0], "password:Project Ünicorn", all[1]]);
    let allowed = |kind: Option<&str>, values: &[&str], patterns: &[&str]| {
        let values = (!values.is_empty()).then(|| words(values));
        let patterns = patterns.iter().map(|p| (*p).to_owned()).collect();
        let allowed = vec![Allowed { kind: kind.map(str::to_owned), values, patterns }];
        Options { allowed, ..Options::default() }
    };
    assert_eq!(texts(&allowed(Some("email"), &["x@y.z", "Joe@Example.com"], &[]), text), all[1..]);
    assert_eq!(texts(&allowed(Some("credit_card"), &["joe@example.com"], &[]), text), all);
    assert_eq!(texts(&allowed(None, &["4111111111111111"], &[]), text), all[..1]);
    assert_eq!(texts(&allowed(Some("email"), &[], &[r".*@EXAMPLE\.com"]), text), all[1..]);
    assert_eq!(texts(&allowed(Some("email"), &[], &["joe@example"]), text), all);
    let strict = Options { thresholds: [("email".to_owned(), 1.0)].into(), ..Options::default() };
    assert_eq!(texts(&strict, text), all[1..]);
    assert_ne!(compiled(&strict).hash(), DETECTOR.hash());
    let least = |list: &[(&str, f32)]| {
        let thresholds = list.iter().map(|(of, least)| ((*of).to_owned(), *least)).collect();
        texts(&Options { thresholds, ..Options::default() }, text)
    };
    // Of a class, of several, and a kind's before its class's.
    assert_eq!(least(&[("payment", 0.95)]), all[..1]);
    assert_eq!(least(&[("payment", 0.95), ("identity", 1.0)]), [""; 0]);
    assert_eq!(least(&[("payment", 0.95), ("credit_card", 0.2)]), all);
    for wrong in [
        Options { disabled: ["nope".to_owned()].into(), ..Options::default() },
        Options { thresholds: [("nope".to_owned(), 0.1)].into(), ..Options::default() },
        Options { thresholds: [("payment".to_owned(), 1.1)].into(), ..Options::default() },
        Options { deny: vec![denied("nope", &["x"])], ..Options::default() },
        allowed(Some("nope"), &["x"], &[]),
        allowed(None, &[], &["(x"]),
    ] {
        assert!(Detector::compile(&sources(), &wrong).is_err());
    }
}

#[test]
fn what_lost_is_explained() {
    let why = |text: &str| -> Vec<Outcome> {
        DETECTOR.explain(text, Context::default()).into_iter().map(|e| e.outcome).collect()
    };
    assert_eq!(why("4111111111111112"), [Outcome::CheckFailed]);
    assert_eq!(why("123456"), [Outcome::NoContext]);
    assert_eq!(why("code for order 123456"), [Outcome::BelowThreshold]);
    assert!(why("4111111111111111@example.com").contains(&Outcome::Reported));
    assert!(why("4111111111111111@example.com").contains(&Outcome::LostTo("email".into(), Because::Score)));
}

/// Everything a window gives out for these pieces; `None` is a barrier.
struct Given {
    text: String,
    found: Vec<(Span, String)>,
    most_held: usize,
}

fn streamed(pieces: &[Option<&str>], previous: Option<&str>) -> Given {
    streamed_by(&DETECTOR, pieces, previous)
}

fn streamed_by(detector: &Arc<Detector>, pieces: &[Option<&str>], previous: Option<&str>) -> Given {
    let mut window = detector.window(Context { previous, lang: None });
    let mut given = Given { text: String::new(), found: Vec::new(), most_held: 0 };
    let mut open: Option<usize> = None;
    let mut sink = |out: Out<'_>| match out {
        Out::Text(t) => {
            assert!(!t.is_empty() && open.is_none());
            given.text.push_str(t);
        }
        Out::Found(f, t) => {
            assert_eq!((f.span.start, f.span.len()), (given.text.len(), t.len()));
            given.text.push_str(t);
            given.found.push((f.span, f.rule.id.to_string()));
        }
        Out::LongStart(f, t) => {
            assert_eq!((f.span.start, f.span.len()), (given.text.len(), t.len()));
            given.text.push_str(t);
            open = Some(f.span.start);
        }
        Out::LongMore(t) => {
            assert!(!t.is_empty() && open.is_some());
            given.text.push_str(t);
        }
        Out::LongEnd(f) => {
            assert_eq!(open.take(), Some(f.span.start));
            assert_eq!(f.span.end, given.text.len());
            given.found.push((f.span, f.rule.id.to_string()));
        }
    };
    let mut most_held = 0;
    for piece in pieces {
        match piece {
            Some(piece) => window.push(piece, &mut sink),
            None => {
                window.barrier(&mut sink);
                assert_eq!(window.held(), 0);
            }
        }
        most_held = most_held.max(window.held());
    }
    window.finish(&mut sink);
    assert_eq!(window.held(), 0);
    given.most_held = most_held;
    given
}

#[test]
fn plain_words_are_given_out_at_once() {
    for words in ["Thank you ", "Hello, your order will arrive tomorrow. ", "ok\n"] {
        let mut window = DETECTOR.window(Context::default());
        let mut text = String::new();
        for c in words.chars() {
            window.push(c.encode_utf8(&mut [0; 4]), &mut |out| {
                if let Out::Text(t) = out {
                    text.push_str(t);
                }
            });
        }
        assert_eq!(text, words);
        assert_eq!(window.held(), 0);
    }
}

#[test]
fn a_long_value_is_hidden_from_its_first_byte_and_not_held() {
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "QUJD".repeat(2000));
    let mut window = DETECTOR.window(Context::default());
    let mut shown = String::new();
    for c in format!("a {key} b").chars() {
        window.push(c.encode_utf8(&mut [0; 4]), &mut |out| {
            if let Out::Text(t) = out {
                shown.push_str(t);
            }
        });
        assert!(window.held() <= 64, "{}", window.held());
    }
    window.finish(&mut |out| {
        if let Out::Text(t) = out {
            shown.push_str(t);
        }
    });
    assert_eq!(shown, "a  b");
}

#[test]
fn a_barrier_parts_what_would_join() {
    let joined = streamed(&[Some("4111 1111 "), Some("1111 1111")], None);
    assert_eq!(joined.found.len(), 1);
    let parted = streamed(&[Some("4111 1111 "), None, Some("1111 1111")], None);
    assert_eq!(parted.found, []);
    // Words before it still count.
    let context = streamed(&[Some("code "), None, Some(" 123456")], None);
    assert_eq!(context.found.len(), 1);
}

/// Bits of text that meet all the engine's cases.
fn bits() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "4111 1111 1111 1111", "4111111111111111", "４１１１ １１１１ 1111 1111", "4111\u{200B}1111", "5555555555554444", "123456", "12345678",
        "joe@example.com", "joe@", "@example.com", "jоhn@exаmple.com", "password is ", "my password: ", "hunter2", "code", "order",
        " ", " ", " ", "\n", ".", ",", "-", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "-----END", "tok_", "tok_abcdefgh12345678",
        "é", "\u{200B}", "\u{FEFF}", "😀", "ß", "номер", "卡号", "x", "a", "1", "0", "hello", "the quick brown fox ",
        "\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]).prop_map(str::to_owned);
    prop_oneof![8 => fixed, 1 => "[ -~]{1,12}", 1 => "\\PC{1,4}"]
}

fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(bits(), 0..28).prop_map(|b| b.concat())
}

/// Cuts the text at these fractions (in characters) of its length.
fn cut<'a>(text: &'a str, cuts: &[u16]) -> Vec<&'a str> {
    let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
    let mut at: Vec<usize> =
        cuts.iter().filter_map(|c| places.get(usize::from(*c) % places.len().max(1))).copied().collect();
    at.extend([0, text.len()]);
    at.sort_unstable();
    at.windows(2).map(|w| &text[w[0]..w[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_gives_the_same_as_the_whole(
        text in texts(),
        cuts in prop_oneof![prop::collection::vec(any::<u16>(), 0..12), prop::collection::vec(any::<u16>(), 200..400)],
        previous in prop::option::of(Just("what is the code?")),
    ) {
        let whole: Vec<(Span, String)> = DETECTOR
            .find(&text, Context { previous, lang: None })
            .into_iter()
            .map(|f| (f.span, f.rule.id.to_string()))
            .collect();
        let pieces: Vec<Option<&str>> = cut(&text, &cuts).into_iter().map(Some).collect();
        let given = streamed(&pieces, previous);
        prop_assert_eq!(&given.text, &text);
        prop_assert_eq!(given.found, whole);
        prop_assert!(given.most_held <= HOLD, "held {}", given.most_held);
    }

    #[test]
    fn barriers_fall_where_they_are_put_however_the_rest_is_cut(
        parts in prop::collection::vec(texts(), 1..5),
        cuts in prop::collection::vec(any::<u16>(), 0..40),
    ) {
        let mut coarse = Vec::new();
        let mut fine = Vec::new();
        for part in &parts {
            coarse.extend([Some(part.as_str()), None]);
            fine.extend(cut(part, &cuts).into_iter().map(Some));
            fine.push(None);
        }
        let (coarse, fine) = (streamed(&coarse, None), streamed(&fine, None));
        prop_assert_eq!(&coarse.text, &parts.concat());
        prop_assert_eq!(coarse.text, fine.text);
        prop_assert_eq!(&coarse.found, &fine.found);
        let mut edge = 0;
        for part in &parts {
            edge += part.len();
            prop_assert!(coarse.found.iter().all(|(s, _)| s.end <= edge || s.start >= edge));
        }
    }
}

static BUILTIN: LazyLock<Arc<Detector>> =
    LazyLock::new(|| Arc::new(Detector::builtin().unwrap_or_else(|e| panic!("{e:?}"))));

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_gives_the_same_as_the_whole_by_the_built_in_rules(
        text in texts(),
        cuts in prop::collection::vec(any::<u16>(), 0..60),
    ) {
        let whole: Vec<(Span, String)> = BUILTIN
            .find(&text, Context::default())
            .into_iter()
            .map(|f| (f.span, f.rule.id.to_string()))
            .collect();
        let pieces: Vec<Option<&str>> = cut(&text, &cuts).into_iter().map(Some).collect();
        let given = streamed_by(&BUILTIN, &pieces, None);
        prop_assert_eq!(&given.text, &text);
        prop_assert_eq!(given.found, whole);
        prop_assert!(given.most_held <= HOLD, "held {}", given.most_held);
    }
}

/// What a window gives out that is told after some pieces that nothing comes for a while. Of a heeded rule's finding
/// nothing is given out before it is known.
fn paused(pieces: &[(&str, bool)], heeded: &Heeded, is_heeded: &dyn Fn(&RuleInfo) -> bool) -> Given {
    let mut window = BUILTIN.window(Context::default());
    let mut given = Given { text: String::new(), found: Vec::new(), most_held: 0 };
    let mut sink = |out: Out<'_>| match out {
        Out::Text(t) | Out::LongMore(t) => {
            assert!(!t.is_empty());
            given.text.push_str(t);
        }
        Out::Found(f, t) | Out::LongStart(f, t) => {
            if is_heeded(&f.rule) {
                assert_eq!(f.span.start, given.text.len(), "{} was begun in the open", f.rule.id);
            }
            given.text.push_str(t);
            if matches!(out, Out::Found(..)) {
                given.found.push((f.span, f.rule.id.to_string()));
            }
        }
        Out::LongEnd(f) => given.found.push((f.span, f.rule.id.to_string())),
    };
    for (piece, pause) in pieces {
        window.push(piece, &mut sink);
        if *pause {
            window.pause(heeded, &mut sink);
        }
    }
    window.finish(&mut sink);
    given
}

/// The classes whose findings change an answer by default.
fn payment_or_secret(rule: &RuleInfo) -> bool {
    matches!(rule.class, Class::Payment | Class::PaymentNeverKept | Class::Secret)
}

/// What is still held after this text and a pause.
fn held_in_a_pause(detector: &Arc<Detector>, text: &str, is_heeded: fn(&RuleInfo) -> bool) -> String {
    let heeded = Heeded::new(Arc::clone(detector), is_heeded);
    let mut window = Window::of_rules(Arc::clone(detector), Context::default());
    let mut shown = String::new();
    let mut sink = |out: Out<'_>| {
        if let Out::Text(t) | Out::Found(_, t) = out {
            shown.push_str(t);
        }
    };
    window.push(text, &mut sink);
    window.pause(&heeded, &mut sink);
    text.strip_prefix(&*shown).unwrap().to_owned()
}

#[test]
fn a_pause_lets_words_go_and_keeps_what_may_be_a_value() {
    let card: fn(&RuleInfo) -> bool = |rule| &*rule.entity == "CREDIT_CARD";
    let mail: fn(&RuleInfo) -> bool = |rule| &*rule.entity == "EMAIL";
    for (text, is_heeded, held) in [
        ("Good morning, dear customer. How", card, ""),
        ("write to ann@mail.exam", card, ""),
        ("your card 4111 1111 11", card, "card 4111 1111 11"),
        // A word may begin an e-mail address; half a card number may begin none.
        ("Good morning, dear customer. How", mail, "How"),
        ("write to ann@mail.exam", mail, "ann@mail.exam"),
        ("your card 4111 1111 11", mail, "11"),
        // A word may begin a password: "hunter2 is my password".
        ("Good morning, dear customer. How", payment_or_secret, "How"),
        ("Good morning, dear customer. How are", payment_or_secret, "are"),
        ("the IBAN is DE89 3704 00", payment_or_secret, "IBAN is DE89 3704 00"),
        ("your password is hunt", payment_or_secret, "password is hunt"),
        ("-----BEGIN PRIV", payment_or_secret, "-----BEGIN PRIV"),
    ] {
        assert_eq!(held_in_a_pause(&BUILTIN, text, is_heeded), held, "{text}");
    }
    // Rules of another detector let nothing go.
    let (stranger, mut shown) = (Heeded::new(Arc::clone(&DETECTOR), |_| false), String::new());
    let mut window = BUILTIN.window(Context::default());
    window.push("How", &mut |_| {});
    window.pause(&stranger, &mut |_| shown.push('x'));
    assert_eq!((shown.as_str(), window.held()), ("", 3));
}

#[test]
fn a_pause_keeps_what_may_be_a_listed_phrase() {
    let words = Arc::new(Phrases::of(["project green apple"]).unwrap());
    let deny = vec![Denied { kind: "password".into(), words }];
    let options = Options { deny, ..Options::default() };
    let detector = Arc::new(Detector::compile(&Detector::builtin_sources(), &options).unwrap());
    let listed: fn(&RuleInfo) -> bool = |rule| &*rule.id == "denied-password";
    let none: fn(&RuleInfo) -> bool = |_| false;
    for (text, is_heeded, held) in [
        ("about project green app", listed, "project green app"),
        ("about project green pear", listed, ""),
        ("about project green app", none, ""),
    ] {
        assert_eq!(held_in_a_pause(&detector, text, is_heeded), held, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pauses_change_no_finding_and_show_nothing_of_a_heeded_one(
        text in texts(),
        cuts in prop::collection::vec(any::<u16>(), 0..60),
        pauses in prop::collection::vec(any::<bool>(), 64),
        all in any::<bool>(),
    ) {
        let is_heeded = |rule: &RuleInfo| all || payment_or_secret(rule);
        let heeded = Heeded::new(Arc::clone(&BUILTIN), is_heeded);
        let whole: Vec<(Span, String)> = BUILTIN
            .find(&text, Context::default())
            .into_iter()
            .map(|f| (f.span, f.rule.id.to_string()))
            .collect();
        let pieces: Vec<(&str, bool)> = cut(&text, &cuts).into_iter().zip(pauses).collect();
        let given = paused(&pieces, &heeded, &is_heeded);
        prop_assert_eq!(&given.text, &text);
        prop_assert_eq!(given.found, whole);
    }
}

proptest! {
    #[test]
    fn findings_are_sorted_apart_and_on_characters(text in prop_oneof![texts(), "\\PC{0,200}", any::<String>()]) {
        let mut last = 0;
        for f in DETECTOR.find(&text, Context::default()) {
            prop_assert!(last <= f.span.start && !f.span.is_empty());
            prop_assert!(f.span.of(&text).is_some());
            prop_assert!((0.0..=1.0).contains(&f.score));
            last = f.span.end;
        }
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
fn malicious_repeats_take_linear_time() {
    for bit in [
        "1 ",
        "1",
        "4-",
        "a.",
        "a@",
        "aA1",
        "@",
        "-----BEGIN ",
        "password is ",
        "code 123456 ",
        "tok_",
        "4111 1111 1111 1111 ",
        "\u{200B}1",
        "é1",
    ] {
        let time = |bytes: usize| {
            let text = bit.repeat(bytes / bit.len());
            DETECTOR.find(&text, Context::default());
            let begin = busy();
            DETECTOR.find(&text, Context::default());
            busy().saturating_sub(begin).max(Duration::from_millis(5))
        };
        let (small, large) = (time(20_000), time(160_000));
        // The clock ticks in milliseconds. Eight times the text: quadratic would be 64 times.
        assert!(large < small * 24, "{bit:?}: {small:?} → {large:?}");
    }
}
