//! Names, places and addresses as the tagger finds them: in whole texts, in streams, after a question.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chatward_detect::{Context, Detector, HOLD, Options, Out, Window};
use chatward_message::Span;
use proptest::prelude::*;

static DETECTOR: LazyLock<Arc<Detector>> = LazyLock::new(|| compiled(&Options::default()));

fn compiled(options: &Options) -> Arc<Detector> {
    let detector = Detector::compile(&Detector::builtin_sources(), options);
    Arc::new(detector.unwrap_or_else(|e| panic!("{e:?}")))
}

/// What was found, as `ENTITY:text`.
fn found_by(detector: &Detector, text: &str, previous: Option<&str>) -> Vec<String> {
    let found = detector.find(text, Context { previous, lang: None });
    found.iter().map(|f| format!("{}:{}", f.rule.entity, f.span.of(text).unwrap())).collect()
}

fn found(text: &str) -> Vec<String> {
    found_by(&DETECTOR, text, None)
}

#[test]
fn people_places_and_streets_are_found_however_they_are_typed() {
    let wanted = ["PERSON:sarah jones", "ADDRESS:12 oak st springfield"];
    assert_eq!(found("hi im sarah jones i live at 12 oak st springfield"), wanted);
    let upper: Vec<String> = found("HI IM SARAH JONES I LIVE AT 12 OAK ST SPRINGFIELD");
    assert_eq!(upper.first().unwrap(), "PERSON:SARAH JONES");
    assert!(found("Hello, my name is Katarzyna Nowak and I moved to Berlin.").len() >= 2);
    assert_eq!(found("where is my order? it should have arrived yesterday"), [""; 0]);
    assert_eq!(found("can you reset the password for me please"), [""; 0]);
    // A state in two small letters is one only beside a place.
    assert_eq!(found("thanks, ok"), [""; 0]);
    assert_eq!(found("write to ann@mail.example, ok"), ["EMAIL:ann@mail.example"]);
    for (text, who) in [
        ("ich heiße jürgen müller und meine karte ist weg", "PERSON:jürgen müller"),
        ("bonjour, je suis amélie laurent", "PERSON:amélie laurent"),
        ("hola soy maría garcía", "PERSON:maría garcía"),
        ("ciao sono giulia bianchi", "PERSON:giulia bianchi"),
        ("hallo ik ben sanne de vries", "PERSON:sanne de vries"),
        ("oi, meu nome é joão silva", "PERSON:joão silva"),
    ] {
        assert!(found(text).iter().any(|f| f == who), "{text}: {:?}", found(text));
    }
}

#[test]
fn where_rules_alone_look_no_name_is_found_and_nothing_waits_for_one() {
    let pieces = ["Hello ", "Sarah ", "Jones, ", "your card ", "4111 1111 1111 1111 ", "is blocked."];
    let look = |mut window: Window| {
        let (mut kinds, mut held) = (Vec::new(), Vec::new());
        // A window is as new after its end.
        for _ in 0..2 {
            let mut sink = |out: Out<'_>| {
                if let Out::Found(finding, _) = out {
                    kinds.push(finding.rule.entity.to_string());
                }
            };
            for piece in pieces {
                window.push(piece, &mut sink);
                held.push(window.held());
            }
            window.finish(&mut sink);
        }
        (kinds, held)
    };
    let (kinds, alone) = look(Window::of_rules(Arc::clone(&DETECTOR), Context::default()));
    assert_eq!(kinds, ["CREDIT_CARD", "CREDIT_CARD"]);
    let (kinds, both) = look(Window::new(Arc::clone(&DETECTOR), Context::default()));
    assert_eq!(kinds, ["PERSON", "CREDIT_CARD", "PERSON", "CREDIT_CARD"]);
    let less = alone.iter().zip(&both).all(|(alone, both)| alone <= both);
    assert!(less && alone != both, "{alone:?} {both:?}");
}

#[test]
fn what_was_asked_before_decides_about_a_bare_word() {
    let asked = |text: &str, question: &str| found_by(&DETECTOR, text, Some(question));
    for word in ["austin", "jordan", "victoria"] {
        assert_eq!(asked(word, "Thanks! What is your name?"), [format!("PERSON:{word}")]);
        assert_eq!(asked(word, "Which city do you live in?"), [format!("LOCATION:{word}")]);
    }
    assert_eq!(asked("yes", "Is that your name?"), [""; 0]);
}

#[test]
fn names_can_be_left_alone_and_have_kinds_like_any_finding() {
    let text = "my sister Emma Watkins lives in Toronto";
    let all = found(text);
    assert_eq!(all, ["PERSON:Emma Watkins", "LOCATION:Toronto"]);
    let with = |options: Options| found_by(&compiled(&options), text, None);
    assert_eq!(with(Options { without_names: true, ..Options::default() }), [""; 0]);
    let disabled = ["names-place".to_owned()].into();
    assert_eq!(with(Options { disabled, ..Options::default() }), all[..1]);
    let thresholds = [("person_name".to_owned(), 1.0)].into();
    assert_eq!(with(Options { thresholds, ..Options::default() }), all[1..]);
    let allow = vec!["emma watkins".to_owned()];
    assert_eq!(with(Options { allow, ..Options::default() }), all[1..]);
}

