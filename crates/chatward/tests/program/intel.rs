//! Feeds of threat intelligence, as the operator sees them; and a feed's server that does everything wrong while customers
//! are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chatward::control::{self, Answer, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::harness::{Bot, Home, Play, ask, log_events, until};

#[tokio::test]
async fn the_operator_adds_tests_looks_and_shares() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let list = home.path("list.txt");
    home.configure(&format!(
        "[upstreams.bot]\nurl = \"{}\"\n[[intel.feeds]]\nname = \"list\"\nform = \"lines\"\nfile = {list:?}\nthreat = \"phishing\"\n",
        bot.url()
    ));
    std::fs::write(&list, "evil.example\ngoogle.com\n").unwrap();
    let gateway = home.start(&[]).await;
    let at = |more: &[&'static str]| {
        let folders = ["--data", "data", "--keys", "keys", "--config", "chatward.toml"];
        more.iter().copied().chain(folders).collect::<Vec<_>>()
    };
    until("the feed", async || {
        home.run(&at(&["intel", "test", "http://www.evil.example/login"])).await.code == 1
    })
    .await;
    let tested =
        home.run(&at(&["intel", "test", "http://evil.example/", "good.example", "google.com", "no"])).await;
    assert!(tested.out.contains("http://evil.example/: listed: list, by domain, phishing"), "{tested:?}");
    assert!(tested.out.contains("good.example: not listed") && tested.out.contains("google.com: not listed"));
    let added = home.run(&at(&["intel", "add", "http://kit.example/login", "microsoft.com"])).await;
    assert_eq!(added.code, 1, "{added:?}");
    assert!(added.out.contains("1 on the list") && added.err.contains("microsoft.com"), "{added:?}");
    assert_eq!(home.run(&at(&["intel", "test", "http://kit.example/login/now"])).await.code, 1);
    let status = home.run(&at(&["intel", "status"])).await;
    assert_eq!(status.code, 0, "{status:?}");
    assert!(
        status.out.contains("list: 1 indicators") && status.out.contains("own: 1 indicators"),
        "{status:?}"
    );
    assert!(status.out.contains("1 stopped by warning lists"), "{status:?}");
    assert!((gateway.metric("chatward_intel_indicators{feed=\"list\"}").await - 1.0).abs() < 0.1);
    let shared = home.run(&at(&["intel", "share", "--format", "stix"])).await;
    let bundle: serde_json::Value = serde_json::from_str(&shared.out).unwrap();
    assert_eq!(bundle["objects"][1]["pattern"], "[url:value = 'http://kit.example/login']");
    // A feed that goes is told, and its list stays.
    std::fs::remove_file(&list).unwrap();
    until("the fault", async || home.run(&at(&["intel", "status"])).await.code == 1).await;
    assert_eq!(home.run(&at(&["intel", "test", "evil.example"])).await.code, 1);
    gateway.stop().await;
    // With no process running, on the folder itself.
    assert_eq!(home.run(&at(&["intel", "test", "evil.example"])).await.code, 1);
    for taken in ["1 taken off the list", "0 taken off the list"] {
        let removed = home.run(&at(&["intel", "remove", "http://kit.example/login"])).await;
        assert!(removed.code == 0 && removed.out.contains(taken), "{removed:?}");
    }
    assert_eq!(home.run(&at(&["intel", "test", "http://kit.example/login"])).await.code, 0);
    // Each change stands in the log, with a hash of what the list was then that nobody can guess at, and who did it; what changed nothing does
    // not.
    let changes: Vec<_> = log_events(&home.data())
        .into_iter()
        .filter(|event| event["action"].as_str().is_some_and(|action| action.starts_with("indicators-")))
        .collect();
    let actions: Vec<&serde_json::Value> = changes.iter().map(|event| &event["action"]).collect();
    assert_eq!(actions, ["indicators-listed", "indicators-unlisted"]);
    for event in &changes {
        let key = event["key"].as_str().unwrap();
        assert!(event["rows"] == 1 && event["actor"].is_string() && key.len() == 32, "{event}");
    }
    assert_ne!(changes[0]["key"], changes[1]["key"]);
}

