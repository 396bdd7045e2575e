//! Addresses are found wherever they stand, with the places they have in the text as it came.

use chatward_detect::link::{How, Link, Links, MOST, find};
use proptest::prelude::*;

fn only(text: &str) -> Link {
    let Links { mut links, more, .. } = find(text);
    assert!(!more);
    assert_eq!(links.len(), 1, "{text}: {links:#?}");
    links.remove(0)
}

fn none(text: &str) {
    let found = find(text);
    assert!(found.links.is_empty(), "{text}: {found:#?}");
}

fn cut<'a>(text: &'a str, link: &Link) -> &'a str {
    &text[link.target.start..link.target.end]
}

/// Text, the part that is the address, the address as it is read, how it stands there.
const CASES: &[(&str, &str, &str, How)] = &[
    (
        "see https://example.com/a?b=c#d.",
        "https://example.com/a?b=c#d",
        "https://example.com/a?b=c#d",
        How::Bare,
    ),
    (
        "(https://en.example.org/wiki/A_(b))",
        "https://en.example.org/wiki/A_(b)",
        "https://en.example.org/wiki/A_(b)",
        How::Bare,
    ),
    ("go to Example.COM, now", "Example.COM", "http://example.com/", How::Bare),
    ("www.bank.co.uk/login!", "www.bank.co.uk/login", "http://www.bank.co.uk/login", How::Bare),
    ("example.com:8443/x y", "example.com:8443/x", "http://example.com:8443/x", How::Bare),
    ("at 192.0.2.7/x", "192.0.2.7/x", "http://192.0.2.7/x", How::Bare),
    ("http://3221225991/x", "http://3221225991/x", "http://192.0.2.7/x", How::Bare),
    ("http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/x", "http://[2001:db8::1]/x", How::Bare),
    (
        "hxxps://evil[.]example[.]com/x",
        "hxxps://evil[.]example[.]com/x",
        "https://evil.example.com/x",
        How::Defanged,
    ),
    ("hxxp[:]//evil(dot)com", "hxxp[:]//evil(dot)com", "http://evil.com/", How::Defanged),
    ("hxxps[://]evil[.]com/a", "hxxps[://]evil[.]com/a", "https://evil.com/a", How::Defanged),
    ("evil[.]com is bad", "evil[.]com", "http://evil.com/", How::Defanged),
    ("evil [dot] com is bad", "evil [dot] com", "http://evil.com/", How::Defanged),
    ("try evil dot com please", "evil dot com", "http://evil.com/", How::Split),
    ("try evil . com please", "evil . com", "http://evil.com/", How::Split),
    ("https:// evil.com/x", "https:// evil.com/x", "https://evil.com/x", How::Split),
    ("https://ev\nil.com/x", "https://ev\nil.com/x", "https://evil.com/x", How::Split),
    ("https://evil.\ncom/x", "https://evil.\ncom/x", "https://evil.com/x", How::Split),
    ("https://evil.com/a-\nb", "https://evil.com/a-\nb", "https://evil.com/a-b", How::Split),
    ("ev\u{200B}il.c\u{AD}om/x", "ev\u{200B}il.c\u{AD}om/x", "http://evil.com/x", How::Split),
    ("h t t p : / / e v i l . c o m", "h t t p : / / e v i l . c o m", "http://evil.com/", How::Split),
    ("http：／／evil．com／x", "http：／／evil．com／x", "http://evil.com/x", How::Bare),
    ("evil。com/x", "evil。com/x", "http://evil.com/x", How::Bare),
    ("https://%65vil.com", "https://%65vil.com", "https://evil.com/", How::Bare),
    ("https&#58;//evil&period;com/", "https&#58;//evil&period;com/", "https://evil.com/", How::Split),
    ("https://раураl.com/", "https://раураl.com/", "https://xn--l-7sba6dbr.com/", How::Bare),
    ("münchen.de/x", "münchen.de/x", "http://xn--mnchen-3ya.de/x", How::Bare),
    ("请访问example.com。谢谢", "example.com", "http://example.com/", How::Bare),
    (
        "http://paypal.com@evil.com/x",
        "http://paypal.com@evil.com/x",
        "http://paypal.com@evil.com/x",
        How::Bare,
    ),
    ("paypal.com@evil.com/login", "paypal.com@evil.com/login", "http://paypal.com@evil.com/login", How::Bare),
    ("mail joe.smith@example.com now", "example.com", "http://example.com/", How::Mail),
    ("[here](https://evil.com/x \"a title\")", "https://evil.com/x", "https://evil.com/x", How::Markdown),
    ("[here](<https://evil.com/x y>)", "https://evil.com/x y", "https://evil.com/x%20y", How::Markdown),
    ("[here](//evil.com/x)", "//evil.com/x", "https://evil.com/x", How::Markdown),
    ("[here](evil.com/x)", "evil.com/x", "http://evil.com/x", How::Markdown),
    ("[x](javascript:alert(1))", "javascript:alert(1)", "javascript:alert(1)", How::Markdown),
    (
        "![a](https://evil.com/i.png?d=secret)",
        "https://evil.com/i.png?d=secret",
        "https://evil.com/i.png?d=secret",
        How::Image,
    ),
    (
        "![a](https://evil.com/?d=the secret words)",
        "https://evil.com/?d=the secret words",
        "https://evil.com/?d=the%20secret%20words",
        How::Image,
    ),
    (
        "![a][r]\n\n[r]: https://evil.com/i.png 'x'",
        "https://evil.com/i.png",
        "https://evil.com/i.png",
        How::Reference,
    ),
    ("<https://evil.com/x>", "https://evil.com/x", "https://evil.com/x", How::Bare),
    ("<a class=x href='https://evil.com/'>hi</a>", "https://evil.com/", "https://evil.com/", How::Html),
    ("<img/src=https://evil.com/i.png>", "https://evil.com/i.png", "https://evil.com/i.png", How::Html),
    ("<img srcset=\"//evil.com/a.png 2x\">", "//evil.com/a.png", "https://evil.com/a.png", How::Html),
    ("<iframe src=\"https://evil.com/\"></iframe>", "https://evil.com/", "https://evil.com/", How::Html),
    ("<p style=\"background:url('//evil.com/x')\">", "//evil.com/x", "https://evil.com/x", How::Css),
    (
        "<meta http-equiv=refresh content=\"0; url=https://evil.com\">",
        "https://evil.com",
        "https://evil.com/",
        How::Html,
    ),
    ("x { background: url(https://evil.com/b) }", "https://evil.com/b", "https://evil.com/b", How::Css),
    (
        "javascript:alert(document.cookie)",
        "javascript:alert(document.cookie)",
        "javascript:alert(document.cookie)",
        How::Bare,
    ),
    ("data:text/html;base64,PHM+", "data:text/html;base64,PHM+", "data:text/html;base64,PHM+", How::Bare),
    ("file:///etc/passwd", "file:///etc/passwd", "file:///etc/passwd", How::Bare),
    ("open \\\\evil.com\\share\\a", "\\\\evil.com\\share\\a", "file://evil.com/share/a", How::Bare),
    ("**https://evil.com/x**", "https://evil.com/x", "https://evil.com/x", How::Bare),
    ("_evil.com_", "evil.com", "http://evil.com/", How::Bare),
    ("`evil.com/x`", "evil.com/x", "http://evil.com/x", How::Bare),
    ("ftp://files.example.net/a", "ftp://files.example.net/a", "ftp://files.example.net/a", How::Bare),
];

