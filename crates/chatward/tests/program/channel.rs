//! The encrypted channel over real sockets, from the program's own client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chatward::channel::client::{Client, ClientError, Plain};
use chatward_message::{Clock, UnixMillis};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::{Value, json};

use super::harness::{Gateway, Home, delta, events, files, log_events, until};
use super::inside::{At, Within};

const CANARY: &str = "zanzibar-4417-quokka";

fn message(text: &str) -> Plain {
    plain("/chat/v1/messages", &json!({ "text": text }))
}

fn plain(path: &'static str, body: &Value) -> Plain {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let path = Uri::from_static(path);
    Plain { method: Method::POST, path, headers, body: Bytes::from(body.to_string()) }
}

/// What a page is told to expect.
async fn pin(gateway: &Gateway) -> [u8; 32] {
    Client::new(&format!("http://{}", gateway.public), None).unwrap().signed_by().await.unwrap()
}

async fn client(gateway: &Gateway) -> Client {
    Client::new(&format!("http://{}", gateway.public), Some(pin(gateway).await)).unwrap()
}

/// Comments are not said.
fn said(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap();
    let lines: String = text.split_inclusive('\n').filter(|line| !line.starts_with(':')).collect();
    events(lines.as_bytes()).iter().map(delta).collect()
}

async fn post(gateway: &Gateway, kind: &str, body: impl Into<Bytes>) -> super::harness::Answer {
    gateway.send(Method::POST, "/.well-known/ohttp-gateway", &[("content-type", kind)], body).await
}

const SEALED: &str = "message/ohttp-chunked-req";

#[tokio::test]
async fn a_conversation_goes_through_the_channel_and_leaves_no_word_outside() {
    let home = Home::new();
    let gateway = home.start(&[]).await;
    let client = client(&gateway).await;
    let mut answer = client.fetch(&message(&format!("My name is Maria {CANARY}"))).await.unwrap();
    assert_eq!(answer.status.as_u16(), 200);
    assert!(answer.headers.contains_key("chatward-turn"));
    assert!(!said(&answer.body().await.unwrap()).is_empty());
    // The session's cookie came with the outer answer, and the conversation goes on under it.
    assert!(client.cookie().unwrap().to_str().unwrap().starts_with("chatward="));
    let mut second = client.fetch(&message("My e-mail is maria@mail.example")).await.unwrap();
    let text = said(&second.body().await.unwrap());
    assert!(text.contains("maria@mail.example"), "{text}");
    let turn = second.headers["chatward-turn"].to_str().unwrap().to_owned();
    let path: Uri = format!("/me/v1/turns/{turn}/received").parse().unwrap();
    let look = Plain { method: Method::GET, path, headers: HeaderMap::new(), body: Bytes::new() };
    let received: Value =
        serde_json::from_slice(&client.fetch(&look).await.unwrap().body().await.unwrap()).unwrap();
    assert_eq!(received["messages"].as_array().unwrap().len(), 3, "{received}");
    // A stranger's channel does not see it.
    let stranger = self::client(&gateway).await;
    assert_eq!(stranger.fetch(&look).await.unwrap().status.as_u16(), 404);
    assert!(gateway.metric("chatward_channel_requests_total{outcome=\"opened\"}").await >= 6.0);
    // What came through is nowhere in clear.
    assert_eq!(gateway.stop().await, 0);
    assert!(!gateway.printed().contains(CANARY));
    for file in files(&home.data()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(memchr::memmem::find(&bytes, CANARY.as_bytes()).is_none(), "{}", file.display());
    }
}

