//! Addresses in answers that arrive in pieces: the same for every cutting, and nothing of the whole is missed.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests fail as tests do; the lints know only functions marked as tests"
)]

use std::sync::{Arc, LazyLock};

use chatward_detect::link::{Judge, JudgedLink, LINK_HOLD, LinkOut, LinkWindow, Settings};
use chatward_message::{Channel, Span};
use proptest::prelude::*;

static JUDGE: LazyLock<Arc<Judge>> = LazyLock::new(|| {
    let settings = Settings {
        allowed: vec!["img.example.net".into()],
        own: vec!["acme-widgets.com".into()],
        ..Settings::default()
    };
    Arc::new(Judge::new(&settings).unwrap())
});

/// What came out: text with what was found taken out, the whole text, and places and ids of what was found.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    kept: String,
    whole: String,
    found: Vec<(Span, Vec<String>, bool)>,
}

impl Outcome {
    fn take(&mut self, out: &LinkOut<'_>) {
        let ids = |judged: &JudgedLink| judged.signs.iter().map(|sign| sign.info.id.to_string()).collect();
        match out {
            LinkOut::Text(text) => {
                self.kept.push_str(text);
                self.whole.push_str(text);
            }
            LinkOut::Found(judged, text) => {
                self.found.push((judged.link.target, ids(judged), false));
                self.whole.push_str(text);
            }
            LinkOut::LongStart(judged, text) => {
                self.found.push((judged.link.target, ids(judged), true));
                self.whole.push_str(text);
            }
            LinkOut::LongMore(text) => self.whole.push_str(text),
            LinkOut::LongEnd => {}
        }
    }
}

fn outcome<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Outcome {
    let mut window = LinkWindow::new(Arc::clone(&JUDGE), Channel::Bot, &["anna smith"]);
    let mut outcome = Outcome::default();
    for piece in pieces {
        window.push(piece, &mut |out| outcome.take(&out));
        assert!(window.held() <= LINK_HOLD, "{}", window.held());
    }
    window.finish(&mut |out| outcome.take(&out));
    assert_eq!(window.held(), 0);
    outcome
}

fn kept(text: &str) -> String {
    let outcome = outcome([text]);
    assert_eq!(outcome.whole, text);
    outcome.kept
}

#[test]
fn what_carries_data_away_is_taken_out() {
    for (text, left) in [
        ("a ![x](https://evil.net/i.png) b", "a ![x]() b"),
        ("a ![the alt text](https://evil.net/i.png \"title\") b", "a ![the alt text]( \"title\") b"),
        ("a ![x](\nhttps://evil.net/i.png) b", "a ![x](\n) b"),
        ("<img width=3 src=\"https://evil.net/i.png\" alt='x y'>", "<img width=3 src=\"\" alt='x y'>"),
        ("<img src = https://evil.net/i.png>", "<img src = >"),
        ("![x][r] and\n\n[r]: https://evil.net/i.png\nso", "![x][r] and\n\n[r]: \nso"),
        ("see https://evil.net/?d=[PERSON_1], ok", "see , ok"),
        ("![x](//evil.net/i.png)", "![x]()"),
        ("[paypal.com](https://evil.net/)", "[paypal.com]()"),
        ("[go to paypal.com now](https://evil.net/)", "[go to paypal.com now]()"),
        ("[x](javascript:alert(1))", "[x]()"),
    ] {
        assert_eq!(kept(text), left);
    }
    for text in [
        "See https://example.com/help, or ![logo](https://img.example.net/a.png).",
        "no address at all",
        "a.b and c:d / e",
        "[our page](https://www.acme-widgets.com/x)",
        "https://en.wikipedia.org/wiki/A_(b) 中文。",
    ] {
        assert_eq!(kept(text), text);
    }
}

#[test]
fn long_addresses_are_hidden_from_their_first_byte_to_their_end() {
    let long = format!("https://evil.net/{}", "QUJD".repeat(400));
    let text = format!("a ![x]({long}) b {long} c");
    let outcome = outcome([text.as_str()]);
    assert_eq!(outcome.kept, "a ![x]() b  c");
    assert_eq!(outcome.whole, text);
    assert!(outcome.found.iter().all(|(_, _, long)| *long));
    let allowed = format!("![x](https://img.example.net/{}) b", "a/".repeat(400));
    assert_eq!(kept(&allowed), allowed);
}

#[test]
fn words_that_do_not_end_go_on() {
    for unit in ["a", "aB3", ".", "中", "a.", "://", "![](", "<"] {
        let text = unit.repeat(5000);
        assert_eq!(outcome([text.as_str()]).whole, text);
    }
    let hidden = format!("{}![x](https://evil.net/i.png)", "z".repeat(1000));
    assert_eq!(kept(&hidden), format!("{}![x]()", "z".repeat(1000)));
}

