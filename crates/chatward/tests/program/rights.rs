//! Consents, requests, copies, corrections, restrictions, erasures with proof, and what goes by itself.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Read as _;

use chatward::identity::Role;
use chatward_message::CustomerId;
use http::Method;
use serde_json::{Value, json};

use super::harness::{Act, Answer, Bot, Gateway, Home, Play, ask, ask_stream, log_events, new_caller, until};
use super::inside::{At, Somebody, Within};

const PURPOSES: &str = r#"
[purposes.training]
version = "1"
text.en = "May we teach our bot with what you write?"
text.de = "Dürfen wir unseren Bot mit dem schulen, was Sie schreiben?"
keep = { interaction = "30d" }
[purposes.marketing]
text.en = "May we send you offers?"
[purposes.quality]
basis = "legitimate-interest"
[controller]
name = "Shop"
contact = "privacy@shop.example"
"#;
const PLACES: [&str; 4] = ["--data", "data", "--keys", "keys"];
const DAY: u64 = 24 * 3600;

fn random(below: usize) -> usize {
    usize::try_from(RandomState::new().hash_one(0) % u64::try_from(below).unwrap()).unwrap()
}

/// A trusted program, and its house.
struct Shop {
    home: Home,
    gateway: Gateway,
    key: String,
}

impl Shop {
    async fn new(bot: &Bot, more: &str) -> Self {
        let home = Home::new();
        let (key, entry) = new_caller(&home, "shop", true).await;
        home.configure(&format!("{PURPOSES}{more}\n{entry}"));
        let gateway = if more.contains("[upstreams") { home.start(&[]).await } else { home.serve(bot).await };
        Self { home, gateway, key }
    }

    async fn says(&self, who: &str, more: &[(&str, &str)], body: &Value) -> Answer {
        let mut headers = vec![("chatward-customer", who), ("chatward-conversation", "c")];
        headers.extend(more);
        self.gateway.chat(&self.key, &headers, body).await
    }

    async fn as_customer(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        let headers =
            [("authorization", &*bearer), ("chatward-customer", who), ("content-type", "application/json")];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.gateway.send(method, path, &headers, body).await
    }

    async fn decides(&self, who: &str, purpose: &str, agreed: bool) -> Answer {
        let path = format!("/me/v1/consents/{purpose}");
        self.as_customer(who, Method::PUT, &path, Some(json!({ "agreed": agreed }))).await
    }

    /// The certificate that an erasure at the command line tells of.
    async fn certificate(&self, said: &str) -> Value {
        let path = said.split('`').nth(1).unwrap().strip_prefix("GET ").unwrap();
        let fetched = self.as_customer("somebody", Method::GET, path, None).await;
        assert_eq!(fetched.status, 200, "{said}");
        fetched.json()
    }

    /// The opening events of turns, by the turn.
    async fn opened(&self, turns: usize) -> HashMap<String, Value> {
        let mut opened = HashMap::new();
        until("the log", async || {
            let events = log_events(&self.home.data());
            let openings = events.into_iter().filter(|event| event["action"] == "turn-opened");
            opened = openings.map(|event| (event["turn"].as_str().unwrap().to_owned(), event)).collect();
            opened.len() >= turns
        })
        .await;
        opened
    }
}

fn has(event: &Value, purpose: &str) -> bool {
    event["purposes"].as_array().unwrap().iter().any(|one| one == purpose)
}