#[tokio::test]
async fn what_is_repeated_altered_or_not_for_here_is_refused_and_told_nothing() {
    let home = Home::new();
    let gateway = home.start(&[]).await;
    let client = client(&gateway).await;
    let sealed = client.seal(&client.signed(&message("Hello")).await.unwrap()).await.unwrap();
    let bytes = sealed.bytes.clone();
    let first = post(&gateway, SEALED, bytes.clone()).await;
    assert_eq!((first.status, first.header("content-type")), (200, "message/ohttp-chunked-res"));
    assert_eq!(first.header("cache-control"), "no-store");
    let again = post(&gateway, SEALED, bytes.clone()).await;
    assert_eq!((again.status, again.code().as_str()), (409, "channel-repeated"));

    let mut bodies = std::collections::BTreeSet::new();
    for at in [1, 3, 6, 7, 600, 1126, 1127, 1130, bytes.len() - 1] {
        let mut altered = bytes.to_vec();
        altered[at] ^= 0x10;
        let refused = post(&gateway, SEALED, altered).await;
        assert_eq!(
            (refused.status, refused.header("content-type")),
            (400, "application/problem+json"),
            "{at}"
        );
        bodies.insert(refused.text());
    }
    for cut in [0, 3, 7, 1127, 1200, bytes.len() - 1] {
        bodies.insert(post(&gateway, SEALED, bytes.slice(..cut)).await.text());
    }
    assert_eq!(bodies.len(), 1, "one and the same answer: {bodies:?}");

    let mut other = bytes.to_vec();
    other[0] ^= 0xff;
    let unknown = post(&gateway, SEALED, other).await;
    assert_eq!(unknown.status, 400);
    assert_eq!(unknown.json()["type"], "https://iana.org/assignments/http-problem-types#ohttp-key");
    for kind in ["message/ohttp-req", "application/json", "message/bhttp"] {
        assert_eq!(post(&gateway, kind, bytes.clone()).await.status, 415, "{kind}");
    }
    assert_eq!(gateway.send(Method::PUT, "/.well-known/ohttp-gateway", &[], "").await.status, 405);
    assert_eq!(gateway.metric("chatward_channel_requests_total{outcome=\"repeated\"}").await, 1.0);
    assert_eq!(gateway.metric("chatward_channel_requests_total{outcome=\"unknown-key\"}").await, 1.0);
}

