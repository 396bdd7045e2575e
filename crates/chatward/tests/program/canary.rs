//! Planted values: whatever way they come in, none is found in any file, log line, metric or error, and none reaches the
//! bot.

use http::Method;
use serde_json::json;

use super::harness::{Act, Bot, Home, Play, ask, ask_stream, files, until};

const KEY: &str = "sk-canary";

/// Digits from a number that is never the same twice.
fn digits(seed: u64, n: usize) -> String {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    while text.len() < n {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        text.push(char::from(b'1' + u8::try_from(x % 9).unwrap()));
    }
    text
}

fn card(seed: u64) -> String {
    let body = format!("4{}", digits(seed, 14));
    let check = (0..10).find(|check| luhn(&format!("{body}{check}"))).unwrap();
    format!("{body}{check}")
}

fn luhn(number: &str) -> bool {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

fn iban(seed: u64) -> String {
    let account = digits(seed, 18);
    // `DE00` behind the account, letters as numbers (ISO 13616): D is 13, E is 14.
    let remainder = format!("{account}131400").bytes().fold(0, |r, b| (r * 10 + u32::from(b - b'0')) % 97);
    format!("DE{:02}{account}", 98 - remainder)
}

fn grouped(text: &str, sizes: &[usize], by: &str) -> String {
    let mut rest = text;
    let parts = sizes.iter().map(|n| {
        let (part, tail) = rest.split_at(*n);
        rest = tail;
        part.to_owned()
    });
    parts.collect::<Vec<_>>().join(by)
}

/// A sentence and the planted value in it, by number. Every value is one of its kind.
fn planted(n: u64) -> (String, String) {
    let seed = 7919 * (n + 1);
    let value = match n % 8 {
        0 => grouped(&card(seed), &[4, 4, 4, 4], " "),
        1 => card(seed),
        2 => format!("planted.nr{n}x{}@mail.example", digits(seed, 4)),
        3 => iban(seed),
        4 => format!("5{}-4{}-{}", digits(seed, 2), digits(seed + 1, 1), digits(seed + 2, 4)),
        5 => format!("+49 30 {}", digits(seed, 8)),
        6 => format!("Pw{}!{}q", digits(seed, 4), digits(seed + 3, 5)),
        _ => format!("Planta{} Quorvik{}", letters(seed), letters(seed + 1)),
    };
    let sentence = match n % 8 {
        0 | 1 => format!("my card is {value} and the cvv is 739"),
        2 => format!("write to {value} please"),
        3 => format!("my IBAN: {value}"),
        4 => format!("my social security number is {value}"),
        5 => format!("call me at {value}"),
        6 => format!("my password is {value}"),
        _ => format!("Hello, my name is {value}."),
    };
    (sentence, value)
}

fn letters(seed: u64) -> String {
    digits(seed, 5).bytes().map(|digit| char::from(digit - b'1' + b'a')).collect()
}

/// What to look for: the value as it was written, and for numbers without what stands between the digits.
fn needles(value: &str) -> Vec<String> {
    let mut all = vec![value.to_owned()];
    let bare: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    if bare.bytes().filter(u8::is_ascii_digit).count() >= 8 {
        all.push(bare.trim_start_matches(char::is_alphabetic).to_owned());
    }
    if let Some((first, last)) = value.split_once(" Q") {
        all.extend([first.to_owned(), format!("Q{last}")]);
    }
    all
}

fn absent(place: &str, bytes: &[u8], needles: &[String]) {
    for needle in needles {
        assert!(memchr::memmem::find(bytes, needle.as_bytes()).is_none(), "{needle} stands in {place}");
    }
}

// long: one load, and then every place is searched for it.
#[tokio::test]
async fn canary_nothing_planted_is_found_anywhere() {
    let (home, bot) = (Home::new(), Bot::new().await);
    home.configure("[log]\nlevel = \"debug\"\n[server]\nmax_body_bytes = 20000\n");
    let own_words = [Act::head("500 Oops", "text/plain"), Act::send("upset by "), Act::SendAsked];
    bot.play("wrong-shape", Play::Wire(own_words.into()));
    let error = [
        Act::head("429 No", "application/json"),
        Act::send("{\"error\":{\"message\":\"upset by "),
        Act::SendAsked,
        Act::send("\",\"type\":\"x\",\"param\":null,\"code\":null}}"),
    ];
    bot.play("repeats", Play::Wire(error.into()));
    let gateway = home.serve(&bot).await;
    let mail = "planted.header@mail.example";
    let mut all = vec![mail.to_owned()];
    let mut errors = Vec::new();
    let mut turns = Vec::new();
    let mut number = 0..;
    let mut plant = || {
        let (sentence, value) = planted(number.next().unwrap());
        all.extend(needles(&value));
        (sentence, value)
    };

    // Plain and streamed, each kind in each way, some in a conversation that goes on.
    for round in 0..32 {
        let (sentence, value) = plant();
        let body = if round % 2 == 0 { ask("echo", &sentence) } else { ask_stream("echo", &sentence) };
        let conversation = format!("c{}", round / 16);
        let named = [("chatward-conversation", &*conversation)];
        let answer = gateway.chat(KEY, if round < 16 { &named } else { &[] }, &body).await;
        let content = answer.content();
        if value.starts_with("Pw") {
            assert!(!content.contains(&value), "a password came back: {content}");
        } else {
            assert!(content.contains(&value), "not restored: {content}");
        }
        assert!(!content.contains("739"), "a card code came back: {content}");
        turns.push((answer.turn(), bot.last().body));
    }
    // Ids that are values themselves.
    for field in ["user", "safety_identifier"] {
        let (sentence, value) = plant();
        let mut body = ask("echo", &sentence);
        body[field] = json!(value);
        gateway.chat(KEY, &[], &body).await.content();
    }
    let (sentence, value) = plant();
    let mut body = ask("echo", &sentence);
    body["metadata"] = json!({"conversation_id": value, "customer_id": value, "note": value});
    gateway.chat(KEY, &[], &body).await.content();
    let (sentence, _) = plant();
    let strange = [
        ("chatward-conversation", mail),
        ("referer", mail),
        ("cookie", mail),
        ("baggage", mail),
        ("tracestate", mail),
        ("x-forwarded-for", mail),
    ];
    gateway.chat(KEY, &strange, &ask("echo", &sentence)).await.content();
    // The bot's own words about a value: restored for its owner, and nowhere else.
    let (sentence, _) = plant();
    let restored = gateway.chat(KEY, &[], &ask("repeats", &sentence)).await;
    assert_eq!(restored.status, 429);
    let (sentence, _) = plant();
    errors.push(gateway.chat(KEY, &[], &ask("wrong-shape", &sentence)).await);
    // Requests that never become a turn.
    let bearer = format!("Bearer {KEY}");
    let post = async |path: &str, body: String| {
        gateway.send(Method::POST, path, &[("authorization", &bearer)], body).await
    };
    let (sentence, value) = plant();
    errors.push(post("/v1/chat/completions", format!("{{\"messages\": \"{sentence}\",,}}")).await);
    errors.push(post("/v1/chat/completions", format!("{{\"{value}\": 1, \"{value}\": 2}}")).await);
    let (_, value) = plant();
    errors.push(post("/v1/chat/completions", format!("{{\"messages\": [{{\"role\": \"{value}\"}}]}}")).await);
    errors.push(post("/v1/chat/completions", format!("{{\"messages\": {{\"{value}\": []}}}}")).await);
    let (sentence, _) = plant();
    errors.push(post("/v1/chat/completions", sentence.repeat(2000)).await);
    let (_, value) = plant();
    let bare: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    for path in ["/v1/", "/", "/me/v1/turns/", "/log/tile/", "/chat/"] {
        errors.push(gateway.get(&format!("{path}{bare}?q={bare}"), &[("authorization", &bearer)]).await);
        errors.push(gateway.get(&format!("{path}{bare}/received"), &[("authorization", &bearer)]).await);
    }
    errors.push(gateway.admin(&format!("/admin/v1/turns/{bare}/received")).await);
    errors.push(gateway.admin(&format!("/{bare}?x={bare}")).await);
    let erased = home.run(&["customer", "erase", mail, "--data", "data", "--keys", "keys"]).await;
    assert_eq!(erased.code, 5, "{erased:?}");

    // What the bot saw, and that it is what it is shown to be.
    assert!(bot.seen().len() > 36);
    for seen in bot.seen() {
        absent("what the bot received", &seen.body, &all);
        absent("what the bot received", seen.head.as_bytes(), &all);
        // As a number of its own: three digits stand in many a keyed hash by chance.
        let text = seen.text();
        let code = text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "739");
        assert!(!code, "a card code reached the bot: {text}");
    }
    for (turn, body) in turns {
        assert_eq!(gateway.received(KEY, &turn).await.body, body, "received is not what was sent");
    }
    for error in &errors {
        assert!(error.status >= 400, "{error:?}");
        absent("an error", &error.body, &all);
    }
    assert!(errors.iter().filter(|error| error.status == 400).count() >= 4, "{errors:?}");
    assert!(errors.iter().any(|error| error.status == 413) && errors.iter().any(|error| error.status == 500));
    absent("the metrics", &gateway.admin("/metrics").await.body, &all);
    // While it runs the write-ahead log is there too.
    let look = |when: &str| {
        let found: Vec<_> = [home.data(), home.keys()].iter().flat_map(|folder| files(folder)).collect();
        // Two databases less, if they are on a server.
        assert!(found.len() > if super::harness::server().is_some() { 6 } else { 8 }, "{found:?}");
        for file in found {
            let bytes = std::fs::read(&file).unwrap_or_default();
            absent(&format!("{} {when}", file.display()), &bytes, &all);
        }
        if super::harness::server().is_some() {
            for database in [home.store(), home.keyring()] {
                absent(&format!("a dump of {database:?} {when}"), &database.dump(), &all);
            }
        }
    };
    look("while running");
    copies_are_clean(&home, &all).await;
    until("the log to be published", async || {
        let closed = super::harness::log_events(&home.data());
        closed.iter().filter(|event| event["action"] == "turn-closed").count() >= 32
    })
    .await;
    assert_eq!(gateway.stop().await, 0);
    look("afterwards");
    let printed = gateway.printed();
    assert!(printed.lines().count() > 30, "no log to look at: {printed}");
    absent("what it printed", printed.as_bytes(), &all);
}