#[tokio::test]
async fn a_decision_counts_from_the_next_message_and_not_before() {
    let rounds = std::env::var("CHATWARD_PROVE_CONSENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let bot = Bot::new().await;
    let shop = Shop::new(&bot, "").await;
    bot.play("slow", Play::Say("word ".repeat(6), 5));
    let mut agreed = false;
    let mut expected = Vec::new();
    for round in 0..rounds {
        match random(3) {
            0 => {
                agreed = random(2) == 0;
                let said = shop.decides("ann", "training", agreed).await;
                assert_eq!(said.status, 200, "{}", said.text());
            }
            1 => {
                let answer = shop.says("ann", &[], &ask("echo", &format!("hello {round}"))).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                expected.push((answer.turn(), agreed));
            }
            // The decision falls into a running answer: that message stays what it was.
            _ => {
                let bearer = format!("Bearer {}", shop.key);
                let headers = [
                    ("authorization", &*bearer),
                    ("content-type", "application/json"),
                    ("chatward-customer", "ann"),
                    ("chatward-conversation", "streams"),
                ];
                let mut flow =
                    shop.gateway.open("/v1/chat/completions", &headers, &ask_stream("slow", "go on")).await;
                flow.read_until("word").await;
                expected.push((flow.turn(), agreed));
                agreed = !agreed;
                assert_eq!(shop.decides("ann", "training", agreed).await.status, 200);
                flow.read_until("[DONE]").await;
            }
        }
    }
    let opened = shop.opened(expected.len()).await;
    for (turn, agreed) in &expected {
        let event = &opened[turn];
        assert_eq!(has(event, "training"), *agreed, "{event}");
        assert!(has(event, "service") && has(event, "quality"), "{event}");
    }
    assert!(expected.len() > 5);
}

#[tokio::test]
async fn decisions_and_messages_at_once_are_in_one_order() {
    let bot = Bot::new().await;
    let shop = std::sync::Arc::new(Shop::new(&bot, "").await);
    let (deciding, talking) = (std::sync::Arc::clone(&shop), std::sync::Arc::clone(&shop));
    let decides = tokio::spawn(async move {
        for n in 0..12 {
            assert_eq!(deciding.decides("ann", "training", n % 2 == 0).await.status, 200);
        }
    });
    let talks = tokio::spawn(async move {
        let mut turns = 0;
        for n in 0..40 {
            let answer = talking.says("ann", &[], &ask("echo", &format!("at once {n}"))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            turns += 1;
        }
        turns
    });
    decides.await.unwrap();
    let turns = talks.await.unwrap();
    shop.opened(turns).await;
    // By the order of the log, every message stands under the decision before it.
    let (mut agreed, mut revision) = (false, 0);
    for event in log_events(&shop.home.data()) {
        match event["action"].as_str().unwrap() {
            "consent-given" => (agreed, revision) = (true, event["standing"].as_u64().unwrap()),
            "consent-withdrawn" => (agreed, revision) = (false, event["standing"].as_u64().unwrap()),
            "turn-opened" => {
                assert_eq!(
                    (has(&event, "training"), event["standing"].as_u64().unwrap_or(0)),
                    (agreed, revision)
                );
            }
            _ => {}
        }
    }
    assert_eq!(revision, 12);
}

#[tokio::test]
async fn without_the_consent_that_a_bot_needs_nothing_goes_to_it() {
    let bot = Bot::new().await;
    let shop =
        Shop::new(&bot, &format!("[upstreams.bot]\nurl = \"{}\"\nbasis = \"consent\"\n", bot.url())).await;
    let refused = shop.says("ann", &[], &ask("echo", "my mail is ann.canary@mail.example")).await;
    assert!(refused.text().contains("/me/v1/consents/service"), "{}", refused.text());
    assert_eq!(bot.seen().len(), 0, "nothing went to the bot");
    let shown = shop.as_customer("ann", Method::GET, "/me/v1/consents", None).await.json();
    let service =
        shown["purposes"].as_array().unwrap().iter().find(|one| one["purpose"] == "service").unwrap();
    assert_eq!((&service["stand"], &service["basis"]), (&json!("not-asked"), &json!("consent")));
    assert_eq!(shop.decides("ann", "service", true).await.status, 200);
    assert_eq!(shop.says("ann", &[], &ask("echo", "hello")).await.content(), "hello");
    assert_eq!(shop.decides("ann", "service", false).await.status, 200);
    shop.says("ann", &[], &ask("echo", "and again")).await;
    assert_eq!(bot.seen().len(), 1);
    // Another customer said nothing.
    shop.says("bob", &[], &ask("echo", "hello")).await;
    assert_eq!(bot.seen().len(), 1);
}

/// What the bot received, as the customer sees it.
async fn received(shop: &Shop, who: &str, turn: &str) -> Answer {
    shop.as_customer(who, Method::GET, &format!("/me/v1/turns/{turn}/received"), None).await
}

#[tokio::test]
async fn special_categories_go_nowhere_without_a_consent_and_leave_with_it() {
    let bot = Bot::new().await;
    let help = "[purposes.help]\nnumber = 8\ntext.en = \"May we use what you tell of your health?\"\n\
                keep = { interaction = \"30d\", special = \"30d\" }\n";
    let shop = Shop::new(&bot, help).await;
    let tells = ask("echo", "I have diabetes and need a special meal");
    bot.play("doctor", Play::Say("so he has diabetes, I see".to_owned(), 0));
    let before = shop.says("ann", &[], &tells).await;
    assert!(!bot.seen().last().unwrap().text().contains("diabetes"));
    assert!(!before.content().contains("diabetes"), "{}", before.content());
    assert!(before.header("chatward-removed").contains("health"));
    // What the bot says of it is told, and not kept.
    let told = shop.says("ann", &[], &ask("doctor", "what do you think?")).await;
    assert!(told.content().contains("diabetes"));
    let copy = shop.as_customer("ann", Method::GET, "/me/v1/conversations", None).await;
    assert_eq!(copy.status, 200);

    assert_eq!(shop.decides("ann", "help", true).await.status, 200);
    let with = shop.says("ann", &[], &tells).await;
    assert!(bot.seen().last().unwrap().text().contains("diabetes"));
    let plain = shop.says("ann", &[], &ask("echo", "thank you")).await;
    assert!(received(&shop, "ann", &with.turn()).await.text().contains("diabetes"));

    // With the consent goes every message that tells of it; the others stay.
    assert_eq!(shop.decides("ann", "help", false).await.status, 200);
    until("the sweep", async || received(&shop, "ann", &with.turn()).await.status == 404).await;
    for stays in [before.turn(), told.turn(), plain.turn()] {
        assert_eq!(received(&shop, "ann", &stays).await.status, 200);
    }
    assert!(!shop.says("ann", &[], &tells).await.content().contains("diabetes"));
}

#[tokio::test]
async fn what_the_law_allows_without_consent_is_named() {
    let bot = Bot::new().await;
    let care = "[purposes.service]\nspecial = \"health-care\"\nkeep = { interaction = \"9d\", special = \"9d\", identity = \
                \"9d\", payment = \"9d\" }\n";
    let clinic = Shop::new(&bot, care).await;
    let answer = clinic.says("ann", &[], &ask("echo", "I have diabetes and need a special meal")).await;
    assert!(answer.content().contains("diabetes"), "{}", answer.text());
    assert!(received(&clinic, "ann", &answer.turn()).await.text().contains("diabetes"));
}

#[tokio::test]
async fn the_browsers_signal_turns_off_what_is_sold_or_shared() {
    let bot = Bot::new().await;
    let shop = Shop::new(&bot, "").await;
    assert_eq!(shop.decides("ann", "marketing", true).await.status, 200);
    let with = shop.says("ann", &[], &ask("echo", "one")).await.turn();
    let without = shop.says("ann", &[("sec-gpc", "1")], &ask("echo", "two")).await.turn();
    let opened = shop.opened(2).await;
    assert!(has(&opened[&with], "marketing") && has(&opened[&with], "quality"));
    assert!(!has(&opened[&without], "marketing") && !has(&opened[&without], "quality"));
    assert!(has(&opened[&without], "service"));
}

#[tokio::test]
async fn a_receipt_proves_what_was_said_and_names_nobody() {
    let bot = Bot::new().await;
    let shop = Shop::new(&bot, "").await;
    shop.says("ann", &[], &ask("echo", "I am Ann Canary, ann.canary@mail.example")).await;
    let unknown = shop.decides("ann", "profiling", true).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "unknown-purpose"));
    let needed = shop.decides("ann", "service", false).await;
    assert_eq!((needed.status, needed.code().as_str()), (409, "not-optional"));
    let path = "/me/v1/consents/training";
    let german = Some(json!({ "agreed": true, "language": "de" }));
    let receipt = shop.as_customer("ann", Method::PUT, path, german).await.json();
    assert_eq!(receipt["chatward:firstMessage"], Value::Null);
    let next = shop.says("ann", &[], &ask("echo", "the first under it")).await.turn();
    shop.says("ann", &[], &ask("echo", "the second")).await;
    assert_eq!(shop.decides("ann", "training", false).await.status, 200);
    let all = shop.as_customer("ann", Method::GET, "/me/v1/receipts", None).await.json();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 2);
    let first = &all[0];
    assert_eq!(first["chatward:firstMessage"], json!(next));
    assert_eq!(first["dpv:hasNotice"]["dct:language"], "de");
    assert!(first["dpv:hasNotice"]["dct:description"].as_str().unwrap().starts_with("Dürfen"));
    assert_eq!(first["dpv:hasConsentStatus"]["@id"], "dpv:ConsentGiven");
    assert_eq!(all[1]["dpv:hasConsentStatus"]["@id"], "dpv:ConsentWithdrawn");
    let terms = include_str!("../../../../vectors/dpv/terms.tsv");
    for receipt in all {
        assert_eq!(chatward::dpv::faults(receipt, terms), Vec::<String>::new(), "{receipt}");
        let text = receipt.to_string().to_lowercase();
        assert!(!text.contains("canary") && !text.contains("cust_"), "{text}");
        // What a record of consent holds by ISO/IEC TS 27560, as far as its public summaries tell.
        for field in [
            "/dct:identifier",
            "/dct:conformsTo",
            "/dct:issued",
            "/dpv:hasDataSubject/dpv:hasIdentifier",
            "/dpv:hasDataController/dpv:hasName",
            "/dpv:hasProcess/dpv:hasPurpose/dct:title",
            "/dpv:hasProcess/dpv:hasLegalBasis",
            "/dpv:hasProcess/dpv:hasPersonalData",
            "/dpv:hasProcess/dpv:hasRecipient",
            "/dpv:hasNotice/dct:hasVersion",
            "/dpv:hasConsentStatus",
            "/dpv:isIndicatedAtTime",
            "/dpv:hasIndicationMethod",
        ] {
            assert!(receipt.pointer(field).is_some_and(|value| !value.is_null()), "{field}: {receipt}");
        }
    }
    // Other words: the old consent does not count any more.
    shop.decides("ann", "training", true).await;
    shop.gateway.stop().await;
    let text = std::fs::read_to_string(shop.home.path("chatward.toml")).unwrap();
    shop.home.configure(&text.replace("May we teach", "May we really teach"));
    let gateway = shop.home.serve(&bot).await;
    let shop = Shop { gateway, ..shop };
    let turn = shop.says("ann", &[], &ask("echo", "under other words")).await.turn();
    assert!(!has(&shop.opened(4).await[&turn], "training"));
    let shown = shop.as_customer("ann", Method::GET, "/me/v1/consents", None).await.json();
    let training = shown["purposes"].as_array().unwrap().iter().find(|one| one["purpose"] == "training");
    assert_eq!(training.unwrap()["stand"], "other-words");
}