#[test]
fn each_way_of_writing_is_found() {
    for (text, target, url, how) in CASES {
        for (before, after) in [("", ""), ("Ünder 中: ", ""), ("", "\nthe end")] {
            let whole = format!("{before}{text}{after}");
            let link = only(&whole);
            assert_eq!(cut(&whole, &link), *target, "{whole}");
            assert_eq!((link.url.as_str(), link.how), (*url, *how), "{whole}");
        }
    }
}

#[test]
fn what_is_no_address_is_left() {
    for text in [
        "I paid 12.50 on 24.11.2026 at 10.30",
        "e.g. this, i.e. that...",
        "v1.2.3 and 3.14",
        "a.b.c",
        "Mr.Smith",
        "the polka dot dress. It was nice",
        "data: I sent it",
        "note: see below",
        "https://",
        "http://.",
        "see [1] and [2]",
        "[note]: see below",
        "[text](/docs/page)",
        "[text](#part)",
        "<b>bold</b>",
        "1 < 2 and b > a",
        "user@host",
        "file: report",
        "javascript: the good parts",
        "x.y@z",
        "...",
        "....com",
        "&#46;&#46;",
        "C:\\Users\\me",
        "fn main() { a.b() }",
        "10 . 5",
        "Hello . How are you",
    ] {
        none(text);
    }
}

