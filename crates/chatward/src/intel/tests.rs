use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chatward_detect::indicator::Tlp;
use chatward_intel::Acceptance;
use chatward_intel::pattern::{Fact, Property};
use chatward_intel::share;
use chatward_message::FixedClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::config::intel::{FeedForm, From};

mod sharing;

const START: UnixMillis = UnixMillis(1_790_812_800_000);

/// What a server does with a request.
enum Play {
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These very bytes, then the end.
    Raw(Vec<u8>),
    /// These bytes, then nothing for ever.
    Hang(Vec<u8>),
}

fn answer(body: impl Into<Vec<u8>>) -> Play {
    Play::Answer(200, Vec::new(), body.into())
}

type Script = Arc<Mutex<dyn FnMut(&str) -> Play + Send>>;

/// A server that does as it is told with the head of each request, and what follows it. Gives its address.
async fn server(script: impl FnMut(&str) -> Play + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let script: Script = Arc::new(Mutex::new(script));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&script)));
        }
    });
    format!("http://{address}")
}

async fn serve(mut stream: TcpStream, script: Script) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let length = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    head.extend(body);
    let head = String::from_utf8_lossy(&head).into_owned();
    let play = script.lock().unwrap()(&head);
    match play {
        Play::Answer(status, headers, body) => {
            let mut text =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
            let _ = stream.write_all((text + "\r\n").as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
        Play::Raw(bytes) => drop(stream.write_all(&bytes).await),
        Play::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
    }
}

fn feed(name: &str, url: &str, form: FeedForm) -> Feed {
    Feed {
        name: name.into(),
        from: From::Url(url.parse().unwrap()),
        form,
        every: Duration::from_secs(3600),
        stale_after: Duration::from_secs(7200),
        key: None,
        proxy: None,
        max_bytes: 1 << 20,
        time_limit: Duration::from_secs(5),
        defaults: Record::default(),
        acceptance: Acceptance::default(),
    }
}

struct House {
    folder: tempfile::TempDir,
    clock: Arc<FixedClock>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    config: Config,
}

impl House {
    fn new(feeds: Vec<Feed>) -> Self {
        let config = Config { feeds, own_domains: vec!["shop.example".to_owned()], ..Config::default() };
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(FixedClock::at(START)),
            health: Arc::default(),
            metrics: Arc::new(Metrics::new([])),
            config,
        }
    }

    /// As after a start.
    fn start(&self) -> Arc<Intel> {
        let seen = (Arc::clone(&self.health), Arc::clone(&self.metrics));
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let intel = Intel::new(self.folder.path().join("intel"), [5; 16], clock, seen, &self.config);
        intel.load();
        Arc::new(intel)
    }
}

/// An entry of the house's own list.
fn own(value: &str, tlp: &str) -> OwnEntry {
    OwnEntry {
        value: value.to_owned(),
        confidence: Some(90),
        tlp: Some(tlp.to_owned()),
        ..OwnEntry::default()
    }
}

fn listed(intel: &Intel, text: &str) -> Option<String> {
    intel.lookup(&Value::guess(text).unwrap(), START).map(|listed| listed.feed.to_string())
}

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(|n| format!("n{n}.evil.example\n")).collect()
}

#[tokio::test]
async fn a_feed_is_taken_kept_and_asked_for_only_when_it_changed() {
    let version = Arc::new(AtomicU64::new(1));
    let now = Arc::clone(&version);
    let url = server(move |head| {
        let version = now.load(Ordering::SeqCst);
        if head.contains(&format!("if-none-match: \"v{version}\"")) {
            return Play::Answer(304, Vec::new(), Vec::new());
        }
        let body = if version == 1 { lines(0..10) } else { lines(5..15) };
        Play::Answer(200, vec![("etag", format!("\"v{version}\""))], body.into_bytes())
    })
    .await;
    let house = House::new(vec![feed("list", &url, FeedForm::Lines)]);
    let intel = house.start();
    intel.pull(Some("list")).await.unwrap();
    assert_eq!(listed(&intel, "http://n3.evil.example/x").as_deref(), Some("list"));
    assert_eq!(intel.pull(Some("other")).await, None);
    // The next start has it without asking, and then asks whether it changed.
    let intel = house.start();
    assert_eq!(listed(&intel, "n3.evil.example").as_deref(), Some("list"));
    intel.pull(None).await.unwrap();
    assert_eq!((intel.len(), intel.status()[0].failures), (10, 0));
    let edition = intel.edition();
    version.store(2, Ordering::SeqCst);
    intel.pull(None).await.unwrap();
    assert_eq!((listed(&intel, "n3.evil.example"), intel.len()), (None, 10));
    assert_ne!(
        intel.edition(),
        edition,
        "as many, but others: what was decided by the old ones is not remembered"
    );
    assert!(listed(&intel, "n14.evil.example").is_some());
    // Damaged, what was kept is not used, and all of the feed is asked for.
    let set = house.folder.path().join("intel/set");
    let mut bytes = std::fs::read(&set).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&set, bytes).unwrap();
    let intel = house.start();
    assert_eq!(intel.len(), 0);
    intel.pull(None).await.unwrap();
    assert_eq!(intel.len(), 10);
    // Under another key it tells nothing, not even whether something is listed.
    let text = String::from_utf8_lossy(&std::fs::read(&set).unwrap()).into_owned();
    assert!(!text.contains("evil"));
}