/// What a receiver was told so far.
fn told(receiver: &Bot) -> Vec<Value> {
    receiver.seen().iter().map(|seen| seen.json()).collect()
}

#[tokio::test]
async fn recipients_are_told_under_the_name_that_the_bot_knows() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAECAwQFBgc=";
    let (bot, receiver) = (Bot::new().await, Bot::new().await);
    let ends =
        |status: &str| Play::Wire(vec![Act::send(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"))]);
    receiver.play("", ends("204 No Content"));
    let home = Home::new();
    std::fs::write(home.path("secret"), SECRET).unwrap();
    let (key, entry) = new_caller(&home, "shop", true).await;
    let crm = format!("[recipients.crm]\nurl = \"{}\"\nsecret_file = \"secret\"\n", receiver.url());
    home.configure(&format!("{PURPOSES}{crm}\n{entry}"));
    let gateway = home.serve(&bot).await;
    let shop = Shop { home, gateway, key };
    let mut hello = ask("echo", "Mail me at ann.canary@mail.example");
    hello["user"] = json!("ann");
    hello["metadata"] = json!({ "order": "77" });
    assert_eq!(shop.says("ann", &[], &hello).await.status, 200);
    let body = bot.last().json();
    let name = body["user"].as_str().unwrap().to_owned();
    assert!(name.starts_with("cw_") && body["metadata"]["order"] != json!(name), "{body}");

    let run = async |what: &[&str]| {
        let done = shop.home.run(&[&["customer"], what, &PLACES[..]].concat()).await;
        assert_eq!(done.code, 0, "{} {}", done.out, done.err);
        done.out
    };
    run(&["restrict", "ann"]).await;
    receiver.came(1).await;
    let first = receiver.last();
    let webhook = standardwebhooks::Webhook::new(SECRET).unwrap();
    let header = |name: &str| {
        let line = first.head.lines().find(|line| line.to_ascii_lowercase().starts_with(name)).unwrap();
        line.split_once(": ").unwrap().1.to_owned()
    };
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, header(name).parse().unwrap());
    }
    webhook.verify(&first.body, &headers).expect("another implementation takes the signature");
    assert!(webhook.verify(b"{}", &headers).is_err());

    // Away for a while: what happened is told once it is back, also by the next start.
    receiver.play("", ends("503 Service Unavailable"));
    let out = run(&["erase", "ann"]).await;
    let certificate = shop.certificate(&out).await;
    let crm = |certificate: &Value| {
        let all = certificate["dpv:hasRecipient"].as_array().unwrap();
        all.iter().find(|one| one["dpv:hasName"] == "crm").unwrap().clone()
    };
    assert_eq!(crm(&certificate)["chatward:toldAt"], Value::Null);
    shop.gateway.stop().await;
    receiver.play("", ends("204 No Content"));
    let before = told(&receiver).len();
    let gateway = shop.home.serve(&bot).await;
    until("the recipient to be told", async || told(&receiver).len() > before).await;
    let all = told(&receiver);
    let types: Vec<&str> = all.iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!(types.first(), Some(&"customer.restricted"));
    assert!(types.iter().skip(1).all(|one| *one == "customer.erased") && types.len() >= 3, "{types:?}");
    for one in &all {
        assert_eq!(one["data"]["customers"], json!([name]), "{one}");
        assert!(!one.to_string().contains("canary"));
    }
    let ids: Vec<String> = receiver.seen().iter().skip(1).map(|seen| seen.head.clone()).collect();
    let message = crm(&certificate)["chatward:message"].as_str().unwrap().to_owned();
    assert!(ids.iter().all(|head| head.contains(&message)), "the same message again: {ids:?}");
    // Told in time, and the certificate says so.
    let shop = Shop { gateway, ..shop };
    assert_eq!(shop.says("bob", &[], &hello).await.status, 200);
    let out = shop.home.run(&[&["customer", "erase", "bob"], &PLACES[..]].concat()).await.out;
    let certificate = shop.certificate(&out).await;
    assert!(crm(&certificate)["chatward:toldAt"].is_string(), "{certificate}");
    until("the events", async || {
        let events = log_events(&shop.home.data());
        events
            .iter()
            .filter(|event| event["action"] == "recipient-told" && event["recipient"] == "crm")
            .count()
            == 3
    })
    .await;
}