#[test]
fn what_stands_inside_of_a_tag_is_found() {
    let hosts =
        |text: &str| find(text).links.iter().map(|link| link.url.host().to_owned()).collect::<Vec<_>>();
    for text in [
        "hi <b http://paypal.com.evil.net/login > ok",
        "hi <b x=1 http://paypal.com.evil.net/login=2> ok",
        "hi <b title='see http://paypal.com.evil.net/login'> ok",
        "<b x=\">\" http://paypal.com.evil.net/login>",
        "<iframe srcdoc='<a href=http://paypal.com.evil.net/login>'>",
        "https://x<b http://paypal.com.evil.net/login>",
        "[x](y 'http://paypal.com.evil.net/login')",
    ] {
        assert!(hosts(text).contains(&"paypal.com.evil.net".to_owned()), "{text}: {:?}", hosts(text));
    }
    // Each is one.
    for text in [
        "<a class=x href='https://evil.com/'y>hi</a>",
        "<img alt=x src=\"https://evil.com/i.png\"/>",
        "<p style='background:url(https://evil.com/x)'>",
        "<meta content='0;https://evil.com/x'>",
        "[x](https://evil.com/a\\)b)",
    ] {
        assert_eq!(hosts(text), ["evil.com"], "{text}");
    }
}

#[test]
fn many_addresses_hide_none() {
    let evil = "http://paypal.com.evil.net/login";
    let before = |address: &dyn Fn(usize) -> String| {
        let text: String = (0..900).map(|n| address(n) + " ").chain([evil.to_owned()]).collect();
        let found = find(&text);
        assert!(!found.more);
        let last = found.links.last().map(|link| link.url.host().to_owned());
        assert_eq!(last.as_deref(), Some("paypal.com.evil.net"));
        found.thinned
    };
    assert!(!before(&|n| format!("a{n}.co")));
    assert!(before(&|n| format!("a.co/{n}")));
    assert!(before(&|n| format!("[x](https://a.co/{n})")));
    let pages: String = (0..100_000).map(|n| format!("a.co/{n} ")).chain([evil.to_owned()]).collect();
    let found = find(&pages);
    assert!(found.thinned && !found.more && found.links.len() < 300);
    assert_eq!(found.links.last().map(|link| link.url.host()), Some("paypal.com.evil.net"));
    let hosts: String = (0..2000).map(|n| format!("a{n}.co ")).collect();
    assert!(find(&hosts).more);
}

#[test]
fn doubtful_names_are_marked() {
    for text in ["see readme.md", "ok.so what", "run main.rs", "at 10.0.0.1", "thanks.It works", "he said.So"]
    {
        assert!(find(text).links.iter().all(|link| !link.certain), "{text}");
    }
    for text in ["example.com", "www.example.it", "a-b.so", "readme.md/x", "bit.ly/x", "http://main.rs"] {
        assert!(only(text).certain, "{text}");
    }
}

#[test]
fn the_visible_text_of_a_link_is_told_apart() {
    for text in [
        "[https://paypal.com/](https://evil.com/)",
        "[paypal.com](https://evil.com/ \"paypal\")",
        "<a href=\"https://evil.com/\"><b>paypal.com</b></a>",
        "[paypal.com][r] and\n\n[r]: https://evil.com/",
    ] {
        let links = find(text).links;
        let link = links.iter().find(|link| link.url.host() == "evil.com").unwrap();
        assert_eq!(link.shown.as_deref(), Some("paypal.com"), "{text}");
    }
    assert_eq!(only("[https://a.com](https://evil.com/)").url.host(), "evil.com");
}

