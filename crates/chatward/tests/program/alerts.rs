//! Alerts over real sockets: what arrives at receivers, that a dead one holds up nothing and loses nothing that fits, what becomes of
//! it over a restart, and what staff do with incidents.

use std::path::Path;
use std::time::{Duration, Instant};

use chatward::alerts::{Alert, Alerts, Scope};
use chatward::identity::Role;
use chatward_message::{Response, Severity, SignInfo, Threat, UnixMillis};
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::harness::{Bot, soon, until};
use super::inside::{At, Within};

fn alert(within: &Within, rule: &str, subject: u64, severity: Severity) -> Alert {
    let info =
        SignInfo { id: rule.into(), threat: Threat::Takeover, severity, tags: ["AML.T0052".into()].into() };
    let mut alert = Alert::of_house(&info, UnixMillis(within.clock_millis()));
    (alert.scope, alert.subject, alert.response) = (Scope::Account, subject, Response::Flag);
    alert
}

/// A server of syslog over TCP that reads frames by their length.
struct Syslog(TcpListener);

impl Syslog {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    async fn accept(&self) -> BufReader<TcpStream> {
        BufReader::new(soon("a receiver's connection", self.0.accept()).await.unwrap().0)
    }
}

async fn frame(socket: &mut BufReader<TcpStream>) -> String {
    soon("a frame", async {
        let mut length = Vec::new();
        socket.read_until(b' ', &mut length).await.unwrap();
        let length: usize = String::from_utf8(length).unwrap().trim().parse().unwrap();
        let mut message = vec![0; length];
        socket.read_exact(&mut message).await.unwrap();
        String::from_utf8(message).unwrap()
    })
    .await
}

/// The OCSF finding in a message of syslog.
fn finding(message: &str) -> Value {
    let (_, text) = message.split_once("] ").unwrap();
    serde_json::from_str(text).unwrap()
}