#[test]
fn a_pause_gives_out_words_and_changes_nothing_else() {
    let mut window = LinkWindow::new(Arc::clone(&JUDGE), Channel::Bot, &[]);
    let mut outcome = Outcome::default();
    window.push("Hello", &mut |out| outcome.take(&out));
    assert_eq!(outcome.kept, "");
    window.pause(&mut |out| outcome.take(&out));
    assert_eq!(outcome.kept, "Hello");
    window.push(" https", &mut |out| outcome.take(&out));
    window.pause(&mut |out| outcome.take(&out));
    window.push("://evil.net/?d=[PERSON_1] x", &mut |out| outcome.take(&out));
    window.finish(&mut |out| outcome.take(&out));
    assert_eq!(outcome.whole, "Hello https://evil.net/?d=[PERSON_1] x");
    assert_eq!(outcome.found.len(), 1);
}

const PIECES: &[&str] = &[
    "Hello",
    " ",
    "\n",
    ", ",
    "![",
    "![alt text](",
    "[",
    "](",
    ")",
    "(",
    "]",
    "https://evil.net/i.png",
    "https://evil.net/?d=[PERSON_1]",
    "//evil.net/x",
    "evil.net/x",
    "paypal.com",
    "<img src=",
    "<img src=\"",
    "<a href='",
    "\"",
    "'",
    ">",
    "</a>",
    "<b>",
    "[r]: ",
    "![x][r]",
    "https://img.example.net/a",
    "javascript:x",
    "中文",
    "。",
    "é",
    "\u{200B}",
    "hxxp://evil[.]net",
    "a@evil.net",
    "&amp;",
    "data:text/html,x",
    "url(https://evil.net/b)",
    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo",
    "=",
    "?",
    "!",
    " src=",
    "\n\n",
    "\\",
    ":",
];

/// A text and where it is cut.
fn cut_text() -> impl Strategy<Value = (String, Vec<usize>)> {
    let text =
        proptest::collection::vec(proptest::sample::select(PIECES), 0..30).prop_map(|pieces| pieces.concat());
    (text, proptest::collection::vec(1_usize..12, 0..60))
}

fn pieces<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let (mut out, mut at) = (Vec::new(), 0);
    for length in cuts {
        let mut end = (at + length).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        out.push(&text[at..end]);
        at = end;
    }
    out.push(&text[at..]);
    out
}

proptest! {
    #[test]
    fn every_cutting_gives_the_same((text, cuts) in cut_text()) {
        let whole = outcome([text.as_str()]);
        prop_assert_eq!(&whole.whole, &text);
        prop_assert_eq!(outcome(pieces(&text, &cuts)), whole);
    }

    #[test]
    fn every_cutting_of_any_text_gives_the_same(text in "\\PC{0,400}", cuts in proptest::collection::vec(1_usize..40, 0..40)) {
        let whole = outcome([text.as_str()]);
        prop_assert_eq!(&whole.whole, &text);
        prop_assert_eq!(outcome(pieces(&text, &cuts)), whole);
    }

    #[test]
    fn what_loads_in_the_whole_is_found_in_the_stream(
        before in "[a-z ]{0,12}", alt in "[a-z ]{0,12}", host in "[a-z]{4,8}", path in "(/[a-zA-Z0-9]{1,90}){0,3}", title in "( \"[a-z ]{0,8}\")?",
        form in 0_usize..6,
    ) {
        let url = format!("https://{host}.net{path}");
        let text = match form {
            0 => format!("{before} ![{alt}]({url}{title}) {alt}"),
            1 => format!("{before} <img alt=\"{alt}\" src=\"{url}\"> {alt}"),
            2 => format!("{before} <p style=\"background:url({url})\"> {alt}"),
            3 => format!("{before} [![{alt}]({url})](https://img.example.net) {alt}"),
            4 => format!("{before} ![{alt}][r]\n\n[r]: {url}{title}\n {alt}"),
            _ => format!("{before} <iframe src={url}></iframe> {alt}"),
        };
        let judged = JUDGE.text(&text, Channel::Bot, &[]);
        let loads: Vec<_> = judged.links.iter().filter(|link| link.link.loads && !link.allowed).collect();
        prop_assert!(!loads.is_empty(), "{}", text);
        let stream = outcome([text.as_str()]);
        for link in loads {
            let found = stream.found.iter().any(|(span, ids, _)| {
                span.overlaps(link.link.target) && ids.iter().any(|id| id == "link.loads-from-elsewhere")
            });
            prop_assert!(found, "{} {:?}", text, stream);
        }
        prop_assert!(!stream.kept.contains(&url), "{}", text);
    }
}