#[tokio::test]
async fn patterns_count_in_turns_and_what_turned_up_is_shared() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let (list, patterns) = (home.path("list.txt"), home.path("patterns.json"));
    let pattern =
        |text: &str| serde_json::json!({ "type": "indicator", "pattern_type": "stix", "pattern": text });
    let bundle = serde_json::json!({ "type": "bundle", "objects": [
        pattern("[url:value LIKE 'http://%.kit.example/login%']"),
        pattern("[domain-name:value = 'one.example' AND email-addr:value = 'pay@two-kit.com']"),
    ]});
    std::fs::write(&list, "evil-kit.com\n").unwrap();
    std::fs::write(&patterns, bundle.to_string()).unwrap();
    home.configure(&format!(
        "[upstreams.bot]\nurl = \"{}\"\n[refusal]\nstyle = \"error\"\n\
         [[threats.responses]]\nchannel = \"customer\"\nthreat = \"phishing\"\nat = 1.0\nresponse = \"block\"\n\
         [[threats.responses]]\nchannel = \"bot\"\nthreat = \"phishing\"\nat = 1.0\nresponse = \"block\"\n\
         [[intel.feeds]]\nname = \"list\"\nform = \"lines\"\nfile = {list:?}\ntlp = \"green\"\nconfidence = 100\n\
         [[intel.feeds]]\nname = \"patterns\"\nform = \"stix\"\nconfidence = 100\nfile = {patterns:?}\n",
        bot.url()
    ));
    let gateway = home.start(&[]).await;
    for feed in ["chatward_intel_indicators{feed=\"list\"}", "chatward_intel_patterns{feed=\"patterns\"}"] {
        until("the feeds", async || gateway.metric(feed).await > 0.5).await;
    }
    for (text, status) in [
        ("is http://a.kit.example/login/me really yours?", 400),
        ("is http://a.kit.example/help really yours?", 200),
        ("http://one.example/ says I should write to pay@two-kit.com", 400),
        ("http://one.example/ says I should write to you", 200),
        ("pay@two-kit.com says I should write to you", 200),
        ("anna@mail.evil-kit.com says I should write to you", 400),
        ("what is http://www.evil-kit.com/anna about, and http://evil-kit.com/anna?", 400),
    ] {
        let answered = gateway.chat("sk", &[], &ask("echo", text)).await;
        assert_eq!(answered.status, status, "{text}: {}", answered.text());
    }
    for (name, said) in [
        (
            "listed",
            "Of course: go to http://evil-kit.com/anna and sign in, then come back to me and tell me.",
        ),
        (
            "fitting",
            "Of course: go to http://b.kit.example/login/x and sign in, then come back to me and tell me.",
        ),
    ] {
        bot.play(name, Play::Say(said.to_owned(), 8));
        let answered = gateway.chat("sk", &[], &ask(name, "where can I sign in?")).await;
        let let_through = ["/anna", "/login"].iter().any(|path| answered.text().contains(path));
        assert!(!let_through, "{name}: {}", answered.text());
    }
    gateway.stop().await;
    // With no process running, on the folder itself: a message and an answer, each counted once.
    let folders = ["--data", "data", "--keys", "keys", "--config", "chatward.toml"];
    let shared = home.run(&[&["intel", "share"][..], &folders].concat()).await;
    let bundle: serde_json::Value = serde_json::from_str(&shared.out).unwrap();
    let objects = bundle["objects"].as_array().unwrap();
    let sightings: Vec<_> = objects.iter().filter(|object| object["type"] == "sighting").collect();
    assert_eq!((sightings.len(), &sightings[0]["count"]), (1, &serde_json::json!(3)), "{}", shared.out);
    assert!(!shared.out.contains("anna"), "{}", shared.out);
    assert_eq!(objects[1]["pattern"], "[domain-name:value = 'evil-kit.com']");
}

/// Numbers that follow from the last (xorshift).
fn throw(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % below
}

/// An answer as none should be.
fn wrong(seed: &mut u64) -> Vec<u8> {
    let text = |head: &str, body: &str| format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes();
    let deep = format!("{{\"objects\":{}", "[".repeat(5000));
    match throw(seed, 10) {
        0 => Vec::new(),
        1 => (0..300).map(|_| throw(seed, 256) as u8).collect(),
        2 => text("500 X", ""),
        3 => text("302 X\r\nlocation: http://127.0.0.1:1/", ""),
        4 => text("200 OK\r\ncontent-length: 99999999", "{\"objects\":["),
        5 => text("200 OK\r\ncontent-length: 18446744073709551616", "{"),
        6 => text("200 OK\r\ncontent-encoding: gzip", "{}"),
        7 => text("200 OK\r\nconnection: close", &deep),
        8 => text(
            "200 OK\r\nconnection: close",
            "{\"type\":\"bundle\",\"objects\":[{\"type\":\"indicator\",\"pattern\":\"[\"}]}",
        ),
        _ => text("200 OK\r\nconnection: close", "{\"type\":\"bundle\",\"objects\":[]}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_of_a_feed_stops_a_turn() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut seed = 7u64;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 2048];
            let _ = stream.read(&mut head).await;
            let good = "{\"type\":\"bundle\",\"objects\":[{\"type\":\"indicator\",\"pattern\":\"[domain-name:value = 'evil.example']\"}]}";
            let answer = match count.fetch_add(1, Ordering::SeqCst) {
                0 => format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{good}").into_bytes(),
                _ => wrong(&mut seed),
            };
            let _ = stream.write_all(&answer).await;
        }
    });
    home.configure(&format!(
        "[upstreams.bot]\nurl = \"{}\"\n[limits]\nper_caller = 0\nper_address = 0\n[[intel.feeds]]\nname = \"bad\"\nform = \"stix\"\nurl = \"http://{place}/\"\nevery = \"1h\"\ntime_limit = \"2s\"\n",
        bot.url()
    ));
    let gateway = home.start(&[]).await;
    until("the good one", async || asked.load(Ordering::SeqCst) > 0).await;
    let (mut slowest, data) = (Duration::ZERO, home.data());
    for round in 0..500u32 {
        let pull = Request::IntelPull { feed: Some("bad".to_owned()) };
        let answer = control::ask(&data, &pull).await.unwrap();
        assert!(matches!(answer, Answer::Intel { .. }), "{answer:?}");
        if round % 10 == 0 {
            let start = Instant::now();
            assert_eq!(gateway.chat("sk", &[], &ask("echo", "hello")).await.status, 200);
            slowest = slowest.max(start.elapsed());
        }
    }
    assert!(asked.load(Ordering::SeqCst) > 500 && slowest < Duration::from_secs(5), "{slowest:?}");
    let test = Request::IntelTest { values: vec!["http://evil.example/login".to_owned()] };
    let Answer::IntelTested { tested } = control::ask(&data, &test).await.unwrap() else {
        panic!("no answer")
    };
    assert_eq!(tested[0].by.len(), 1, "what was taken stays: {tested:?}");
    assert!(gateway.admin("/readyz").await.status == 200);
    gateway.stop().await;
}