/// Takes one request over HTTP and answers it with this status: the head in small letters, and the body.
async fn take(listener: &TcpListener, status: &str) -> (String, String) {
    let (socket, _) = soon("a request", listener.accept()).await.unwrap();
    let mut socket = BufReader::new(socket);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        soon("a head", socket.read_line(&mut line)).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        let line = line.to_ascii_lowercase();
        if let Some(n) = line.strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    soon("a body", socket.read_exact(&mut body)).await.unwrap();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.write_all(answer.as_bytes()).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn sink(name: &str, rest: &str) -> String {
    format!("[[alerts.sinks]]\nname = \"{name}\"\n{rest}\n")
}

fn syslog(port: u16, more: &str) -> String {
    sink("siem", &format!("kind = \"syslog-tcp\"\naddress = \"127.0.0.1:{port}\"\n{more}"))
}

fn status(alerts: &Alerts, name: &str) -> chatward::alerts::SinkStatus {
    alerts.status().into_iter().find(|sink| &*sink.name == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_one_family_are_one_incident_and_receivers_hear_of_it() {
    let (bot, siem) = (Bot::new().await, Syslog::new().await);
    let house = Within::configured(&bot, &syslog(siem.port(), "")).await;
    let alerts = house.inside.gate.alerts.clone();
    for _ in 0..5 {
        alerts.raise(alert(&house, "behaviour.one", 7, Severity::Medium));
    }
    alerts.raise(alert(&house, "behaviour.other", 8, Severity::Low));
    let mut socket = siem.accept().await;
    let first = finding(&frame(&mut socket).await);
    assert_eq!((&first["class_uid"], &first["activity_id"]), (&json!(2004), &json!(1)));
    assert_eq!(first["unmapped"]["subject"], "0000000000000007");
    // Worse: the same incident, told again.
    alerts.raise(alert(&house, "behaviour.two", 7, Severity::Critical));
    let second = finding(&frame(&mut socket).await);
    assert_eq!((&second["activity_id"], &second["severity_id"]), (&json!(2), &json!(5)));
    assert_eq!(first["finding_info"]["uid"], second["finding_info"]["uid"]);
    assert_eq!(second["count"], 6);

    let staff = house.staff(&[&[Role::Analyst], &[Role::Trainer]]).await;
    let (analyst, trainer) = (&staff[0], &staff[1]);
    let list = house.by(analyst, At::Private, Method::GET, "/admin/v1/incidents", &[], None).await;
    let list = list.json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{list}");
    let one = items.iter().find(|one| one["severity"] == "critical").unwrap();
    assert_eq!((&one["state"], &one["count"], &one["scope"]), (&json!("open"), &json!(6), &json!("account")));
    let refused = house.by(trainer, At::Private, Method::GET, "/admin/v1/incidents", &[], None).await;
    assert_eq!(refused.status, 403);

    // Acknowledged: more of the same is not told, until the time is over.
    let id = one["id"].as_str().unwrap();
    let at = format!("/admin/v1/incidents/{id}");
    let until_then = house.clock_millis() + 600_000;
    let body = json!({ "why": "I look at it", "until": until_then });
    let done =
        house.by(analyst, At::Private, Method::POST, &format!("{at}/acknowledge"), &[], Some(&body)).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(done.json()["state"], "acknowledged");
    assert_eq!(finding(&frame(&mut socket).await)["status_id"], 2);
    for _ in 0..20 {
        alerts.raise(alert(&house, "behaviour.two", 7, Severity::High));
    }
    house.clock.wait(601);
    let shown = house.by(analyst, At::Private, Method::GET, &at, &[], None).await.json();
    assert_eq!(shown["state"], "open");

    let body = json!({ "why": "our own test", "outcome": "false-alarm" });
    let analyst = &house.again(analyst).await;
    let done = house.by(analyst, At::Private, Method::POST, &format!("{at}/close"), &[], Some(&body)).await;
    assert_eq!(done.json()["state"], "closed");
    let closed = finding(&frame(&mut socket).await);
    assert_eq!(
        (&closed["activity_id"], &closed["count"]),
        (&json!(3), &json!(26)),
        "nothing was told in between"
    );
    let again = house.by(analyst, At::Private, Method::POST, &format!("{at}/close"), &[], Some(&body)).await;
    assert_eq!(again.status, 404);
    // What comes now is a new one.
    alerts.raise(alert(&house, "behaviour.two", 7, Severity::High));
    let new = finding(&frame(&mut socket).await);
    assert_eq!(new["activity_id"], 1);
    assert_ne!(new["finding_info"]["uid"], closed["finding_info"]["uid"]);
    house.inside.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_receiver_holds_up_nothing_and_hears_of_everything_after_a_restart() {
    let (bot, siem) = (Bot::new().await, Syslog::new().await);
    let port = siem.port();
    drop(siem);
    let mut house = Within::configured(&bot, &syslog(port, "from = \"info\"")).await;
    let alerts = house.inside.gate.alerts.clone();
    let began = Instant::now();
    for n in 0..200 {
        alerts.raise(alert(&house, "behaviour.one", n, Severity::Low));
    }
    assert!(began.elapsed() < Duration::from_millis(200), "raising waits for nobody: {:?}", began.elapsed());
    until("a try that fails", async || status(&alerts, "siem").failed > 0).await;
    until("everything waits", async || alerts.counts().0 == 200 && status(&alerts, "siem").waiting > 20_000)
        .await;
    drop(alerts);
    house = house.restarted().await;
    let siem = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let mut socket = Syslog(siem).accept().await;
    let mut subjects = std::collections::BTreeSet::new();
    while subjects.len() < 200 {
        let finding = finding(&frame(&mut socket).await);
        subjects.insert(finding["unmapped"]["subject"].as_str().unwrap().to_owned());
    }
    let alerts = house.inside.gate.alerts.clone();
    until("nothing waits", async || status(&alerts, "siem").waiting == 0).await;
    house.inside.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_keeps_the_oldest_counts_the_rest_and_raises_an_alarm() {
    let (bot, siem) = (Bot::new().await, Syslog::new().await);
    let port = siem.port();
    drop(siem);
    let hook = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = sink(
        "other",
        &format!(
            "kind = \"http\"\nurl = \"http://127.0.0.1:{}/in\"\nfrom = \"high\"",
            hook.local_addr().unwrap().port()
        ),
    );
    let house = Within::configured(&bot, &(syslog(port, "from = \"low\"\nspool = 65536") + &other)).await;
    let alerts = house.inside.gate.alerts.clone();
    for n in 0..300 {
        alerts.raise(alert(&house, "behaviour.one", n, Severity::Low));
    }
    until("something is lost", async || status(&alerts, "siem").lost > 0).await;
    assert!(status(&alerts, "siem").waiting <= 65_536);
    let (head, body) = take(&hook, "204 No Content").await;
    assert!(head.contains("application/x-ndjson"), "{head}");
    let told: Value = serde_json::from_str(body.lines().next().unwrap()).unwrap();
    assert_eq!(told["finding_info"]["analytic"]["uid"], "alerts.spool-full.siem");
    let siem = Syslog(TcpListener::bind(("127.0.0.1", port)).await.unwrap());
    let mut socket = siem.accept().await;
    assert_eq!(
        finding(&frame(&mut socket).await)["unmapped"]["subject"],
        "0000000000000000",
        "the oldest stays"
    );
    house.inside.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_receiver_and_one_that_refuses_are_tried_again() {
    let bot = Bot::new().await;
    let hook = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = hook.local_addr().unwrap().port();
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let configuration = sink(
        "hook",
        &format!(
            "kind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/in\"\nsecret_file = {:?}",
            secret.display().to_string()
        ),
    ) + &sink(
        "slow",
        &format!("kind = \"otlp\"\nurl = \"http://{}/v1/logs\"", slow.local_addr().unwrap()),
    );
    let house = Within::configured(&bot, &configuration).await;
    let alerts = house.inside.gate.alerts.clone();
    alerts.raise(alert(&house, "behaviour.one", 1, Severity::High));
    // The slow one takes the connection and says nothing; the other goes on meanwhile.
    let (_held, _) = soon("a connection", slow.accept()).await.unwrap();
    let (first, _) = take(&hook, "503 Service Unavailable").await;
    let (head, body) = take(&hook, "200 OK").await;
    let id = |head: &str| {
        head.lines().find_map(|line| line.strip_prefix("webhook-id: ").map(str::to_owned)).unwrap()
    };
    assert_eq!(id(&first), id(&head), "the same id over all tries");
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&told["type"], &told["data"]["v"]), (&json!("incident.opened"), &json!(1)));
    let webhook = standardwebhooks::Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let mut headers = http::HeaderMap::new();
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(": ").filter(|(name, _)| name.starts_with("webhook-")) {
            headers.insert(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.trim().parse().unwrap(),
            );
        }
    }
    // Heads were read in small letters, and a signature has large ones: only that it is there and of its form.
    assert!(headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
    drop(webhook);
    until("the hook took it", async || status(&alerts, "hook").told == 1).await;
    house.inside.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_not_told_again_when_the_next_is_refused() {
    let bot = Bot::new().await;
    let hook = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = hook.local_addr().unwrap().port();
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let secret = secret.display().to_string();
    let way = format!("kind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/in\"\nsecret_file = {secret:?}");
    let house = Within::configured(&bot, &sink("hook", &way)).await;
    let alerts = house.inside.gate.alerts.clone();
    for subject in 1..=3 {
        alerts.raise(alert(&house, "behaviour.one", subject, Severity::High));
    }
    let id = |(head, _): (String, String)| {
        head.lines().find_map(|line| line.strip_prefix("webhook-id: ").map(str::to_owned)).unwrap()
    };
    let first = id(take(&hook, "200 OK").await);
    let refused = id(take(&hook, "503 Service Unavailable").await);
    let again = id(take(&hook, "200 OK").await);
    let third = id(take(&hook, "200 OK").await);
    assert_eq!(refused, again);
    assert!(first != again && third != first && third != again, "each once: {first} {again} {third}");
    until("the hook took them", async || status(&alerts, "hook").told == 3).await;
    house.inside.stop().await.unwrap();
}

/// A mail server that takes everything. Gives what was sent between DATA and the dot.
async fn mailbox(listener: TcpListener) -> String {
    let (socket, _) = soon("a mail", listener.accept()).await.unwrap();
    let mut socket = BufReader::new(socket);
    socket.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
    let (mut data, mut all) = (false, String::new());
    loop {
        let mut line = String::new();
        if soon("a line", socket.read_line(&mut line)).await.unwrap() == 0 {
            return all;
        }
        if data {
            if line == ".\r\n" {
                socket.write_all(b"250 taken\r\n").await.unwrap();
                return all;
            }
            all.push_str(&line);
            continue;
        }
        let answer = match line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "DATA" => {
                data = true;
                "354 go on\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 mail.example\r\n",
        };
        socket.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_datagrams_and_otlp_arrive() {
    let bot = Bot::new().await;
    let mail = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let otlp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("key");
    std::fs::write(&key, "Bearer 0123456789abcdef\n").unwrap();
    let configuration = [
        sink(
            "mail",
            &format!(
                "kind = \"email\"\naddress = \"{}\"\nunsafe_plain = true\nmail_from = \"chatward@house.example\"\nmail_to = [\"security@house.example\"]",
                mail.local_addr().unwrap()
            ),
        ),
        sink(
            "otel",
            &format!(
                "kind = \"otlp\"\nurl = \"http://{}/v1/logs\"\nauthorization_file = {:?}",
                otlp.local_addr().unwrap(),
                key.display().to_string()
            ),
        ),
        sink("udp", &format!("kind = \"syslog-udp\"\naddress = \"{}\"\nform = \"cef\"", udp.local_addr().unwrap())),
    ]
    .concat();
    let house = Within::configured(&bot, &configuration).await;
    house.inside.gate.alerts.raise(alert(&house, "behaviour.one", 1, Severity::High));
    let mail = mailbox(mail).await;
    assert!(
        mail.contains("Subject: [chatward] high opened: takeover (behaviour.one) of one account"),
        "{mail}"
    );
    assert!(mail.contains("To: security@house.example"), "{mail}");
    let (head, body) = take(&otlp, "200 OK").await;
    assert!(head.contains("authorization: bearer 0123456789abcdef"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let record = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["severityText"], "ERROR");
    let mut datagram = vec![0; 9000];
    let length = soon("a datagram", udp.recv(&mut datagram)).await.unwrap();
    let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
    assert!(text.starts_with("<107>1 ") && text.contains("CEF:0|Chatward|"), "{text}");
    house.inside.stop().await.unwrap();
}

/// Reads every file under a folder.
fn files(folder: &Path, each: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, each);
        } else if let Ok(bytes) = std::fs::read(&path) {
            each(&path, &bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_staff_write_about_an_incident_lies_nowhere_in_clear() {
    let bot = Bot::new().await;
    let house = Within::configured(&bot, "").await;
    house.inside.gate.alerts.raise(alert(&house, "behaviour.one", 1, Severity::High));
    let analyst = &house.staff(&[&[Role::Analyst]]).await[0];
    let path = "/admin/v1/incidents";
    until("the incident", async || {
        let list = house.by(analyst, At::Private, Method::GET, path, &[], None).await.json();
        list["items"].as_array().is_some_and(|items| !items.is_empty())
    })
    .await;
    let list = house.by(analyst, At::Private, Method::GET, path, &[], None).await.json();
    let at = format!("{path}/{}/close", list["items"][0]["id"].as_str().unwrap());
    let body = json!({ "why": "heronwadingseven", "outcome": "attack" });
    assert_eq!(house.by(analyst, At::Private, Method::POST, &at, &[], Some(&body)).await.status, 200);
    let data = house.home.data();
    house.inside.stop().await.unwrap();
    files(&data, &mut |path, bytes| {
        let found = bytes.windows(16).any(|window| window == b"heronwadingseven");
        assert!(!found, "{}", path.display());
    });
}