async fn own(house: &Within, who: &Somebody, method: Method, path: &str, body: Option<&Value>) -> Answer {
    house.by(who, At::Public, method, path, &[], body).await
}

fn files(zip: &[u8]) -> HashMap<String, String> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|n| {
            let mut file = archive.by_index(n).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (file.name().unwrap().into_owned(), text)
        })
        .collect()
}

#[tokio::test]
async fn a_copy_is_complete_and_nobody_elses() {
    let house = Within::with_page(PURPOSES).await;
    let [ann, bob] = house.customers(2).await.try_into().ok().unwrap();
    for n in 0..5 {
        house.writes(&ann, &format!("Mail me at ann.canary{n}@mail.example")).await;
    }
    house.writes(&bob, "Mail me at bob.canary@mail.example").await;
    let yes = json!({ "agreed": true });
    assert_eq!(own(&house, &ann, Method::PUT, "/me/v1/consents/training", Some(&yes)).await.status, 200);
    let asks = json!({ "right": "access", "text": "what do you know of me?" });
    assert_eq!(own(&house, &ann, Method::POST, "/me/v1/requests", Some(&asks)).await.status, 201);

    let copy = own(&house, &ann, Method::GET, "/me/v1/export", None).await;
    assert_eq!((copy.status, copy.header("content-type")), (200, "application/zip"));
    let files = files(&copy.body);
    let about: Value = serde_json::from_str(&files["about.json"]).unwrap();
    let counts = &about["chatward:counts"];
    assert_eq!((&counts["chatward:turns"], &counts["chatward:values"]), (&json!(5), &json!(5)), "{about}");
    let all: String = files.values().cloned().collect();
    for n in 0..5 {
        assert!(all.contains(&format!("ann.canary{n}@mail.example")), "{n}");
    }
    assert!(!all.contains("bob.canary"));
    assert!(all.contains("what do you know of me?") && all.contains("chatward:ConsentRecord"));
    assert!(files["index.html"].contains("conversations/"));
    let terms = include_str!("../../../../vectors/dpv/terms.tsv");
    assert_eq!(chatward::dpv::faults(&about, terms), Vec::<String>::new());
    for (name, text) in
        files.iter().filter(|(name, _)| name.starts_with("conversations/") && name.ends_with(".json"))
    {
        let document = serde_json::from_str(text).unwrap();
        assert_eq!(chatward::dpv::faults(&document, terms), Vec::<String>::new(), "{name}");
    }
    // Eleven minutes later the second factor is asked for again.
    house.clock.wait(660);
    let stale = own(&house, &ann, Method::GET, "/me/v1/export", None).await;
    assert_eq!((stale.status, stale.code().as_str()), (403, "second-factor-needed"), "{}", stale.text());
}

