use std::sync::LazyLock;

use chatward_detect::{Context, Detector};
use chatward_message::{Class, Kind};
use proptest::prelude::*;

use super::*;
use crate::{Labels, Placeholders, Scope};

static DETECTOR: LazyLock<Arc<Detector>> = LazyLock::new(|| Arc::new(Detector::builtin().unwrap()));

fn rule(label: &str, kind: &str, last_four: bool) -> RuleInfo {
    RuleInfo {
        id: kind.into(),
        kind: Kind::new(kind),
        entity: "OTHER".into(),
        class: Class::Identity,
        label: label.into(),
        last_four,
    }
}

/// A conversation with a person, two e-mails, a card, an awkward value, and a surrogate.
fn restorer() -> Arc<Restorer> {
    let labels = Labels::from_iter(["PERSON", "EMAIL", "CARD", "API_KEY", "NOTE", "IBAN"]);
    let mut table = Placeholders::new(Arc::new(labels));
    table.issue(&rule("PERSON", "person", false), "Anna Schmidt");
    table.issue(&rule("EMAIL", "email", false), "anna@schmidt.example");
    table.issue(&rule("EMAIL", "email", false), "x@y.example");
    table.issue(&rule("CARD", "credit_card", true), "4111 1111 1111 1111");
    table.issue(&rule("NOTE", "note", false), "say \"hi\"\n\\o/");
    let at = table.issue(&rule("PERSON", "person", false), "Bert Brecht");
    table.make_surrogate(at, |_| false);
    table.restorer(Scope::Conversation, |_| true)
}

fn channel(mode: Mode) -> ReplyText {
    let window = DETECTOR.window(Context::default());
    ReplyText::new(restorer(), window, Arc::new(HandlingTable::new()), mode)
}

/// The text a customer gets, what is kept, and the report.
fn stream<'a>(mode: Mode, pieces: impl IntoIterator<Item = &'a str>) -> (String, String, ReplyReport) {
    let (mut reply, mut out) = (channel(mode), String::new());
    for piece in pieces {
        reply.push(piece, &mut out);
        assert!(reply.held() <= 256, "{} bytes held", reply.held());
    }
    reply.finish(&mut out);
    assert_eq!(reply.held(), 0);
    (out, reply.kept().to_owned(), reply.report().clone())
}

fn whole(text: &str) -> String {
    stream(Mode::Text, [text]).0
}

#[test]
fn placeholders_are_restored_and_the_rest_stays() {
    for (text, wanted) in [
        ("Hi [PERSON_1]!", "Hi Anna Schmidt!"),
        ("**[PERSON_1]**'s card", "**Anna Schmidt**'s card"),
        ("[PERSON_1]s", "Anna Schmidts"),
        ("[person 1], [Persons-1], [PERSON\\_1]", "Anna Schmidt, Anna Schmidt, Anna Schmidt"),
        (
            "[CARD_1 ending 1111] [CARD_1] [card 1 ending in 1111]",
            "4111 1111 1111 1111 4111 1111 1111 1111 4111 1111 1111 1111",
        ),
        ("to PERSON_1, XPERSON_1 person_1 PERSON_1x", "to Anna Schmidt, XPERSON_1 person_1 PERSON_1x"),
        ("[[PERSON_1]] [PERSON_1](x)", "[Anna Schmidt] Anna Schmidt(x)"),
        ("[see] [1] [PERSON] [a list, of] é[PERSON_1]é", "[see] [1] [PERSON] [a list, of] éAnna Schmidté"),
    ] {
        assert_eq!(whole(text), wanted);
    }
}

#[test]
fn what_was_not_issued_here_stays_and_is_counted() {
    let text = "[PERSON_7] [IBAN_1] [CARD_1 ending 2222] [EMAIL_3] and [FOO_1] PERSON_9";
    let (out, kept, report) = stream(Mode::Text, [text]);
    assert_eq!((out.as_str(), kept.as_str()), (text, text));
    assert_eq!((report.restored, report.missed), (0, 5));
}