#[tokio::test]
async fn a_feed_that_is_poisoned_cut_or_away_changes_nothing() {
    let next = Arc::new(Mutex::new(answer(lines(0..500))));
    let play = Arc::clone(&next);
    let url =
        server(move |_| std::mem::replace(&mut *play.lock().unwrap(), Play::Answer(500, vec![], vec![])))
            .await;
    let mut one = feed("list", &url, FeedForm::Lines);
    one.time_limit = Duration::from_millis(400);
    let house = House::new(vec![one]);
    let intel = house.start();
    intel.pull(None).await.unwrap();
    assert_eq!(intel.len(), 500);
    let top = "google.com\npaypal.com\nfacebook.com\nmicrosoft.com\nshop.example\n";
    let zip = Play::Answer(200, vec![("content-encoding", "gzip".to_owned())], lines(0..500).into_bytes());
    let moved = Play::Answer(302, vec![("location", "http://127.0.0.1/".to_owned())], vec![]);
    let head = "HTTP/1.1 200 X\r\ncontent-length: 99999\r\n\r\nn1.evil.example\n";
    for (what, play, says) in [
        ("nothing", answer(""), "are gone"),
        ("a tenth", answer(lines(0..50)), "are gone"),
        ("rubbish", answer("<html>\n".repeat(500)), "malformed"),
        ("top sites", answer(top.repeat(100) + &lines(0..100)), "warning lists"),
        ("too long", answer("a.example\n".repeat(200_000)), "longer than"),
        ("compressed", zip, "compressed"),
        ("elsewhere", moved, "another place"),
        ("forbidden", Play::Answer(403, vec![], vec![]), "403"),
        ("cut", Play::Raw(head.as_bytes().to_vec()), "cannot be reached"),
        ("no HTTP", Play::Raw(b"\0\0\0".to_vec()), "cannot be reached"),
        ("slow", Play::Hang(head.as_bytes().to_vec()), "in time"),
        ("silent", Play::Hang(vec![]), "in time"),
    ] {
        *next.lock().unwrap() = play;
        intel.pull(None).await.unwrap();
        let status = &intel.status()[0];
        let error = status.error.clone().unwrap_or_default();
        assert!(error.contains(says), "{what}: {error}");
        assert_eq!(intel.len(), 500, "{what}");
        assert!(listed(&intel, "n499.evil.example").is_some(), "{what}");
    }
    assert_eq!(intel.status()[0].failures, 12);
    for name in ["google.com", "paypal.com", "shop.example"] {
        assert_eq!(listed(&intel, name), None);
    }
    // Nothing of it lies around.
    let files = std::fs::read_dir(house.folder.path().join("intel")).unwrap().flatten();
    let left: Vec<_> =
        files.map(|f| f.file_name().into_string().unwrap()).filter(|n| n.ends_with(".part")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_feed_without_an_answer_becomes_stale_and_says_so() {
    let house = House::new(vec![feed("list", &server(|_| answer(lines(0..3))).await, FeedForm::Lines)]);
    let intel = house.start();
    intel.pull(None).await.unwrap();
    house.clock.set(UnixMillis(START.0 + 7_100_000));
    intel.tell();
    assert!(house.health.degraded().is_empty());
    house.clock.set(UnixMillis(START.0 + 7_300_000));
    intel.tell();
    assert_eq!(house.health.degraded(), ["threat intelligence (list is stale)"]);
    let text = house.metrics.render(crate::seeing::Live::default());
    for line in ["chatward_intel_stale{feed=\"list\"} 1", "chatward_intel_indicators{feed=\"list\"} 3"] {
        assert!(text.contains(line), "{text}");
    }
    intel.pull(None).await.unwrap();
    assert!(house.health.degraded().is_empty());
}

#[tokio::test]
async fn keys_are_sent_and_proxies_are_used() {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&heads);
    let url = server(move |head| {
        seen.lock().unwrap().push(head.to_owned());
        answer(lines(0..3))
    })
    .await;
    // A proxy that connects to wherever it is told.
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = proxy.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(from.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let place = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
            let mut to = TcpStream::connect(place).await.unwrap();
            from.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move { drop(tokio::io::copy_bidirectional(&mut from, &mut to).await) });
        }
    });
    let raw: crate::config::Raw = toml::from_str(&format!(
        "[[intel.feeds]]\nname = \"list\"\nurl = \"{url}\"\nform = \"lines\"\nkey_env = \"PATH\"\nheader = \"Auth-Key\"\nproxy = \"http://{address}\"\n"
    ))
    .unwrap();
    let mut faults = Vec::new();
    let config = crate::config::intel::checked_for_tests(&raw.intel, &mut faults);
    assert!(faults.is_empty(), "{faults:?}");
    let house = House { config, ..House::new(vec![]) };
    let intel = house.start();
    intel.pull(None).await.unwrap();
    assert_eq!((intel.len(), asked.load(Ordering::SeqCst)), (3, 1), "{:?}", intel.status());
    let key = std::env::var("PATH").unwrap();
    assert!(heads.lock().unwrap()[0].contains(&format!("auth-key: {key}\r\n")));
    // Neither is said anywhere.
    assert!(!format!("{:?} {:?}", house.config, intel.status()).contains(&key));
}