#[tokio::test]
async fn an_erasure_leaves_nothing_but_its_proof() {
    let house = Within::with_page(PURPOSES).await;
    let [ann, bob] = house.customers(2).await.try_into().ok().unwrap();
    for n in 0..3 {
        house.writes(&ann, &format!("My card is 4111 1111 1111 1111, mail ann.canary{n}@mail.example")).await;
    }
    let said = house.writes(&bob, "Mail me at bob.canary@mail.example").await;
    let customer = ann.customer.unwrap();
    let erased = own(&house, &ann, Method::POST, "/me/v1/erase", None).await;
    assert_eq!(erased.status, 200, "{}", erased.text());
    let certificate = erased.json();
    let gate = &house.inside.gate;
    assert!(gate.store.conversations_of(&gate.tenant, customer, None, 10).await.unwrap().is_empty());
    assert!(gate.store.slots_of(&gate.tenant, customer).await.unwrap().is_empty());
    assert!(gate.store.trail(&gate.tenant, customer, None, 10).await.unwrap().is_empty());
    assert_eq!(own(&house, &ann, Method::GET, "/me/v1/conversations", None).await.status, 401);
    let received = format!("/me/v1/turns/{}/received", said.turn());
    assert_eq!(own(&house, &bob, Method::GET, &received, None).await.status, 200, "others' data still opens");

    let terms = include_str!("../../../../vectors/dpv/terms.tsv");
    assert_eq!(chatward::dpv::faults(&certificate, terms), Vec::<String>::new());
    let text = certificate.to_string();
    assert!(
        !text.contains("canary") && !text.contains("4111") && !text.contains(&customer.to_string()),
        "{text}"
    );
    // Anybody who knows its id may fetch it, and check it without the house.
    let id = certificate["dct:identifier"].as_str().unwrap();
    let path = format!("/me/v1/certificates/{id}");
    let fetched = house.plain(At::Public, Method::GET, &path, &[], None).await;
    assert_eq!((fetched.status, fetched.json()), (200, certificate.clone()));
    let unknown = format!("/me/v1/certificates/{}", "0".repeat(32));
    assert_eq!(house.plain(At::Public, Method::GET, &unknown, &[], None).await.status, 404);

    let check = async |document: &Value| {
        let file = house.home.path("certificate.json");
        std::fs::write(&file, document.to_string()).unwrap();
        house.home.run(&["certificate", "verify", file.to_str().unwrap(), "--data", "data"]).await
    };
    let good = check(&certificate).await;
    assert_eq!(good.code, 0, "{} {}", good.out, good.err);
    let mut altered = 0;
    for field in [
        "/dct:issued",
        "/chatward:keyDestroyed",
        "/chatward:tables/4/dct:extent",
        "/chatward:log/chatward:index",
        "/chatward:log/chatward:event",
        "/chatward:log/chatward:checkpoint",
        "/chatward:log/chatward:path/0",
        "/chatward:proof/chatward:signature",
        "/dpv:hasDataSubject/dpv:hasIdentifier",
    ] {
        let mut other = certificate.clone();
        let Some(value) = other.pointer_mut(field) else { panic!("{field}: {certificate}") };
        *value = match value {
            Value::Number(n) => json!(n.as_u64().unwrap() + 1),
            // One time in 64 an A stands there already.
            Value::String(text) => {
                let other = if text[3..].starts_with('A') { 'B' } else { 'A' };
                json!(format!("{}{other}{}", &text[..3], &text[4..]))
            }
            other => panic!("{field}: {other}"),
        };
        let bad = check(&other).await;
        assert_eq!(bad.code, 1, "{field}: {}", bad.out);
        altered += 1;
    }
    assert_eq!(altered, 9);
}