#[test]
fn a_value_that_looks_like_a_placeholder_is_not_restored_again() {
    let mut table = Placeholders::new(Arc::new(Labels::from_iter(["PERSON"])));
    table.issue(&rule("PERSON", "person", false), "Anna");
    table.issue_text("[PERSON_1]");
    let restorer = table.restorer(Scope::Conversation, |_| true);
    let window = DETECTOR.window(Context::default());
    let mut reply = ReplyText::new(restorer, window, Arc::new(HandlingTable::new()), Mode::Text);
    let mut out = String::new();
    reply.push("you wrote [TEXT_1], [PERSON_1]", &mut out);
    reply.finish(&mut out);
    assert_eq!(out, "you wrote [PERSON_1], Anna");
}

#[test]
fn surrogates_are_restored_on_word_boundaries() {
    let restorer = restorer();
    let (surrogate, _) = &restorer.surrogates()[0];
    assert_eq!(
        whole(&format!("Dear {surrogate}, x{surrogate} {surrogate}x")),
        format!("Dear Bert Brecht, x{surrogate} {surrogate}x")
    );
}

#[test]
fn what_the_bot_invents_is_handled_and_kept_without_it() {
    let text = "Use card 4242 4242 4242 4242, [PERSON_1].";
    let (out, kept, report) = stream(Mode::Text, [text]);
    assert_eq!(out, "Use card **** **** **** 4242, Anna Schmidt.");
    assert_eq!(kept, "Use card **** **** **** 4242, [PERSON_1].");
    assert_eq!((report.restored, report.counts.len()), (1, 1));
}

#[test]
fn arguments_stay_json_and_values_are_escaped() {
    let text = r#"{"who":"[PERSON_1]","note":"\u0041 [NOTE_1]\n","card":4242424242424242,"c":"4242424242424242","bare":[NOTE_1]}"#;
    let (out, kept, report) = stream(Mode::Json, [text]);
    let wanted = r#"{"who":"Anna Schmidt","note":"\u0041 say \"hi\"\n\\o/\n","card":"************4242","c":"************4242","bare":"say \"hi\"\n\\o/"}"#;
    assert_eq!(out, wanted);
    assert!(kept.contains("[PERSON_1]") && !kept.contains("42424242") && !kept.contains("Anna"));
    assert_eq!(report.restored, 3);
}

#[test]
fn a_finding_written_with_escapes_is_found_and_the_escape_before_it_is_whole() {
    let text = r#"{"a":"x\n4242 4242 \u0034242 4242"}"#;
    assert_eq!(stream(Mode::Json, [text]).0, r#"{"a":"x\n**** **** **** 4242"}"#);
}

#[test]
fn endless_streams_take_bounded_memory() {
    let mut reply = channel(Mode::Json);
    let mut out = String::new();
    for _ in 0..60_000 {
        reply.push("{\"a\": \"some words \\n [", &mut out);
        out.clear();
        assert!(reply.held() <= 256 && reply.desk.marks.len() <= 512);
    }
    assert!(reply.kept().len() <= KEPT_MAX && reply.report().kept_cut);
}

/// Texts made of words, values, placeholders in all forms and their fragments.
fn texts() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        3 => "[ -~]{0,12}",
        1 => "[ a-zé€😀\\n]{0,10}",
        3 => prop::sample::select(vec![
            "[PERSON_1]", "[person 1]s", "[CARD_1 ending 1111]", "[card\\_1 ending in 1111]", "PERSON_1", "EMAIL\\_2", "[EMAIL_9]",
            "[NOTE_1]", "[TEXT_1]", "[[", "[PERSON", "_1]", " ending ", "API_", "[API KEY 1]", "**", "Robin Tester",
        ]).prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            "4242 4242 4242 4242", "bob@example.org", " password: hunter22! ", "192.168.1.7", "DE89 3704 0044 0532 0130 00",
            "+1 202 555 0143", "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD", " my SSN is 536-90-4399 ", "\u{200b}",
            "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----", " cvv 123 ",
            "\\n", "\\u0041", "\"", "{\"a\":", "\\ud83d\\ude00", "\\",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(parts, 0..10).prop_map(|parts| parts.concat())
}