#[tokio::test]
async fn without_the_sessions_key_nothing_is_done() {
    let home = Home::new();
    let gateway = home.start(&[]).await;
    let client = client(&gateway).await;
    let code = async |client: &Client, plain: &Plain| {
        let mut answer = client.send(plain).await.unwrap();
        let body: Value = serde_json::from_slice(&answer.body().await.unwrap()).unwrap_or_default();
        (answer.status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
    };
    let no_session = (401, "channel-session".to_owned());
    assert_eq!(code(&client, &message("Hello")).await, no_session, "no proof at all");
    let signed = client.signed(&message("Hello")).await.unwrap();
    assert_eq!(code(&client, &signed).await.0, 200);
    assert_eq!(code(&client, &signed).await, no_session, "encrypted anew, but the counter was used");
    // A thief with the token and the cookie, but without the key.
    let thief = self::client(&gateway).await;
    thief.signed(&message("Hello")).await.unwrap();
    thief.set_cookie(client.cookie().unwrap());
    let mut stolen = thief.signed(&message("Hello")).await.unwrap();
    stolen.headers.insert("chatward-session", signed.headers["chatward-session"].clone());
    assert_eq!(code(&thief, &stolen).await, no_session);
    // The token in a browser with another cookie.
    let mine = client.signed(&message("Hello")).await.unwrap();
    assert_eq!(code(&self::client(&gateway).await, &mine).await, no_session);
    // Only customers' own routes, and nothing that the browser says itself.
    for path in ["/v1/models", "/chat", "/log/checkpoint"] {
        let asked = client.signed(&plain(path, &json!({}))).await.unwrap();
        assert_eq!(code(&client, &asked).await, (404, "not-found".into()), "{path}");
    }
    let mut forged = message("Hello");
    forged.headers.insert("cookie", HeaderValue::from_static("chatward=x"));
    assert_eq!(code(&client, &client.signed(&forged).await.unwrap()).await, (400, "bad-header".into()));
    // Another site's page gets no session.
    let register = client.seal(&plain("/chat/v1/session", &json!({"key": "A".repeat(43)}))).await.unwrap();
    let headers = [("content-type", SEALED), ("sec-fetch-site", "cross-site")];
    let answer =
        gateway.send(Method::POST, "/.well-known/ohttp-gateway", &headers, register.bytes.clone()).await;
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(register.open(answer.body.to_vec()).await.unwrap().status.as_u16(), 403);
    // The session is not registered outside of the channel.
    let outside = gateway.send(Method::POST, "/chat/v1/session", &[], "{}").await;
    assert_eq!(outside.status, 404);
}

#[tokio::test]
async fn the_list_of_keys_is_signed_by_a_key_that_stays_and_stands_in_the_log() {
    let home = Home::new();
    let gateway = home.start(&[]).await;
    let pinned = pin(&gateway).await;
    let wrong = Client::new(&format!("http://{}", gateway.public), Some([7; 32])).unwrap();
    assert!(matches!(wrong.fetch(&message("Hello")).await, Err(ClientError::List(_))));
    let keys = gateway.get("/.well-known/ohttp-gateway", &[]).await;
    assert_eq!((keys.status, keys.header("content-type")), (200, "application/ohttp-keys"));
    assert_eq!(keys.body.len(), 2 + 1 + 2 + 1216 + 2 + 4);

    let mut listed = Value::Null;
    until("the list to be proven", async || {
        listed = gateway.get("/channel/v1/keys", &[]).await.json();
        listed["log"].is_object()
    })
    .await;
    let event: Value = serde_json::from_str(listed["log"]["event"].as_str().unwrap()).unwrap();
    let list = listed["list"].as_str().unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, list.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        (event["action"].as_str(), event["key"].as_str()),
        (Some("channel-keys-listed"), Some(&*hash))
    );
    let logged = log_events(&home.data());
    assert!(logged.contains(&event));
    assert_eq!(gateway.stop().await, 0);

    // Another key after a restart, signed by the same one: what was encrypted before opens no more. Gateways on one server share
    // their keys, so there it stays until its hour is over.
    let gateway = home.start(&[]).await;
    assert_eq!(pin(&gateway).await, pinned);
    let again = gateway.get("/.well-known/ohttp-gateway", &[]).await.body;
    assert_eq!(again == keys.body, super::harness::server().is_some());
}

/// The time of a house.
struct TimeOf(Arc<Within>);

impl Clock for TimeOf {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.clock_millis())
    }
}

#[tokio::test]
async fn a_key_that_ended_is_told_once_and_the_client_goes_on_with_a_new_one() {
    let house = Arc::new(Within::with_page("").await);
    let address = format!("http://{}", house.inside.public);
    let client = Client::with_clock(&address, None, Arc::new(TimeOf(Arc::clone(&house)))).unwrap();
    let old = client.seal(&client.signed(&message("Hello")).await.unwrap()).await.unwrap();
    let older = client.seal(&client.signed(&message("Hello")).await.unwrap()).await.unwrap();
    // The end of the hour: new requests get another key, and what was on its way still opens.
    house.clock.wait(3600);
    until("another key", async || {
        house.plain(At::Public, Method::GET, "/channel/v1/keys", &[], None).await.status == 200
    })
    .await;
    assert_eq!(client.post(old.bytes.clone()).await.unwrap().status().as_u16(), 200);
    house.clock.wait(3600);
    let refused = client.post(older.bytes.clone()).await.unwrap();
    assert_eq!(refused.status().as_u16(), 400);
    // The client's session has ended too; it registers a new one, under a new key.
    let mut answer = tokio::time::timeout(Duration::from_secs(20), client.fetch(&message("Hello")))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.status.as_u16(), 200);
    assert!(!said(&answer.body().await.unwrap()).is_empty());
}