#[tokio::test]
async fn frozen_data_is_read_by_no_role_and_by_its_customer_alone() {
    let house = Within::with_page(PURPOSES).await;
    let ann = house.customers(1).await.remove(0);
    let turn = house.writes(&ann, "Mail me at ann.canary@mail.example").await.turn();
    let all = [Role::Analyst, Role::PrivacyOfficer, Role::Trainer, Role::Auditor, Role::Admin];
    let staff = house.staff(&all.map(|role| vec![role]).iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
    let purposes = ["support", "privacy-request", "training", "audit", "operation"];
    let look = async |at: usize| {
        let path = format!("/admin/v1/turns/{turn}/received?purpose={}&ticket=1", purposes[at]);
        let one = house.get(&staff[at], &path).await;
        let path = format!("/admin/v1/customers/{}?purpose={}&ticket=1", ann.customer.unwrap(), purposes[at]);
        (one.status, house.get(&staff[at], &path).await.status)
    };
    assert_eq!([look(0).await, look(1).await, look(2).await], [(200, 200); 3]);
    let freeze = |on: bool| json!({ "restricted": on });
    assert_eq!(own(&house, &ann, Method::PUT, "/me/v1/restriction", Some(&freeze(true))).await.status, 200);
    for at in 0..staff.len() {
        assert_eq!(look(at).await, (403, 403), "{at}");
    }
    let received = format!("/me/v1/turns/{turn}/received");
    assert_eq!(own(&house, &ann, Method::GET, &received, None).await.status, 200);
    assert_eq!(own(&house, &ann, Method::PUT, "/me/v1/restriction", Some(&freeze(false))).await.status, 200);
    assert_eq!(look(0).await, (200, 200));
}

#[tokio::test]
async fn what_was_corrected_is_what_placeholders_stand_for() {
    let house = Within::with_page(PURPOSES).await;
    let ann = house.customers(1).await.remove(0);
    let page = house.page().await;
    house.writes_on(&page, &ann, "Mail me at wrong@mail.example").await;
    let list = own(&house, &ann, Method::GET, "/me/v1/conversations", None).await.json();
    let conversation = list["items"][0]["id"].as_str().unwrap().to_owned();
    let path = |label: &str| format!("/me/v1/conversations/{conversation}/values/{label}");
    let value = json!({ "value": "right@mail.example" });
    assert_eq!(own(&house, &ann, Method::PUT, &path("EMAIL_1"), Some(&value)).await.status, 204);
    assert_eq!(own(&house, &ann, Method::PUT, &path("EMAIL_7"), Some(&value)).await.status, 404);
    let empty = json!({ "value": " " });
    assert_eq!(own(&house, &ann, Method::PUT, &path("EMAIL_1"), Some(&empty)).await.status, 400);
    let copy = own(&house, &ann, Method::GET, "/me/v1/export", None).await;
    let files = files(&copy.body);
    let text = &files[&format!("conversations/{conversation}.json")];
    assert!(text.contains("right@mail.example"), "{text}");
    // Also once the tables are loaded anew, and although the old value is sent along again.
    let answer = house.writes_on(&page, &ann, "Is it wrong@mail.example still?").await;
    assert!(answer.text().contains("right@mail.example"), "{}", answer.text());
}

#[tokio::test]
async fn each_class_goes_at_its_deadline_and_a_hold_wins() {
    let keep = "[purposes.service]\nkeep = { payment = \"1d\", identity = \"2d\", interaction = \"3d\" }\n";
    let house = Within::with_page(keep).await;
    let [ann, bob] = house.customers(2).await.try_into().ok().unwrap();
    let officer = house.staff(&[&[Role::PrivacyOfficer]]).await.remove(0);
    let auditor = house.staff(&[&[Role::Auditor]]).await.remove(0);
    let text = "Card 4111 1111 1111 1111 and mail x.canary@mail.example please";
    for who in [&ann, &bob] {
        house.writes(who, text).await;
    }
    let until = house.clock_millis() + 10 * DAY * 1000;
    let hold = json!({ "until": until, "purpose": "privacy-request", "reason": "a law suit", "ticket": "7" });
    let path = format!("/admin/v1/customers/{}/hold", bob.customer.unwrap());
    let held = house.by(&officer, At::Private, Method::PUT, &path, &[], Some(&hold)).await;
    assert_eq!(held.status, 200, "{}", held.text());
    let gate = &house.inside.gate;
    let values = async |of: CustomerId| {
        let rows = gate.store.conversations_of(&gate.tenant, of, None, 10).await.unwrap();
        let mut classes = Vec::new();
        for row in &rows {
            let known = gate.store.conversation(&gate.tenant, row.id).await.unwrap().unwrap();
            classes.extend(known.issued.iter().flat_map(|row| row.classes.iter().map(|class| class.name())));
        }
        (rows.len(), classes)
    };
    let sweep = async || {
        let done = house.home.run(&[&["retention", "sweep"][..], &PLACES].concat()).await;
        assert_eq!(done.code, 0, "{} {}", done.out, done.err);
        done.out
    };
    let (a, b) = (ann.customer.unwrap(), bob.customer.unwrap());
    sweep().await;
    assert_eq!(values(a).await, (1, vec!["identity", "payment"]));
    let due = house.get(&auditor, "/admin/v1/retention").await.json();
    assert_eq!((&due["turns"], &due["values"]), (&json!(0), &json!({})));
    house.clock.wait(DAY + 60);
    let auditor = house.again(&auditor).await;
    let day = DAY * 1000;
    let path = format!("/admin/v1/retention?until={}", house.clock_millis() + 2 * day);
    let due = house.get(&auditor, &path).await.json();
    assert_eq!((&due["turns"], &due["values"]["payment"]), (&json!(1), &json!(1)), "{due}");
    sweep().await;
    assert_eq!(values(a).await, (1, vec!["identity"]), "the card went, the mail did not");
    house.clock.wait(DAY);
    sweep().await;
    assert_eq!(values(a).await, (1, vec![]));
    assert_eq!(
        gate.store
            .turns_of(
                &gate.tenant,
                gate.store.conversations_of(&gate.tenant, a, None, 1).await.unwrap()[0].id
            )
            .await
            .unwrap()
            .len(),
        1
    );
    house.clock.wait(DAY);
    sweep().await;
    assert_eq!(values(a).await, (0, vec![]));
    assert_eq!(values(b).await, (1, vec!["identity", "payment"]), "a hold wins");
    let officer = house.again(&officer).await;
    let why = json!({ "purpose": "privacy-request", "reason": "asked for", "ticket": "8" });
    let path = format!("/admin/v1/customers/{b}/erase");
    let refused = house.post(&officer, &path, &why).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "held"), "{}", refused.text());
    house.clock.wait(8 * DAY);
    sweep().await;
    assert_eq!(values(b).await, (0, vec![]), "and ends");
}