/// What is copied, and what is told about everybody, holds none of it either.
async fn copies_are_clean(home: &Home, all: &[String]) {
    const PLACES: [&str; 4] = ["--data", "data", "--keys", "keys"];
    let run = async |what: &[&str]| {
        let done = home.run(&[what, &PLACES].concat()).await;
        assert_eq!(done.code, 0, "{what:?}: {done:?}");
        absent(&what.join(" "), done.out.as_bytes(), all);
        absent(&what.join(" "), done.err.as_bytes(), all);
    };
    // A store on a server has backups of its own (`docs/postgresql.md`): its dump is looked at elsewhere.
    if super::harness::server().is_none() {
        run(&["backup", "--to", "copy"]).await;
        run(&["backup", "--keyring", "--to", "copy-keys"]).await;
        let found: Vec<_> = ["copy", "copy-keys"].iter().flat_map(|to| files(&home.path(to))).collect();
        assert!(found.len() > 3, "{found:?}");
        for file in found {
            absent(&file.display().to_string(), &std::fs::read(&file).unwrap(), all);
        }
    }
    for what in ["processing", "inventory", "pci-scope"] {
        run(&["records", what]).await;
    }
    run(&["retention", "due"]).await;
}

#[tokio::test]
async fn canary_a_value_the_bot_knows_from_elsewhere_is_masked_and_not_kept() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let (mut all, mut contents) = (Vec::new(), Vec::new());
    for (at, size) in [1, 3, 7, 1000].into_iter().enumerate() {
        let number = grouped(&card(4242 + at as u64), &[4, 4, 4, 4], " ");
        bot.play("leak", Play::Say(format!("It is {number}, and its cvv is 739. Bye."), size));
        for body in [ask("leak", "What was my card?"), ask_stream("leak", "What was my card?")] {
            let answer = gateway.chat(KEY, &[], &body).await;
            let content = answer.content();
            assert!(content.starts_with("It is ") && content.ends_with(" Bye."), "{content}");
            assert!(content.contains(&number[15..]), "the last four are shown: {content}");
            absent("the answer", &answer.body, &needles(&number));
            assert!(!content.contains("739"), "a card code came out: {content}");
            contents.push(content);
        }
        all.extend(needles(&number));
        assert_eq!(contents[2 * at], contents[2 * at + 1], "whole and stream differ");
    }
    gateway.stop().await;
    for file in files(&home.data()) {
        absent(&file.display().to_string(), &std::fs::read(&file).unwrap(), &all);
    }
    if super::harness::server().is_some() {
        absent("a dump of the database", &home.store().dump(), &all);
    }
}
