//! The Privacy Centre over real sockets: every page for everybody, and whole ways through it as a browser without JavaScript
//! takes them.

use std::cell::RefCell;
use std::sync::Arc;

use chatward::config::{Flags, Loaded};
use chatward::notice::Notice;
use chatward_detect::Detector;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use html5ever::tree_builder::TreeBuilderOpts;
use http::Method;
use serde_json::{Value, json};

use super::account::Visitor;
use super::harness::{Answer, Bot, Gateway, Home, files, log_events, until};
use super::inside::{At, Within};

const HOUSE: &str = r#"
[purposes.training]
text.en = "May we teach our bot with what you write?"
text.de = "Dürfen wir unseren Bot mit dem schulen, was Sie schreiben?"
[purposes.quality]
basis = "legitimate-interest"
text.en = "We look for mistakes of the bot."
[controller]
name = "Reed & <b>Heron</b>"
contact = "privacy@heron.example"
[limits]
per_address = 0
"#;

/// Every page that one only looks at.
const PAGES: [&str; 13] = [
    "/privacy",
    "/privacy/notice",
    "/privacy/consents",
    "/privacy/data",
    "/privacy/erase",
    "/privacy/requests",
    "/privacy/looks",
    "/privacy/leak",
    "/privacy/verify",
    "/privacy/guides",
    "/privacy/guides/encryption",
    "/privacy/guides/anonymisation",
    "/privacy/guides/your-rights",
];

/// Texts that would run, break out or turn the page around.
const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'-alert(1)-'",
    "</textarea><svg onload=alert(1)>",
    "\u{202e}evil\u{2066}\u{202d}",
    "{{ 7*7 }} ${7*7} &lt;b&gt;",
];

async fn house(more: &str) -> (Home, Gateway) {
    let home = Home::new();
    home.configure(&format!("{HOUSE}{more}"));
    let gateway = home.start(&[]).await;
    (home, gateway)
}

/// Counts what the parser of browsers complains of.
struct Complaints(RefCell<Vec<String>>);

impl TokenSink for Complaints {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::ParseError(error) = token {
            self.0.borrow_mut().push(error.into_owned());
        }
        TokenSinkResult::Continue
    }
}

/// Faults of a page, as the tokenizer and the tree builder of HTML5 find them.
fn faults(html: &str) -> Vec<String> {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(
        Complaints(RefCell::default()),
        TokenizerOpts { exact_errors: true, ..Default::default() },
    );
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let mut all = tokenizer.sink.0.take();
    all.extend(tree::faults(html));
    all
}

mod tree {
    //! The tree builder's own complaints.

    use std::borrow::Cow;
    use std::cell::RefCell;

    use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
    use html5ever::tendril::{StrTendril, TendrilSink as _};
    use html5ever::{Attribute, ExpandedName, QualName, parse_document};

    /// A tree of which only the names are kept.
    #[derive(Default)]
    struct Sink {
        faults: RefCell<Vec<String>>,
        names: RefCell<Vec<QualName>>,
    }

    impl Sink {
        fn new_node(&self, name: QualName) -> usize {
            let mut names = self.names.borrow_mut();
            names.push(name);
            names.len()
        }
    }

    /// Lives as long as the tests.
    fn leaked(name: &QualName) -> &'static QualName {
        Box::leak(Box::new(name.clone()))
    }

    impl TreeSink for Sink {
        type Handle = usize;
        type Output = Vec<String>;
        type ElemName<'a> = ExpandedName<'static>;

        fn finish(self) -> Vec<String> {
            self.faults.into_inner()
        }
        fn parse_error(&self, message: Cow<'static, str>) {
            self.faults.borrow_mut().push(message.into_owned());
        }
        fn get_document(&self) -> usize {
            0
        }
        fn elem_name<'a>(&'a self, target: &'a usize) -> ExpandedName<'static> {
            let names = self.names.borrow();
            leaked(&names[target - 1]).expanded()
        }
        fn create_element(&self, name: QualName, _: Vec<Attribute>, _: ElementFlags) -> usize {
            self.new_node(name)
        }
        fn create_comment(&self, _: StrTendril) -> usize {
            0
        }
        fn create_pi(&self, _: StrTendril, _: StrTendril) -> usize {
            0
        }
        fn append(&self, _: &usize, _: NodeOrText<usize>) {}
        fn append_based_on_parent_node(&self, _: &usize, _: &usize, _: NodeOrText<usize>) {}
        fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}
        fn get_template_contents(&self, target: &usize) -> usize {
            *target
        }
        fn same_node(&self, x: &usize, y: &usize) -> bool {
            x == y
        }
        fn set_quirks_mode(&self, _: QuirksMode) {}
        fn append_before_sibling(&self, _: &usize, _: NodeOrText<usize>) {}
        fn add_attrs_if_missing(&self, _: &usize, _: Vec<Attribute>) {}
        fn remove_from_parent(&self, _: &usize) {}
        fn reparent_children(&self, _: &usize, _: &usize) {}
    }

    pub(super) fn faults(html: &str) -> Vec<String> {
        let opts = html5ever::ParseOpts {
            tree_builder: super::TreeBuilderOpts { exact_errors: true, ..Default::default() },
            ..Default::default()
        };
        parse_document(Sink::default(), opts).one(html)
    }
}