#[tokio::test]
async fn withdrawing_takes_the_purpose_from_what_is_kept() {
    let house = Within::with_page(PURPOSES).await;
    let ann = house.customers(1).await.remove(0);
    let decide = async |agreed: bool| {
        let body = json!({ "agreed": agreed });
        own(&house, &ann, Method::PUT, "/me/v1/consents/training", Some(&body)).await.status
    };
    assert_eq!(decide(true).await, 200);
    let turn = house.writes(&ann, "Mail me at ann.canary@mail.example").await.turn();
    let gate = &house.inside.gate;
    let row = async || gate.store.turn(&gate.tenant, turn.parse().unwrap()).await.unwrap().unwrap();
    assert!(row().await.purposes.contains(chatward_message::Purpose::TRAINING));
    assert_eq!(decide(false).await, 200);
    assert!(!row().await.purposes.contains(chatward_message::Purpose::TRAINING));
}

#[tokio::test]
async fn a_request_is_answered_in_order_and_in_time() {
    let house = Within::with_page(PURPOSES).await;
    let [ann, bob] = house.customers(2).await.try_into().ok().unwrap();
    let officer = house.staff(&[&[Role::PrivacyOfficer]]).await.remove(0);
    let asks = json!({ "right": "rectify", "text": "my street is wrong" });
    let filed = own(&house, &ann, Method::POST, "/me/v1/requests", Some(&asks)).await.json();
    assert_eq!(filed["state"], "identified", "she showed a second factor just now");
    let id = filed["id"].as_str().unwrap().to_owned();
    let foreign = json!({ "text": "hello" });
    let path = format!("/me/v1/requests/{id}/messages");
    assert_eq!(own(&house, &bob, Method::POST, &path, Some(&foreign)).await.status, 404);
    let list = house.get(&officer, "/admin/v1/requests").await;
    assert!(list.text().contains(&id) && !list.text().contains("street"), "{}", list.text());
    let one = format!("/admin/v1/requests/{id}?purpose=privacy-request&ticket=12");
    assert!(house.get(&officer, &one).await.text().contains("my street is wrong"));
    let step = async |step: &str, text: &str| {
        let body = json!({ "step": step, "text": text, "purpose": "privacy-request", "ticket": "12", "reason": "a request" });
        house.post(&officer, &format!("/admin/v1/requests/{id}/steps"), &body).await
    };
    let early = step("finish", "done").await;
    assert_eq!((early.status, early.code().as_str()), (409, "request-order"), "{}", early.text());
    assert_eq!(step("begin", "").await.json()["state"], "in-work");
    assert_eq!(step("finish", "It is right now.").await.json()["state"], "done");
    let late = step("say", "one more thing").await;
    assert_eq!((late.status, late.code().as_str()), (409, "request-closed"));
    let own = own(&house, &ann, Method::GET, "/me/v1/requests", None).await.json();
    assert_eq!(own[0]["messages"][1]["text"], "It is right now.");
}

/// Figures, and no test: run with `--ignored --nocapture`.
mod embedded {
    use std::time::Instant;