fn cut<'a>(text: &'a str, sizes: &[usize]) -> Vec<&'a str> {
    let (mut pieces, mut rest, mut sizes) = (Vec::new(), text, sizes.iter().cycle());
    while !rest.is_empty() {
        let mut size = (*sizes.next().unwrap()).clamp(1, rest.len());
        while !rest.is_char_boundary(size) {
            size += 1;
        }
        let (piece, after) = rest.split_at(size);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

proptest! {
    #[test]
    fn every_cutting_gives_the_same(
        text in texts(),
        sizes in prop::collection::vec(1usize..24, 1..6),
        json in any::<bool>(),
    ) {
        let mode = if json { Mode::Json } else { Mode::Text };
        let all = stream(mode, [text.as_str()]);
        prop_assert_eq!(&stream(mode, cut(&text, &sizes)), &all);
        prop_assert_eq!(&stream(mode, cut(&text, &[1])), &all);
    }
}

/// The same in pieces, after some of which nothing comes for a while.
fn halting(mode: Mode, pieces: &[(&str, bool)], table: &HandlingTable) -> (String, String, ReplyReport) {
    let heeded = Heeded::new(Arc::clone(&DETECTOR), |rule| changes_answers(table, rule));
    let window = DETECTOR.window(Context::default());
    let (mut reply, mut out) =
        (ReplyText::new(restorer(), window, Arc::new(table.clone()), mode), String::new());
    for (piece, pause) in pieces {
        reply.push(piece, &mut out);
        let before = reply.held();
        if *pause {
            reply.pause(&heeded, &mut out);
        }
        assert!(reply.held() <= before);
    }
    reply.finish(&mut out);
    (out, reply.kept().to_owned(), reply.report().clone())
}

#[test]
fn a_pause_shows_the_last_word_and_no_part_of_a_value_or_placeholder() {
    let heeded = Heeded::new(Arc::clone(&DETECTOR), |rule| changes_answers(&HandlingTable::new(), rule));
    for (text, shown) in [
        ("Please write to my house", "Please write to my "),
        ("Your card 4242 4242", "Your "),
        ("Oh hi [PERS", "Oh hi "),
        ("Dear [PERSON_1]", "Dear Anna Schmidt"),
    ] {
        let window = Window::of_rules(Arc::clone(&DETECTOR), Context::default());
        let mut reply = ReplyText::new(restorer(), window, Arc::new(HandlingTable::new()), Mode::Text);
        let mut out = String::new();
        reply.push(text, &mut out);
        reply.pause(&heeded, &mut out);
        assert_eq!(out, shown);
    }
}

proptest! {
    #[test]
    fn pauses_change_nothing_in_the_end(
        text in texts(),
        sizes in prop::collection::vec(1usize..24, 1..6),
        pauses in prop::collection::vec(any::<bool>(), 1..40),
        json in any::<bool>(),
        strict in any::<bool>(),
    ) {
        let mode = if json { Mode::Json } else { Mode::Text };
        let mut table = HandlingTable::new();
        if strict {
            table.set_class(Class::Identity, Destination::Customer, Operator::Mask).unwrap();
            table.set_class(Class::Interaction, Destination::Kept, Operator::Generalise).unwrap();
        }
        let whole = halting(mode, &[(&text, false)], &table);
        let pieces: Vec<(&str, bool)> = cut(&text, &sizes).into_iter().zip(pauses.into_iter().cycle()).collect();
        prop_assert_eq!(halting(mode, &pieces, &table), whole);
    }
}

proptest! {
    /// Whatever the bot writes into the strings of its arguments, what comes out is JSON again.
    #[test]
    fn json_stays_json(texts in prop::collection::vec(texts(), 1..4), number in any::<u64>()) {
        let mut text = String::from("{");
        for (n, value) in texts.iter().enumerate() {
            text.push_str(&format!("\"k{n}\":\""));
            escape(value, &mut text);
            text.push_str("\",");
        }
        text.push_str(&format!("\"n\":{number}}}"));
        let (out, kept, _) = stream(Mode::Json, [text.as_str()]);
        prop_assert!(well_formed(&out), "{out}");
        prop_assert!(well_formed(&kept), "{kept}");
    }
}

/// Strings, numbers and punctuation in the order of one flat object.
fn well_formed(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix('{') else { return false };
    let string = |text: &mut &str| {
        let Some(inside) = text.strip_prefix('"') else { return false };
        let mut escaped = false;
        for (at, c) in inside.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    *text = &inside[at + 1..];
                    return true;
                }
                c if (c as u32) < 0x20 => return false,
                _ => {}
            }
        }
        false
    };
    loop {
        if !string(&mut rest) {
            return false;
        }
        let Some(value) = rest.strip_prefix(':') else { return false };
        rest = value;
        if rest.starts_with('"') {
            if !string(&mut rest) {
                return false;
            }
        } else {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if end == 0 {
                return false;
            }
            rest = &rest[end..];
        }
        match rest.split_at_checked(1) {
            Some((",", after)) => rest = after,
            Some(("}", "")) => return true,
            _ => return false,
        }
    }
}