/// A page that is sound, and that nothing runs on but what is ours.
fn sound(answer: &Answer, path: &str) -> String {
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let html = answer.text();
    assert_eq!(faults(&html), Vec::<String>::new(), "{path}");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    assert!(!html.contains(" style=") && !html.contains("<style"), "{path}: inline style");
    assert_eq!(
        html.matches("<script").count(),
        html.matches("<script type=\"module\" src=\"/static/").count()
    );
    // Names of attributes only: what customers wrote may speak of handlers.
    let tags = html.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag);
    let names = tags.flat_map(|tag| tag.split('"').step_by(2)).flat_map(str::split_whitespace);
    let mut handlers = names.filter(|name| name.starts_with("on") && name.ends_with('='));
    assert_eq!(handlers.next(), None, "{path}: inline handler");
    html
}

#[test]
fn the_measure_of_pages_bites() {
    assert!(!faults("<!doctype html><title>x</title><p><div></p></span>").is_empty());
    assert!(!faults("<!doctype html><title>x</title><p a=1 a=2>&nosuch;</p>").is_empty());
    assert_eq!(faults("<!doctype html><title>x</title><p>x</p>"), Vec::<String>::new());
}

#[tokio::test]
async fn every_page_is_there_for_everybody() {
    let (_home, gateway) = house("").await;
    let mut nobody = Visitor::customer(&gateway);
    for path in PAGES {
        let html = sound(&nobody.open(path).await, path);
        assert!(html.contains("/privacy/enter/"), "{path}");
    }
    let mut nameless = Visitor::customer(&gateway);
    nameless.chats("I am Ann Canary, ann@mail.example").await;
    for path in PAGES {
        let html = sound(&nameless.open(path).await, path);
        assert!(!html.contains("ann@mail.example"), "{path}: values need a second factor");
    }
    let mut ann = nameless.clone();
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    ann.step_up(&mut phone).await;
    assert!(ann.open("/privacy/data").await.text().contains("/privacy/data/claim"));
    assert_eq!(ann.submit("/privacy/data/claim", &[]).await.status, 303);
    for path in PAGES {
        let html = sound(&ann.open(path).await, path);
        assert_eq!(html.contains("ann@mail.example"), path == "/privacy/data", "{path}");
        assert!(!html.contains("<b>Heron"), "{path}");
    }
    for language in ["de", "fr", "es", "en-XA", "ar-XB"] {
        let chosen = ann.open(&format!("/privacy?lang={language}")).await;
        assert_eq!((chosen.status, chosen.header("location")), (303, "/privacy"));
        for path in PAGES {
            let html = sound(&ann.open(path).await, path);
            assert!(html.contains(&format!("lang=\"{language}\"")), "{path}");
        }
    }
    let gpc = nobody.open("/.well-known/gpc.json").await;
    assert_eq!((gpc.status, gpc.json()["gpc"].as_bool()), (200, Some(true)));
}