    use chatward_message::{
        Action, ConversationId, CustomerId, Event, Facts, KeySlot, Place, Purposes, TurnId,
    };
    use chatward_store::{CloseTurn, OpenTurn, TurnState};

    use super::*;

    const CUSTOMERS: u64 = 10_000;
    const TURNS: u64 = 25;

    fn id(customer: u64, turn: u64) -> [u8; 16] {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&(turn * CUSTOMERS + customer).to_be_bytes());
        id
    }

    async fn turn(house: &Within, customer: u64, n: u64, slot: KeySlot, key: &chatward_vault::CustomerKey) {
        let gate = &house.inside.gate;
        let turn = TurnId::from_bytes(id(customer, n + 1));
        let place = Place { tenant: &gate.tenant, table: "turns", column: "received", row: turn.as_bytes() };
        let event = |action| Event {
            at: gate.clock.now(),
            tenant: gate.tenant.clone(),
            action,
            turn: Some(turn),
            subject: None,
            facts: Facts::default(),
        };
        let of = CustomerId::from_bytes(id(customer, 0));
        let opened = OpenTurn {
            tenant: gate.tenant.clone(),
            turn,
            conversation: ConversationId::from_bytes(id(customer, 0)),
            customer: of,
            slot,
            upstream: "bot".into(),
            at: gate.clock.now(),
            purposes: Purposes::SERVICE,
            standing: 0,
            issued: None,
            received: gate.vault.seal(key, place, &[b'x'; 200]).unwrap(),
            event: event(Action::TurnOpened),
        };
        gate.store.open_turn(opened).await.unwrap();
        let closed = CloseTurn {
            tenant: gate.tenant.clone(),
            turn,
            at: gate.clock.now(),
            state: TurnState::Closed,
            reply: None,
            history_tags: vec![id(customer, n + 1)],
            event: event(Action::TurnClosed),
        };
        gate.store.close_turn(closed).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "figures"]
    async fn measure_erasing_many() {
        let bot = Bot::new().await;
        let house = std::sync::Arc::new(Within::configured(&bot, PURPOSES).await);
        let began = Instant::now();
        for some in (0..CUSTOMERS).collect::<Vec<_>>().chunks(256) {
            let tasks: Vec<_> = some
                .iter()
                .map(|customer| {
                    let (house, customer) = (std::sync::Arc::clone(&house), *customer);
                    tokio::spawn(async move {
                        let (slot, key) = house.inside.gate.vault.fresh_customer().await.unwrap();
                        for n in 0..TURNS {
                            turn(&house, customer, n, slot, &key).await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
        let turns = CUSTOMERS * TURNS;
        println!("{turns} turns of {CUSTOMERS} customers made in {:?}", began.elapsed());
        let all: Vec<String> = (0..CUSTOMERS).map(|n| CustomerId::from_bytes(id(n, 0)).to_string()).collect();
        std::fs::write(house.home.path("all.txt"), all.join("\n")).unwrap();
        let began = Instant::now();
        let arguments = [&["customer", "erase", "--from", "all.txt"][..], &PLACES].concat();
        let mut command = house.home.command(&arguments);
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        println!("erased in {:?}", began.elapsed());
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        println!("{} lines, the first: {:?}", said.lines().count(), said.lines().next());
        assert_eq!(said.lines().count() as u64, 1 + CUSTOMERS, "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// One customer with a hundred thousand messages is erased while others write without a pause.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "figures"]
    async fn measure_erasing_one_under_load() {
        const MESSAGES: u64 = 100_000;
        const WRITERS: usize = 8;
        let house = std::sync::Arc::new(Within::with_page(PURPOSES).await);
        let (slot, key) = house.inside.gate.vault.fresh_customer().await.unwrap();
        let key = std::sync::Arc::new(key);
        let began = Instant::now();
        for some in (0..MESSAGES).collect::<Vec<_>>().chunks(256) {
            let tasks: Vec<_> = some
                .iter()
                .map(|n| {
                    let (house, key, n) = (std::sync::Arc::clone(&house), std::sync::Arc::clone(&key), *n);
                    tokio::spawn(async move { turn(&house, 0, n, slot, &key).await })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
        println!("{MESSAGES} messages of one customer made in {:?}", began.elapsed());
        let written = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let mut writing = Vec::new();
        for who in house.customers(WRITERS).await {
            let (house, written) = (std::sync::Arc::clone(&house), std::sync::Arc::clone(&written));
            writing.push(tokio::spawn(async move {
                loop {
                    house.writes(&who, "I am Ann and my mail is a@mail.example").await;
                    written.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }));
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let (began, before) = (Instant::now(), written.load(std::sync::atomic::Ordering::Relaxed));
        let customer = CustomerId::from_bytes(id(0, 0)).to_string();
        let mut command = house.home.command(&[&["customer", "erase", &customer][..], &PLACES].concat());
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let (time, after) = (began.elapsed(), written.load(std::sync::atomic::Ordering::Relaxed));
        println!("certificate after {time:?}; others wrote {} messages meanwhile", after - before);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(said.contains("certificate: "), "{said} {}", String::from_utf8_lossy(&done.stderr));
        for one in writing {
            one.abort();
        }
    }
}