#[test]
fn the_name_of_a_rule_set_tells_its_model() {
    let off = compiled(&Options { without_names: true, ..Options::default() });
    assert_ne!(off.hash(), DETECTOR.hash());
    let mut model = include_bytes!("../../../models/names.bin").to_vec();
    let known = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &model[40..]);
    assert_eq!(known.as_ref(), &model[8..40], "the file is what was trained");
    model[8] ^= 1;
    let other =
        Detector::compile_with(&Detector::builtin_sources(), &Options::default(), model.clone().leak())
            .unwrap();
    assert_ne!(other.hash(), DETECTOR.hash());
    model.truncate(1000);
    assert!(Detector::compile_with(&[], &Options::default(), model.leak()).is_err());
}

/// Everything a window gives out for these pieces: text, findings, the most that was held.
fn streamed(pieces: &[&str], previous: Option<&str>) -> (String, Vec<(Span, String)>, usize) {
    let mut window = DETECTOR.window(Context { previous, lang: None });
    let (mut text, mut found, mut most) = (String::new(), Vec::new(), 0);
    let mut sink = |out: Out<'_>| match out {
        Out::Text(t) | Out::LongMore(t) | Out::LongStart(_, t) => text.push_str(t),
        Out::Found(f, t) => {
            assert_eq!((f.span.start, f.span.len()), (text.len(), t.len()));
            text.push_str(t);
            found.push((f.span, f.rule.id.to_string()));
        }
        Out::LongEnd(f) => found.push((f.span, f.rule.id.to_string())),
    };
    for piece in pieces {
        window.push(piece, &mut sink);
        most = most.max(window.held());
    }
    window.finish(&mut sink);
    (text, found, most)
}

#[test]
fn plain_words_flow_two_words_later() {
    let mut window = DETECTOR.window(Context::default());
    let text = "thank you for waiting, the parcel left our house on monday and will be with you soon ";
    let (mut most, mut sum) = (0, 0);
    for c in text.chars() {
        window.push(c.encode_utf8(&mut [0; 4]), &mut |_| {});
        most = most.max(window.held());
        sum += window.held();
    }
    assert!(
        most <= 96 && sum / text.len() <= 32,
        "at most {most}, on average {} bytes held",
        sum / text.len()
    );
}

/// Bits of chat in which names begin, go on and end, and what could hide where they do.
fn bits() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "hi im ", "my name is ", "sarah", "Jones", "JOHN", " van der ", "o'brien", "Dr. ", "müller", "12 oak st ", "Springfield",
        "IL 62701", "10115 Berlin", "i live at ", "in ", "Paris", " and ", ", ", ". ", " ", " ", " ", "\n", "\n\n", "  ", "         ", "-",
        "'s", "4111 1111 1111 1111", "joe@example.com", "ssn 8500", "x", "é", "ß", "номер", "卡号", "😀", "\u{200B}", "\u{1A}", "....",
        "the quick brown fox ", "where is my order", "Procter & Gamble", "St. Louis", "new york", "_", "acme gmbh",
        "\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}\u{200B}",
        "donaudampfschifffahrtsgesellschaftsstrasse", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "anna maria josefa katharina elisabeth theresia magdalena ",
        // A gap that is longer than anything may wait.
        "                                                                                                    ",
    ]).prop_map(str::to_owned);
    prop_oneof![10 => fixed, 1 => "[ -~]{1,12}", 1 => "\\PC{1,4}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_finds_the_names_of_the_whole(
        bits in prop::collection::vec(bits(), 0..40),
        cuts in prop_oneof![prop::collection::vec(any::<u16>(), 0..12), prop::collection::vec(any::<u16>(), 200..400)],
        previous in prop::option::of(Just("what is your name?")),
    ) {
        let text = bits.concat();
        let whole: Vec<(Span, String)> = DETECTOR
            .find(&text, Context { previous, lang: None })
            .into_iter()
            .map(|f| (f.span, f.rule.id.to_string()))
            .collect();
        let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
        let mut at: Vec<usize> =
            cuts.iter().filter_map(|c| places.get(usize::from(*c) % places.len().max(1))).copied().collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let pieces: Vec<&str> = at.windows(2).map(|w| &text[w[0]..w[1]]).collect();
        let (given, found, most) = streamed(&pieces, previous);
        prop_assert_eq!(&given, &text);
        prop_assert_eq!(found, whole);
        prop_assert!(most <= HOLD, "held {}", most);
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
fn long_texts_take_linear_time() {
    for bit in [
        "john smith ",
        "a",
        "a ",
        "A.",
        "anna-",
        "12 oak st ",
        "\u{200B}a",
        "é",
        "....",
        "\n",
        "x\n",
        "         ",
    ] {
        let time = |bytes: usize| {
            let text = bit.repeat(bytes / bit.len());
            DETECTOR.find(&text, Context::default());
            let begin = busy();
            DETECTOR.find(&text, Context::default());
            busy().saturating_sub(begin).max(Duration::from_millis(10))
        };
        let (small, large) = (time(20_000), time(160_000));
        assert!(large < small * 24, "{bit:?}: {small:?} → {large:?}");
    }
}