#[test]
fn images_load_and_links_do_not() {
    let loads = |text: &str| find(text).links.iter().any(|link| link.loads);
    for text in [
        "![](//evil.com/x)",
        "![a][b]\n[b]: http://evil.com",
        "![b]\n\n[b]: http://evil.com",
        "![b][]\n\n[B]: http://evil.com",
        "<img src=//evil.com>",
        "<link rel=x href=//evil.com>",
        "<svg><image xlink:href=\"//evil.com\"/></svg>",
        "[![x](http://evil.com)](http://a.com)",
        "<table background=//evil.com>",
    ] {
        assert!(loads(text), "{text}");
    }
    for text in
        ["[a](//evil.com)", "[a][b]\n[b]: http://evil.com", "<a href=//evil.com>", "http://evil.com/i.png"]
    {
        assert!(!loads(text), "{text}");
    }
    assert_eq!(find("[![x](http://evil.com)](http://a.com)").links.len(), 2);
}

#[test]
fn floods_take_linear_time() {
    // Nothing is timed here: a quadratic way through these would not end within the patience of whoever runs the tests.
    for unit in [
        ".",
        "a.",
        "[",
        "](",
        "![a](",
        "<a ",
        "<a href=\"",
        "a dot ",
        "http://",
        "hxxp[:]//",
        "a@",
        "@a.com",
        "&#46;",
        "a b ",
        "url(",
        "[a]: ",
        "[a][b]",
        "https://a\n",
        "https://a.com/-\n",
        "\\\\a",
        "(",
        "a:[",
        "<a b='",
        "&",
        "{dot}a",
        "`",
        "` `` ",
        "![`",
        "\\\\]",
        "<a b=\"<",
        "<a style='url(",
        "](<",
        "](<\\\\",
        "- [r]: ",
        "https://a.b?![",
        "a.co/[](",
        "a . ",
    ] {
        let text = unit.repeat(1_000_000 / unit.len());
        assert!(find(&text).links.len() <= MOST, "{unit}");
    }
    // Attributes that all may hold an address, and none of which was there before.
    let text: String = (0..400_000).map(|n| format!(" onaa{n:06}=x")).collect();
    assert!(find(&format!("<a{text}>")).links.is_empty());
}

fn fits(text: &str) {
    let found = find(text);
    assert!(found.links.len() <= MOST);
    for link in &found.links {
        assert!(link.span.start <= link.target.start && link.target.end <= link.span.end, "{text:?}");
        assert!(link.target.start < link.target.end, "{text:?} {link:?}");
        assert!(text.get(link.span.start..link.span.end).is_some(), "{text:?}");
        assert!(text.get(link.target.start..link.target.end).is_some(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn places_fit_any_text(text in "\\PC{0,80}") {
        fits(&text);
    }

    #[test]
    fn places_fit_texts_of_pieces(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "http", "https", "hxxp", "://", ":", "//", "/", ".", "[.]", " dot ", "(dot)", "a", "evil", "com", "co.uk", "@", "[", "]",
        "(", ")", "!", "<", ">", "a href=", "img src=", "\"", "'", " ", "\n", "\u{200B}", "é", "中", "。", "％", "%65", "&#46;",
        "&amp;", "url(", "javascript:", "data:", "\\\\", "\\", "?", "#", "=", "[r]: ", "-", "_", "1.2.3.4", "[::1]", ":80", "{", "}",
    ]), 0..24)) {
        fits(&pieces.concat());
    }

    #[test]
    fn an_address_is_found_wherever_it_stands(
        before in "[a-zäß ]{0,20}", host in "[a-z]{3,9}", path in "(/[a-z0-9]{1,6}){0,3}", after in "[a-z ü]{0,20}",
    ) {
        let address = format!("https://{host}.com{path}");
        let text = format!("{before} {address} {after}");
        let links = find(&text).links;
        let start = before.len() + 1;
        prop_assert!(links.iter().any(|link| link.span.start == start && link.span.end == start + address.len()), "{:?}", links);
    }
}