/// Takes out every word that begins with `bad`, and says stop where `stop` stands in one of its steps of 16 bytes.
#[derive(Default)]
struct Strict {
    seen: String,
    settled: usize,
    looked: usize,
    taken: Vec<std::ops::Range<u64>>,
    stopped: bool,
}

impl Strict {
    fn settle(&mut self, to: usize) {
        while self.settled < to {
            let rest = &self.seen[self.settled..to];
            let word = rest.find(' ').map_or(rest.len(), |at| at + 1);
            if rest.starts_with("bad") {
                let end = rest[..word].trim_end().len();
                self.taken.push(self.settled as u64..(self.settled + end) as u64);
            }
            self.settled += word;
        }
    }
}

impl Watch for Strict {
    fn step(&self) -> usize {
        16 - self.seen.len() % 16
    }

    fn push(&mut self, words: &str) {
        self.seen.push_str(words);
        self.settle(self.seen.rfind(' ').map_or(0, |at| at + 1));
    }

    fn look(&mut self) {
        if self.looked / 16 != self.seen.len() / 16 {
            self.looked = self.seen.len();
            self.stopped = self.seen.contains("stop");
        }
    }

    fn pause(&mut self) {}

    fn finish(&mut self) {
        self.settle(self.seen.len());
        self.stopped |= self.seen.contains("stop");
    }

    fn settled(&self) -> u64 {
        self.settled as u64
    }

    fn taken_out(&self, from: u64) -> Option<std::ops::Range<u64>> {
        self.taken.iter().find(|part| part.end > from).cloned()
    }

    fn is_stopped(&self) -> bool {
        self.stopped
    }
}

fn strictly<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, String, bool) {
    let (mut channel, mut out) = (channel(Mode::Text).watched(Box::new(Strict::default())), String::new());
    for piece in pieces {
        channel.push(piece, &mut out);
        assert!(channel.held() <= 256);
    }
    channel.finish(&mut out);
    (out, channel.kept().to_owned(), channel.is_stopped())
}

#[test]
fn who_watches_may_have_words_taken_out() {
    let (shown, kept, stopped) = strictly(["so bad[PER", "SON_1] it", " is, badly"]);
    assert_eq!(shown, "so [removed] it is, [removed]", "with the values in them");
    assert_eq!(kept, shown);
    assert!(!stopped);
    let (shown, kept, _) = strictly(["to [PERSON_1]: good"]);
    assert_eq!((shown.as_str(), kept.as_str()), ("to Anna Schmidt: good", "to [PERSON_1]: good"));
}

#[test]
fn who_watches_may_stop_it_and_nothing_held_goes_out() {
    let (shown, _, stopped) = strictly(["a word or two, please stop it here and now"]);
    assert!(stopped);
    assert_eq!(shown, "a word or two, ", "what was settled when they looked");
}

proptest! {
    #[test]
    fn every_cutting_is_watched_alike(
        text in prop::collection::vec(prop_oneof![
            4 => texts(), 2 => Just(" bad".to_owned()), 1 => Just(" badges [PERSON_1]".to_owned()),
            1 => Just("stop".to_owned())], 1..6),
        sizes in prop::collection::vec(1usize..24, 1..12),
    ) {
        let text = text.concat();
        // Pieces of the stand-in are never longer than a word of 192 bytes.
        prop_assume!(text.split(' ').all(|word| word.len() < 150));
        prop_assert_eq!(strictly(cut(&text, &sizes)), strictly([text.as_str()]));
    }
}