#[tokio::test]
async fn a_no_counts_from_the_next_message() {
    let (home, gateway) = house("").await;
    let mut ann = Visitor::customer(&gateway);
    ann.chats("hello").await;
    let page = sound(&ann.open("/privacy/consents").await, "consents");
    assert!(page.contains("May we teach our bot") && page.contains("Off: you were not asked yet"));
    let switch = async |ann: &mut Visitor, agreed: &str| {
        let done = ann.submit("/privacy/consents", &[("purpose", "training"), ("agreed", agreed)]).await;
        assert_eq!((done.status, done.header("location")), (303, "/privacy/consents"), "{}", done.text());
    };
    switch(&mut ann, "yes").await;
    let with = ann.chats("one").await.turn();
    switch(&mut ann, "no").await;
    let without = ann.chats("two").await.turn();
    let mut purposes = Vec::new();
    until("the log", async || {
        let events = log_events(&home.data());
        let of = |turn: &str| {
            let is_it = |e: &&Value| e["action"] == "turn-opened" && e["turn"] == turn;
            events.iter().find(is_it).map(|e| e["purposes"].to_string())
        };
        purposes = [of(&with), of(&without)].into_iter().flatten().collect();
        purposes.len() == 2
    })
    .await;
    assert!(purposes[0].contains("training") && !purposes[1].contains("training"), "{purposes:?}");
    let page = ann.open("/privacy/consents").await.text();
    assert!(page.contains("Off: you said no") && page.contains("Yes to: Training bots"));
    // The receipts are files, and hold.
    let all = ann.open("/privacy/receipts").await;
    assert!(all.header("content-disposition").contains("my-receipts.json"));
    let receipts = all.json();
    assert_eq!(receipts.as_array().unwrap().len(), 2);
    let id = receipts[0]["dct:identifier"].as_str().unwrap();
    assert_eq!(
        ann.open(&format!("/privacy/receipts/{id}")).await.json()["dct:identifier"],
        receipts[0]["dct:identifier"]
    );
    let says = |answer: Answer| answer.text();
    assert!(
        says(ann.submit("/privacy/verify", &[("document", &receipts.to_string())]).await)
            .contains("All receipts in the file are genuine")
    );
    let mut altered = receipts[0].clone();
    altered["dpv:hasNotice"]["dct:hasVersion"] = json!("9");
    assert!(
        says(ann.submit("/privacy/verify", &[("document", &altered.to_string())]).await)
            .contains("The signature does not fit")
    );
    // What a contract needs cannot be switched off, and that is said in words.
    let needed = ann.submit("/privacy/consents", &[("purpose", "service"), ("agreed", "no")]).await;
    assert_eq!(needed.status, 409);
    assert!(sound_problem(&needed).contains("cannot be switched off"));
}

/// A refusal is a sound page, too.
fn sound_problem(answer: &Answer) -> String {
    let html = answer.text();
    assert_eq!(faults(&html), Vec::<String>::new());
    html
}

#[tokio::test]
async fn everything_is_deleted_and_the_certificate_holds() {
    let (home, gateway) = house("").await;
    let mut ann = Visitor::customer(&gateway);
    ann.chats("I am Ann Canary, ann.canary@mail.example").await;
    for agreed in ["yes", "no"] {
        ann.submit("/privacy/consents", &[("purpose", "training"), ("agreed", agreed)]).await;
    }
    let receipts = ann.open("/privacy/receipts").await.json();
    // Without a second factor it leads to where one signs in, and back.
    let refused = ann.submit("/privacy/erase", &[]).await;
    assert_eq!((refused.status, refused.header("location")), (303, "/account/sign-in"), "{}", refused.text());
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    assert_eq!(ann.submit("/privacy/data/claim", &[]).await.status, 303);
    let refused = ann.submit("/privacy/erase", &[]).await;
    assert_eq!((refused.status, refused.header("location")), (303, "/account/step-up"));
    assert_eq!(ann.cookies["chatward-then"], "erase");
    ann.step_up(&mut phone).await;
    let back = ann.open("/account/done").await;
    assert_eq!((back.status, back.header("location")), (303, "/privacy/erase"));
    assert_eq!(ann.open("/account/done").await.header("location"), "/account/security", "once");
    sound(&ann.open("/privacy/erase").await, "erase");
    let done = ann.submit("/privacy/erase", &[]).await;
    let page = sound(&done, "erased");
    assert!(page.contains("Everything is deleted") && page.contains("The certificate is genuine"), "{page}");
    assert!(!page.to_lowercase().contains("canary"));
    let document = page.split("id=\"document\"").nth(1).unwrap();
    let document = document.split_once('>').unwrap().1.split("</pre>").next().unwrap();
    let document = document
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
        .replace("&#60;", "<")
        .replace("&#62;", ">");
    std::fs::write(home.path("certificate.json"), &document).unwrap();
    let data = home.data();
    let verified = home
        .run(&[
            "certificate",
            "verify",
            home.path("certificate.json").to_str().unwrap(),
            "--data",
            data.to_str().unwrap(),
        ])
        .await;
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
    let mut certificate: Value = serde_json::from_str(&document).unwrap();
    assert!(
        ann.submit("/privacy/verify", &[("document", &document)])
            .await
            .text()
            .contains("The certificate is genuine")
    );
    if std::env::var_os("CHATWARD_WRITE_PROOFS").is_some() {
        write_vectors(&home, &certificate, &receipts);
    }
    certificate["chatward:keyDestroyed"] = json!("0000");
    let altered = certificate.to_string();
    assert!(
        ann.submit("/privacy/verify", &[("document", &altered)])
            .await
            .text()
            .contains("The signature does not fit")
    );
    // Nobody is signed in any more, and nothing of it is left.
    assert!(!ann.cookies.keys().any(|name| name.contains("session")));
    let held = ann.open("/privacy/data").await.text();
    assert!(held.contains("/privacy/enter/data"));
    gateway.stop().await;
    for file in files(&home.data()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(memchr::memmem::find(&bytes, b"ann.canary").is_none(), "{}", file.display());
    }
}