fn indicator(pattern: &str, revoked: bool) -> String {
    format!(r#"{{"type":"indicator","pattern":"{pattern}","pattern_type":"stix","revoked":{revoked}}}"#)
}

#[tokio::test]
async fn a_collection_is_read_page_by_page_and_then_only_what_was_added() {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&heads);
    let url = server(move |head| {
        seen.lock().unwrap().push(head.lines().next().unwrap().to_owned());
        let page = |objects: &[String], more: &str, added: &str| {
            let body = format!(r#"{{"objects":[{}]{more}}}"#, objects.join(","));
            Play::Answer(200, vec![("x-taxii-date-added-last", added.to_owned())], body.into_bytes())
        };
        let (a, b) = ("[domain-name:value = 'a.example']", "[domain-name:value = 'b.example']");
        let like = "[url:value LIKE 'http://%.kit.example/login%']";
        if head.contains("added_after=") {
            page(
                &[
                    indicator(a, true),
                    indicator("[ipv4-addr:value = '198.51.100.7']", false),
                    indicator("[url:value LIKE 'http://%.other.example/%']", false),
                ],
                "",
                "2026-10-02T00:00:00.000000Z",
            )
        } else if head.contains("next=page+2") {
            page(&[indicator(b, false), indicator(like, false)], "", "2026-10-01T00:00:00.000000Z")
        } else {
            page(&[indicator(a, false)], r#","more":true,"next":"page 2""#, "2026-09-01T00:00:00.000000Z")
        }
    })
    .await;
    let house = House::new(vec![feed("taxii", &format!("{url}/api1/collections/x/"), FeedForm::Taxii)]);
    let intel = house.start();
    intel.pull(None).await.unwrap();
    assert_eq!((intel.len(), intel.status()[0].patterns), (2, 1), "{:?}", intel.status());
    let facts = [Fact::new(Property::Url, "http://x.kit.example/login")];
    let seen = [Observation { at: START, facts: &facts }];
    assert_eq!(intel.matches(&seen, START).unwrap().feed.as_ref(), "taxii");
    intel.pull(None).await.unwrap();
    assert_eq!((listed(&intel, "a.example"), intel.len()), (None, 2));
    assert!(listed(&intel, "198.51.100.7").is_some() && intel.has_patterns());
    // A pattern that comes later comes to those that are there.
    let other = [Fact::new(Property::Url, "http://y.other.example/login")];
    let seen_other = [Observation { at: START, facts: &other }];
    assert!(intel.matches(&seen, START).is_some() && intel.matches(&seen_other, START).is_some());
    let heads = heads.lock().unwrap();
    assert!(
        heads[0].starts_with("GET /api1/collections/x/objects/?match%5Btype%5D=indicator&limit="),
        "{heads:?}"
    );
    assert!(heads[2].contains("added_after=2026-10-01T00%3A00%3A00.000000Z"), "{heads:?}");
}

#[tokio::test]
async fn a_feed_of_misp_and_a_server_of_misp_are_read() {
    let event = |name: &str| {
        format!(r#"{{"Event":{{"Attribute":[{{"type":"domain","value":"{name}","to_ids":true}}]}}}}"#)
    };
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let id = |n: u8| format!("fd45348a-6a44-5487-a76f-d21fba53ab2{n}");
    let url = server(move |head| {
        let line = head.lines().next().unwrap().to_owned();
        seen.lock().unwrap().push(line.clone());
        if line.contains("manifest.json") {
            answer(format!(r#"{{"{}":{{"timestamp":"5"}},"{}":{{"timestamp":"6"}}}}"#, id(1), id(2)))
        } else if line.contains(&id(1)) {
            answer(event("a.example"))
        } else if line.starts_with("POST /attributes/restSearch") {
            answer(event("c.example"))
        } else {
            answer(event("b.example"))
        }
    })
    .await;
    let house = House::new(vec![
        feed("events", &format!("{url}/feed/"), FeedForm::MispFeed),
        feed("search", &url, FeedForm::MispRest),
    ]);
    let intel = house.start();
    intel.pull(None).await.unwrap();
    for (name, by) in [("a.example", "events"), ("b.example", "events"), ("c.example", "search")] {
        assert_eq!(listed(&intel, name).as_deref(), Some(by), "{:?}", intel.status());
    }
    // What did not change is not asked for again.
    intel.pull(Some("events")).await.unwrap();
    assert_eq!(asked.lock().unwrap().iter().filter(|line| line.contains(&id(1))).count(), 1);
}

#[tokio::test]
async fn a_file_that_arrives_is_enforced_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.txt");
    let mut one = feed("file", "http://127.0.0.1/", FeedForm::Lines);
    one.from = From::File(file.clone());
    let house = House::new(vec![one]);
    let intel = house.start();
    let (stop, stopped) = watch::channel(false);
    let following = tokio::spawn(Arc::clone(&intel).follow_for_ever(stopped));
    tokio::time::sleep(Duration::from_millis(700)).await;
    for (text, name) in [(lines(0..3), "n2.evil.example"), (lines(2..9), "n8.evil.example")] {
        let start = std::time::Instant::now();
        std::fs::write(&file, text).unwrap();
        while listed(&intel, &format!("http://{name}/login")).is_none() {
            assert!(start.elapsed() < Duration::from_secs(5), "not yet: {:?}", intel.status());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(listed(&intel, "n1.evil.example"), None);
    // Gone, it is told, and what it said stays.
    std::fs::remove_file(&file).unwrap();
    while intel.status()[0].error.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(listed(&intel, "n8.evil.example").is_some());
    stop.send(true).unwrap();
    following.await.unwrap();
}

#[tokio::test]
async fn the_houses_own_list_counts_and_a_feed_that_is_gone_does_not() {
    let url = server(|_| answer(lines(0..3))).await;
    let mut house = House::new(vec![feed("list", &url, FeedForm::Lines)]);
    let intel = house.start();
    intel.pull(None).await.unwrap();
    let entry = |value: &str| own(value, "green");
    let wrong = ["google.com", "no such thing", "www.shop.example"];
    let entries = ["http://kit.example/login"].iter().chain(&wrong).map(|value| entry(value)).collect();
    let refused = intel.change_own(entries, false).unwrap();
    assert_eq!(refused.iter().map(|(value, _)| value.as_str()).collect::<Vec<_>>(), wrong);
    assert_eq!(listed(&intel, "http://kit.example/login/2").as_deref(), Some("own"));
    house.config.feeds.clear();
    intel.configure(&house.config);
    assert_eq!(listed(&intel, "n1.evil.example"), None);
    let intel = house.start();
    assert_eq!(listed(&intel, "http://kit.example/login").as_deref(), Some("own"));
    intel.change_own(vec![entry("kit.example/login")], true).unwrap();
    assert_eq!(intel.len(), 0);
}

/// 500 faults, one after the other, and who asks what is listed never waits and never misses what was taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_faults_of_a_server_stop_nobody() {
    let mut seed = 1u64;
    let good: String = (0..200).map(|n| format!("n{n}.evil.example\n")).collect();
    let turn = Arc::new(AtomicU64::new(0));
    let url = {
        let (turn, good) = (Arc::clone(&turn), good.clone());
        server(move |_| {
            if turn.fetch_add(1, Ordering::SeqCst) == 0 {
                return answer(good.clone());
            }
            fault(&mut seed, good.as_bytes())
        })
        .await
    };
    let mut one = feed("list", &url, FeedForm::Lines);
    one.time_limit = Duration::from_millis(200);
    let house = House::new(vec![one]);
    let intel = house.start();
    intel.pull(None).await.unwrap();
    assert_eq!(intel.len(), 200);
    let asking = Arc::clone(&intel);
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let over = Arc::clone(&done);
    let asked = tokio::task::spawn_blocking(move || {
        let value = Value::guess("http://n7.evil.example/login").unwrap();
        let (mut many, mut slowest) = (0u64, Duration::ZERO);
        while !over.load(Ordering::SeqCst) {
            let start = std::time::Instant::now();
            assert!(asking.lookup(&value, START).is_some(), "it was listed, and no fault takes it off");
            slowest = slowest.max(start.elapsed());
            many += 1;
            std::thread::sleep(Duration::from_micros(200));
        }
        (many, slowest)
    });
    for _ in 0..500 {
        intel.pull(None).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let (many, slowest) = asked.await.unwrap();
    assert!(many > 100 && slowest < Duration::from_secs(1), "{many} asked, {slowest:?}");
    let status = &intel.status()[0];
    assert!(turn.load(Ordering::SeqCst) > 400 && status.indicators >= 100, "{status:?}");
}

/// Something that a server should not do.
fn fault(seed: &mut u64, good: &[u8]) -> Play {
    let mut throw = |below: u64| {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed % below
    };
    let cut = throw(good.len() as u64) as usize;
    let status = [100, 204, 301, 404, 429, 500, 599][throw(7) as usize];
    let header =
        |text: &str| Play::Raw(format!("HTTP/1.1 200 OK\r\n{text}\r\n\r\nn1.evil.example\n").into_bytes());
    match throw(12) {
        0 => Play::Raw(vec![]),
        1 => Play::Hang(vec![]),
        2 => Play::Answer(status, vec![], good.to_vec()),
        3 => header("content-length: 18446744073709551615"),
        4 => header("content-length: -1"),
        5 => header("transfer-encoding: chunked"),
        6 => Play::Raw((0..400).map(|_| throw(256) as u8).collect()),
        7 => answer((0..2000).map(|_| throw(256) as u8).collect::<Vec<u8>>()),
        8 => Play::Answer(200, vec![("content-encoding", "gzip".to_owned())], good.to_vec()),
        9 => answer("google.com\npaypal.com\n".repeat(100)),
        10 => answer(good[..cut.min(good.len() / 3)].to_vec()),
        _ => header(&format!("x: {}", "y".repeat(100_000))),
    }
}

/// What is given to a collection comes back from it, and given again it is still there once.
async fn gives_and_takes(intel: &Arc<Intel>) {
    let entry = own("http://ours.example/login", "green");
    intel.change_own(vec![entry.clone()], false).unwrap();
    let value = Value::guess("http://ours.example/login/anna").unwrap();
    intel.saw(&value, &intel.lookup(&value, START).unwrap());
    let us = share::House { id: [1; 16], name: "Shop".into() };
    let to = &intel.places()[0];
    // The house, the indicator and its sighting; the second time there is nothing new, and the server would complain of it.
    for many in [3, 0] {
        assert_eq!(intel.give(to, &us).await.unwrap(), many);
    }
    intel.change_own(vec![entry.clone()], true).unwrap();
    assert_eq!(listed(intel, "http://ours.example/login"), None);
    intel.pull(None).await.unwrap();
    assert_eq!(listed(intel, "http://ours.example/login").as_deref(), Some("taxii"));
    // What was taken off the list is taken back there, once; put on it again, it is something new.
    for many in [1, 0] {
        assert_eq!(intel.give(to, &us).await.unwrap(), many);
    }
    intel.pull(None).await.unwrap();
    assert_eq!(listed(intel, "http://ours.example/login"), None);
    intel.change_own(vec![entry.clone()], false).unwrap();
    intel.give(to, &us).await.unwrap();
    intel.pull(None).await.unwrap();
    intel.change_own(vec![entry], true).unwrap();
    assert_eq!(listed(intel, "http://ours.example/login").as_deref(), Some("taxii"));
    let sightings = client_of(to, "objects/?match%5Btype%5D=sighting").await;
    let sightings: serde_json::Value = serde_json::from_str(&sightings).unwrap();
    let all = sightings["objects"].as_array().unwrap();
    assert_eq!((all.len(), &all[0]["count"]), (1, &serde_json::json!(1)), "{sightings}");
}

/// What a place says to somebody who reads there.
async fn client_of(to: &crate::config::intel::Share, what: &str) -> String {
    let From::Url(uri) = &to.place.from else { panic!("no place") };
    let (header, key) = to.place.key.as_ref().unwrap();
    let mut stream = TcpStream::connect(uri.authority().unwrap().as_str()).await.unwrap();
    let head = format!(
        "GET {}{what} HTTP/1.0\r\nhost: x\r\naccept: application/taxii+json;version=2.1\r\n{header}: {}\r\n\r\n",
        uri.path(),
        key.expose()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// A TAXII server that others wrote (`medallion`), brought by `cargo xtask test`.
#[tokio::test]
#[ignore = "needs medallion: CHATWARD_TEST_MEDALLION"]
async fn a_real_taxii_server_is_followed() {
    let python = std::env::var("CHATWARD_TEST_MEDALLION").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/../intel/tests/fixtures/bundle.json");
    let bundle: serde_json::Value = serde_json::from_slice(&std::fs::read(bundle).unwrap()).unwrap();
    let objects = bundle["objects"].as_array().unwrap();
    let manifest: Vec<_> = objects
        .iter()
        .map(|object| {
            serde_json::json!({
                "id": object["id"], "version": object["modified"], "date_added": "2026-09-03T10:00:00.000000Z",
                "media_type": "application/stix+json;version=2.1",
            })
        })
        .collect();
    let types = ["application/stix+json;version=2.1"];
    let collection = serde_json::json!({
        "id": "91a7b528-80eb-42ed-a74d-c6fbd5a26116", "title": "x", "can_read": true, "can_write": true,
        "media_types": types, "objects": objects, "manifest": manifest,
    });
    let data = serde_json::json!({
        "/discovery": { "title": "x", "api_roots": [] },
        "api1": {
            "information": { "title": "x", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 1_000_000 },
            "status": [], "collections": [collection],
        },
    });
    std::fs::write(folder.path().join("data.json"), data.to_string()).unwrap();
    let config = serde_json::json!({
        "backend": {
            "module": "medallion.backends.memory_backend", "module_class": "MemoryBackend",
            "filename": folder.path().join("data.json"),
        },
        "users": { "guard": "word" }, "taxii": { "max_page_size": 7 },
    });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = std::process::Command::new(python)
        .args(["-m", "medallion.scripts.run", "--port", &port.to_string()])
        .arg(folder.path().join("config.json"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(server.try_wait().unwrap().is_none(), "medallion does not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(folder.path().join("key"), "word\n").unwrap();
    let place = format!(
        "user = \"guard\"\nkey_file = {:?}\nurl = \"http://127.0.0.1:{port}/api1/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/\"\n",
        folder.path().join("key")
    );
    let raw: crate::config::Raw = toml::from_str(&format!(
        "[[intel.feeds]]\nname = \"taxii\"\nform = \"taxii\"\n{place}[[intel.share]]\nname = \"center\"\n{place}"
    ))
    .unwrap();
    let mut faults = Vec::new();
    let config = crate::config::intel::checked_for_tests(&raw.intel, &mut faults);
    assert!(faults.is_empty(), "{faults:?}");
    let house = House { config, ..House::new(vec![]) };
    let intel = house.start();
    // The second time nothing was added: nothing goes.
    for stopped in [1, 0] {
        intel.pull(None).await.unwrap();
        let status = &intel.status()[0];
        assert_eq!((&status.error, status.patterns, status.stopped), (&None, 2, stopped), "{status:?}");
        assert!(status.indicators > 25, "{status:?}");
    }
    assert_eq!(
        listed(&intel, "http://www-two-step-mobilee-manageer.ubpages.com/x").as_deref(),
        Some("taxii")
    );
    assert_eq!(listed(&intel, "revoked-sample.example"), None);
    gives_and_takes(&intel).await;
    let _ = server.kill();
    let _ = server.wait();
}