#[tokio::test]
async fn the_command_line_talks_through_the_channel() {
    let home = Home::new();
    home.configure("[server]\nmax_body_bytes = 4096\n");
    let gateway = home.start(&[]).await;
    let url = format!("http://{}", gateway.public);
    let said = async |more: &[&str], lines: &str| {
        let mut command = home.command(&[&["chat", &url], more].concat());
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        command.stderr(std::process::Stdio::piped());
        let lines = lines.to_owned();
        let ran = tokio::task::spawn_blocking(move || {
            use std::io::Write as _;
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        });
        let output = ran.await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, told) =
        said(&[], "Hi, my e-mail is maria@mail.example\n\nWhich e-mail did I give?\n").await;
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("maria@mail.example"), "{out}");
    let pin = told.split("--pin ").nth(1).unwrap().trim();
    assert_eq!(said(&["--pin", pin], "Hello\n").await.0, 0);
    let wrong = "A".repeat(43);
    let (code, out, told) = said(&["--pin", &wrong], "Hello\n").await;
    assert_eq!((code, out.as_str()), (4, ""), "{told}");
    assert_eq!(said(&["--pin", "short"], "").await.0, 2);
    // A message that is not taken is said, and does not end the conversation.
    let long = "x".repeat(8000);
    let (code, out, told) = said(&["--pin", pin], &format!("{long}\nmy e-mail is eve@mail.example\n")).await;
    assert_eq!(code, 1, "{told}");
    assert!(out.contains("eve@mail.example") && told.contains("body-too-large"), "{out} {told}");
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn gateways_on_one_server_open_each_others_requests_once() {
    let home = Home::new();
    let (one, other) = (home.start(&[]).await, home.beside().start(&[]).await);
    let listed = async |gateway: &Gateway| gateway.get("/channel/v1/keys", &[]).await.json();
    let (here, there) = (listed(&one).await, listed(&other).await);
    assert_eq!((&here["list"], &here["signature"]), (&there["list"], &there["signature"]));

    let client = client(&one).await;
    client.signed(&message("Hello")).await.unwrap();
    let cookie = client.cookie().unwrap().to_str().unwrap().to_owned();
    let headers = [("content-type", SEALED), ("cookie", cookie.as_str())];
    let post = async |gateway: &Gateway, bytes: &Bytes| {
        gateway.send(Method::POST, "/.well-known/ohttp-gateway", &headers, bytes.clone()).await
    };
    // Registered with one, asked of the other: the session counts, the request opens, and neither takes it twice.
    let signed = client.signed(&message("Hello")).await.unwrap();
    let sealed = client.seal(&signed).await.unwrap();
    let bytes = sealed.bytes.clone();
    let answer = post(&other, &bytes).await;
    assert_eq!(sealed.open(answer.body.to_vec()).await.unwrap().status.as_u16(), 200);
    for gateway in [&one, &other] {
        assert_eq!(post(gateway, &bytes).await.status, 409);
    }
    // Encrypted anew, its counter was used all the same, whichever is asked.
    let again = client.seal(&signed).await.unwrap();
    let answer = post(&one, &again.bytes.clone()).await;
    assert_eq!(again.open(answer.body.to_vec()).await.unwrap().status.as_u16(), 401);

    // One that only the other gateway has seen.
    let seen = client.seal(&client.signed(&message("Hello")).await.unwrap()).await.unwrap().bytes;
    assert_eq!(post(&other, &seen).await.status, 200);

    // A crash of the server empties both tables. What was seen is not known any more, so nothing under those keys is taken.
    let database = home.store();
    super::harness::psql(&database.superuser, "TRUNCATE chatward.channel_seeds, chatward.channel_seen")
        .unwrap();
    let refused = post(&one, &seen).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "ohttp-key"));
    let mut answer = client.fetch(&message("Hello")).await.unwrap();
    assert_eq!(answer.status.as_u16(), 200);
    assert!(!said(&answer.body().await.unwrap()).is_empty());
    let listed = listed(&one).await;
    assert_ne!(listed["list"], here["list"]);
}