/// What the page's own check and the server's are held against.
fn write_vectors(home: &Home, certificate: &Value, receipts: &Value) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/proofs");
    std::fs::copy(home.data().join("log/vkey"), folder.join("vkey")).unwrap();
    for (name, document) in [("certificate", certificate), ("receipt", &receipts[0]), ("receipts", receipts)]
    {
        let text = serde_json::to_string_pretty(document).unwrap() + "\n";
        std::fs::write(folder.join(format!("{name}.json")), text).unwrap();
    }
}

#[tokio::test]
async fn a_value_is_corrected_and_a_request_goes_its_way() {
    let (_home, gateway) = house("").await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    ann.chats("write to ann@old.example").await;
    let page = ann.open("/privacy/data").await.text();
    assert!(page.contains("The values are covered") && !page.contains("ann@old.example"));
    ann.step_up(&mut phone).await;
    let page = sound(&ann.open("/privacy/data").await, "data");
    assert!(page.contains("ann@old.example") && page.contains("Goes on"));
    let conversation =
        page.split("name=\"conversation\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for value in ["ann@new.example", HOSTILE[0], HOSTILE[1], HOSTILE[4]] {
        let fields = [("conversation", &*conversation), ("label", "EMAIL_1"), ("value", value)];
        let done = ann.submit("/privacy/data/correct", &fields).await;
        assert_eq!((done.status, done.header("location")), (303, "/privacy/data"), "{}", done.text());
        let page = sound(&ann.open("/privacy/data").await, "data");
        assert!(
            !page.contains("ann@old.example")
                && !page.contains("<script>alert")
                && !page.contains("<img src=x"),
            "{page}"
        );
    }
    let copy = ann.open("/privacy/data/download").await;
    assert_eq!((copy.status, copy.header("content-type")), (200, "application/zip"));
    assert!(copy.header("content-disposition").contains("my-data.zip"));

    for text in HOSTILE {
        let asked = [("right", "rectify"), ("law", "gdpr"), ("text", text)];
        assert_eq!(ann.submit("/privacy/requests", &asked).await.status, 303);
    }
    let page = sound(&ann.open("/privacy/requests").await, "requests");
    assert!(page.contains("We answer by") && page.contains("aria-current=\"step\""));
    for never in ["<script>alert", "<img src=x", "<svg onload", "</textarea><svg"] {
        assert!(!page.contains(never), "{never}");
    }
    // What turns the direction of writing stands in an element of its own.
    assert!(page.contains("<p class=\"typed\" dir=\"auto\">\u{202e}evil"));
    let id = page.split("action=\"/privacy/requests/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let said = ann.submit(&format!("/privacy/requests/{id}"), &[("text", "and please soon")]).await;
    assert_eq!(said.status, 303);
    assert!(ann.open("/privacy/requests").await.text().contains("and please soon"));
    let mut bob = Visitor::customer(&gateway);
    bob.chats("hello").await;
    let stranger = bob.submit(&format!("/privacy/requests/{id}"), &[("text", "mine?")]).await;
    assert_eq!(stranger.status, 404);
    // What the bot received is a page, too.
    let turn = ann.chats("and also ann.two@mail.example").await.turn();
    let page = sound(&ann.open(&format!("/privacy/messages/{turn}")).await, "message");
    assert!(page.contains("[EMAIL_") && !page.contains("ann.two@mail.example"));
    assert_eq!(bob.open(&format!("/privacy/messages/{turn}")).await.status, 404);
    // Frozen, and not any more.
    assert_eq!(ann.submit("/privacy/data/freeze", &[("frozen", "yes")]).await.status, 303);
    let frozen = ann.open("/privacy/data").await.text();
    assert!(
        frozen.contains("Your data is frozen") && !frozen.contains("Goes on"),
        "nothing goes by itself while it is frozen"
    );
    assert_eq!(ann.submit("/privacy/data/freeze", &[("frozen", "no")]).await.status, 303);
    assert!(!ann.open("/privacy/data").await.text().contains("Your data is frozen"));
}

#[tokio::test]
async fn what_is_tried_is_kept_nowhere() {
    let (home, gateway) = house("").await;
    let mut ann = Visitor::customer(&gateway);
    let text = "I am at try.canary@mail.example, card 4111 1111 1111 1111, password: hunter2canary <b>&";
    let page = sound(&ann.submit("/privacy/guides/try", &[("text", text)]).await, "try");
    assert!(page.contains("[EMAIL_1]") && page.contains("[CARD_") && !page.contains("<b>&"), "{page}");
    let long = "x".repeat(2001);
    assert_eq!(ann.submit("/privacy/guides/try", &[("text", &long)]).await.status, 400);
    let printed = gateway.printed();
    gateway.stop().await;
    assert!(!printed.contains("canary"));
    for file in files(&home.data()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(memchr::memmem::find(&bytes, b"canary").is_none(), "{}", file.display());
    }
}

#[tokio::test]
async fn the_way_back_leads_to_pages_of_ours_only() {
    let (_home, gateway) = house("").await;
    let mut ann = Visitor::customer(&gateway);
    for (page, status) in
        [("data", 303), ("erase", 303), ("//evil.example", 404), ("..", 404), ("nothing", 404)]
    {
        assert_eq!(ann.open(&format!("/privacy/enter/{page}")).await.status, status, "{page}");
    }
    ann.sign_up("ann").await;
    ann.cookies.insert("chatward-then".to_owned(), "https://evil.example".to_owned());
    assert_eq!(ann.open("/account/done").await.header("location"), "/account/security");
    assert_eq!(ann.open("/privacy/enter/data").await.header("location"), "/account/step-up");
}

#[tokio::test]
async fn other_words_show_what_changed_since_one_agreed() {
    let (home, gateway) = house("").await;
    let mut ann = Visitor::customer(&gateway);
    ann.chats("hello").await;
    ann.submit("/privacy/consents", &[("purpose", "training"), ("agreed", "yes")]).await;
    assert!(ann.open("/privacy/notice").await.text().contains("Nothing changed."));
    gateway.stop().await;
    let text = std::fs::read_to_string(home.path("chatward.toml")).unwrap();
    home.configure(&format!("{text}[purposes.marketing]\ntext.en = \"Offers?\"\n"));
    let gateway = home.start(&[]).await;
    let mut again = Visitor::customer(&gateway);
    again.cookies = ann.cookies.clone();
    let page = sound(&again.open("/privacy/notice").await, "notice");
    assert!(
        page.contains("Changes since you last agreed") && page.contains("<ins dir=\"auto\">Advertising."),
        "{page}"
    );
    let hashes = |events: &[Value]| {
        let of = |e: &&Value| e["action"] == "notice-published";
        let all: std::collections::BTreeSet<String> =
            events.iter().filter(of).map(|e| e["notice"].to_string()).collect();
        all.len()
    };
    until("both notices in the log", async || hashes(&log_events(&home.data())) == 2).await;
}

#[tokio::test]
async fn what_the_notice_does_not_say_raises_an_alarm() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let gate = &house.inside.gate;
    house.said("sk-own", "hello").await;
    let differs = |events: &[Value]| {
        events.iter().filter(|e| e["action"] == "notice-differs").cloned().collect::<Vec<_>>()
    };
    assert_eq!(house.metric("chatward_notice_differences_total").await, 0.0);
    // As if the notice of another configuration was published: one in which nothing of people is kept, and with another bot.
    let other = "[upstreams.other]\nurl = \"https://other.example/v1\"\n[[handling]]\nclass = \"identity\"\nto = \"bot\"\noperator = \"drop\"\n";
    let loaded = Loaded::from_text(other, &[], &Flags::default()).unwrap();
    let config = loaded.check(&|_: &str| Some(chatward_message::Class::Identity)).unwrap();
    gate.published.store(Arc::new(Notice::of(&config, &Detector::builtin().unwrap())));
    for _ in 0..3 {
        house.said("sk-own", "my mail is ann@mail.example").await;
    }
    let mut found = Vec::new();
    until("the alarm", async || {
        found = differs(&log_events(&house.home.data()));
        found.len() >= 2
    })
    .await;
    let classes: Vec<_> = found.iter().filter_map(|e| e["class"].as_str()).collect();
    assert_eq!(classes, ["identity"], "once: {found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(house.metric("chatward_notice_differences_total").await, 4.0, "the value was kept once");
    let page = house.plain(At::Public, Method::GET, "/privacy/notice", &[], None).await.text();
    assert!(page.contains("other.example"));
    house.inside.stop().await.unwrap();
}
