//! Against servers on real sockets that misbehave in one way each.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n";

fn settings(url: &str) -> Settings {
    Settings {
        name: "bot".into(),
        url: url.parse().unwrap(),
        key: None,
        connect: Duration::from_millis(500),
        first_byte: Duration::from_millis(300),
        idle: Duration::from_millis(200),
        total: Duration::from_millis(1500),
        max_reply: 1 << 20,
        roots: None,
    }
}

/// A server that does the same with every connection.
async fn server<F: Future<Output = ()> + Send + 'static>(
    each: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(each(socket));
        }
    });
    Upstream::new(settings(&url)).unwrap()
}

/// Reads one request, head and body; nothing if the client has closed.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let got = socket.read(&mut buffer).await.unwrap_or(0);
        if got == 0 {
            return None;
        }
        text.push_str(std::str::from_utf8(&buffer[..got]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |n| n.parse().unwrap());
        if body.len() >= length {
            return Some(text);
        }
    }
}

async fn ask(upstream: &Upstream) -> Result<UpstreamReply, UpstreamError> {
    upstream.chat(None, &HeaderMap::new(), Bytes::from_static(b"{\"a\":1}"), true).await
}

async fn rest(reply: UpstreamReply) -> (Vec<u8>, Option<UpstreamError>) {
    let (mut body, mut bytes) = (reply.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}

/// Answers each request of a connection with the same bytes.
async fn answering(text: &'static str) -> Upstream {
    server(move |mut socket| async move {
        while request(&mut socket).await.is_some() {
            socket.write_all(text.as_bytes()).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn connections_are_kept_and_headers_filtered() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let upstream = server(move |mut socket| {
        let tell = tell.clone();
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            while let Some(text) = request(&mut socket).await {
                tell.send(text).unwrap();
                let head = "HTTP/1.1 429 Slow\r\ncontent-type: application/json\r\ncontent-length: 2\r\nset-cookie: a=b\r\nx-request-id: r1\r\nopenai-version: 1\r\nx-ratelimit-reset-tokens: 6m0s\r\nretry-after: 3\r\nserver: secret\r\n\r\n{}";
                socket.write_all(head.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("cookie", "session=1"),
        ("host", "evil"),
        ("connection", "keep-alive, x-secret"),
        ("x-secret", "1"),
        ("x-forwarded-for", "203.0.113.9"),
        ("accept-encoding", "gzip"),
        ("baggage", "user=ann"),
        ("tracestate", "a=ann"),
        ("chatward-customer", "ann"),
        ("openai-organization", "org"),
        ("x-stainless-lang", "js"),
        ("traceparent", "00-11111111111111111111111111111111-2222222222222222-01"),
        ("authorization", "Bearer ours"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let credential = HeaderValue::from_static("Bearer theirs");
    for _ in 0..3 {
        let reply =
            upstream.chat(Some(&credential), &headers, Bytes::from_static(b"{}"), false).await.unwrap();
        assert_eq!(reply.status, 429);
        let mut names: Vec<_> = reply.headers.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["openai-version", "retry-after", "x-ratelimit-reset-tokens", "x-request-id"]);
        assert_eq!(reply.collect().await.unwrap(), "{}");
        let text = told.recv().await.unwrap();
        let mut lines: Vec<&str> = text
            .split("\r\n\r\n")
            .next()
            .unwrap()
            .lines()
            .skip(1)
            .filter(|line| !line.starts_with("host: 127."))
            .collect();
        lines.sort_unstable();
        assert!(text.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
        assert_eq!(
            lines,
            [
                "accept-encoding: identity",
                "accept: application/json",
                "authorization: Bearer theirs",
                "content-length: 2",
                "content-type: application/json",
                "openai-organization: org",
                "traceparent: 00-11111111111111111111111111111111-2222222222222222-01",
                "x-stainless-lang: js",
            ]
        );
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_house_key_comes_before_the_callers() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/base/v1/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        tell.send(request(&mut socket).await.unwrap()).unwrap();
        socket.write_all(ANSWER.as_bytes()).await.unwrap();
    });
    let upstream =
        Upstream::new(Settings { key: Some(Zeroizing::new("sk-own\n".into())), ..settings(&url) }).unwrap();
    assert!(!format!("{upstream:?}").contains("sk-own"));
    upstream.models(Some(&HeaderValue::from_static("Bearer theirs")), &HeaderMap::new()).await.unwrap();
    let text = told.recv().await.unwrap();
    assert!(
        text.starts_with("GET /base/v1/models HTTP/1.1\r\n")
            && text.contains("authorization: Bearer sk-own\r\n"),
        "{text}"
    );
    assert!(
        Upstream::new(Settings { key: Some(Zeroizing::new("a\u{7}b".into())), ..settings(&url) }).is_err()
    );
}

#[tokio::test]
async fn a_connection_that_died_in_the_pool_is_replaced() {
    let upstream = server(|mut socket| async move {
        request(&mut socket).await;
        socket.write_all(ANSWER.as_bytes()).await.unwrap();
        // Closed at once, without a word: the client finds out when it wants to use it again.
    })
    .await;
    for _ in 0..5 {
        assert_eq!(ask(&upstream).await.unwrap().collect().await.unwrap(), "{}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Streams two events and their end in one write; counts its connections.
async fn streaming(connections: Arc<AtomicUsize>) -> Upstream {
    server(move |mut socket| {
        connections.fetch_add(1, Ordering::SeqCst);
        async move {
            while request(&mut socket).await.is_some() {
                let all = format!("{STREAM}8\r\ndata: 2\n\r\n0\r\n\r\n");
                socket.write_all(all.as_bytes()).await.unwrap();
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_has_come_is_there_without_waiting() {
    let upstream = streaming(Arc::default()).await;
    let mut body = ask(&upstream).await.unwrap().into_body();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for expected in ["data: 1\n", "data: 2\n"] {
        let frame = body.frame().now_or_never().expect("nobody else has to do anything first");
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), expected);
    }
    assert!(body.frame().now_or_never().expect("so has the end").is_none());
}

#[tokio::test]
async fn a_connection_is_kept_if_only_the_end_of_the_answer_was_not_read() {
    let connections = Arc::new(AtomicUsize::new(0));
    let upstream = streaming(Arc::clone(&connections)).await;
    for _ in 0..3 {
        let mut body = ask(&upstream).await.unwrap().into_body();
        tokio::time::sleep(Duration::from_millis(20)).await;
        for _ in 0..2 {
            body.frame().await.unwrap().unwrap();
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    // With more than the end to come it is closed.
    let mut body = ask(&upstream).await.unwrap().into_body();
    tokio::time::sleep(Duration::from_millis(20)).await;
    body.frame().await.unwrap().unwrap();
    drop(body);
    ask(&upstream).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut upstream = server(move |mut socket| {
        let tell = tell.clone();
        async move {
            while request(&mut socket).await.is_some() {
                socket.write_all(ANSWER.as_bytes()).await.unwrap();
            }
            tell.send(Instant::now()).unwrap();
        }
    })
    .await;
    let kept = Duration::from_millis(100);
    upstream.wires = Wires::new(upstream.wires.connector.clone(), upstream.wires.to.clone(), kept);
    for _ in 0..2 {
        ask(&upstream).await.unwrap().collect().await.unwrap();
        let idle = Instant::now();
        let closed = tokio::time::timeout(Duration::from_secs(5), told.recv()).await.unwrap().unwrap();
        assert!(closed - idle >= Duration::from_millis(90), "{:?}", closed - idle);
    }
}

#[tokio::test]
async fn the_host_is_named_as_the_url_has_it() {
    for (url, named) in [
        ("https://bot.example/v1", "bot.example"),
        ("https://bot.example:443", "bot.example"),
        ("http://bot.example:443", "bot.example:443"),
        ("http://someone:secret@[::1]:8000/v1", "[::1]:8000"),
    ] {
        assert_eq!(host(&url.parse().unwrap()).unwrap(), named);
    }
    assert!(matches!(host(&"/v1".parse().unwrap()), Err(SetupError::Url)));
}

#[tokio::test]
async fn a_bot_that_hangs_is_given_up() {
    let silent = server(|mut socket| async move {
        request(&mut socket).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let start = Instant::now();
    assert!(matches!(ask(&silent).await, Err(UpstreamError::Timeout(Waited::FirstByte))));
    assert!(start.elapsed() < Duration::from_millis(900));
    let halfway = server(|mut socket| async move {
        request(&mut socket).await;
        socket.write_all(STREAM.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let (bytes, error) = rest(ask(&halfway).await.unwrap()).await;
    assert_eq!(bytes, b"data: 1\n");
    assert!(matches!(error, Some(UpstreamError::Timeout(Waited::Idle))), "{error:?}");
    let dripping = server(|mut socket| async move {
        request(&mut socket).await;
        socket.write_all(STREAM.as_bytes()).await.unwrap();
        while socket.write_all(b"1\r\n:\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let start = Instant::now();
    let (_, error) = rest(ask(&dripping).await.unwrap()).await;
    assert!(matches!(error, Some(UpstreamError::Timeout(Waited::Total))), "{error:?}");
    assert!(start.elapsed() > Duration::from_millis(1400) && start.elapsed() < Duration::from_millis(2500));
}

#[tokio::test]
async fn a_bot_that_dies_is_told_apart_from_one_that_ends() {
    for end in [&b""[..], b"20\r\ncut", b"zz\r\n"] {
        let dying = server(move |mut socket| async move {
            request(&mut socket).await;
            socket.write_all(STREAM.as_bytes()).await.unwrap();
            socket.write_all(end).await.unwrap();
        })
        .await;
        let (bytes, error) = rest(ask(&dying).await.unwrap()).await;
        assert!(bytes.starts_with(b"data: 1\n"));
        assert!(
            matches!(error, Some(UpstreamError::Closed | UpstreamError::Protocol(_))),
            "{end:?} {error:?}"
        );
    }
    let ending = server(|mut socket| async move {
        request(&mut socket).await;
        socket.write_all(STREAM.as_bytes()).await.unwrap();
        socket.write_all(b"0\r\n\r\n").await.unwrap();
    })
    .await;
    assert!(matches!(rest(ask(&ending).await.unwrap()).await, (_, None)));
    let mute = server(|mut socket| async move {
        request(&mut socket).await;
    })
    .await;
    assert!(matches!(ask(&mute).await, Err(UpstreamError::Closed)));
    let other = answering("SSH-2.0-OpenSSH_9.9\r\n\r\n").await;
    assert!(matches!(ask(&other).await, Err(UpstreamError::Protocol(_))));
}

#[tokio::test]
async fn what_an_answer_says_it_is_must_be_so() {
    let html = answering("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n{}").await;
    let reply = ask(&html).await.unwrap();
    assert_eq!((reply.is_event_stream(), reply.content), (false, Content::Other));
    assert!(matches!(reply.collect().await, Err(UpstreamError::BadContentType)));
    let zipped = answering("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}").await;
    assert!(matches!(ask(&zipped).await, Err(UpstreamError::BadContentType)));
    let events = answering(STREAM).await;
    assert!(ask(&events).await.unwrap().is_event_stream());
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let huge =
        answering("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n{")
            .await;
    assert!(matches!(ask(&huge).await, Err(UpstreamError::TooBig(_))));
    let endless = server(|mut socket| async move {
        request(&mut socket).await;
        socket.write_all(STREAM.replace("text/event-stream", "application/json").as_bytes()).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(65_536));
        while socket.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    assert!(matches!(ask(&endless).await.unwrap().collect().await, Err(UpstreamError::TooBig(1_048_576))));
}

#[tokio::test]
async fn who_leaves_cancels_the_bot_at_once() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let upstream = server(move |mut socket| {
        let tell = tell.clone();
        async move {
            let text = request(&mut socket).await.unwrap();
            if text.contains("stream") {
                socket.write_all(STREAM.as_bytes()).await.unwrap();
            }
            let mut one = [0; 1];
            assert_eq!(socket.read(&mut one).await.unwrap_or(0), 0);
            tell.send(Instant::now()).unwrap();
        }
    })
    .await;
    // In the middle of the answer.
    let reply = upstream.chat(None, &HeaderMap::new(), Bytes::from_static(b"stream"), true).await.unwrap();
    let mut body = reply.into_body();
    body.frame().await.unwrap().unwrap();
    let left = Instant::now();
    drop(body);
    assert!(told.recv().await.unwrap() - left < Duration::from_millis(100));
    // Before it.
    let left = Instant::now() + Duration::from_millis(50);
    let headers = HeaderMap::new();
    let asking = upstream.chat(None, &headers, Bytes::from_static(b"{}"), false);
    assert!(timeout_at(left, asking).await.is_err());
    assert!(told.recv().await.unwrap().saturating_duration_since(left) < Duration::from_millis(100));
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let upstream = Upstream::new(settings(&url)).unwrap();
    assert!(matches!(ask(&upstream).await, Err(UpstreamError::Connect(_))));
}

#[tokio::test]
async fn an_https_bot_must_prove_who_it_is() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut socket) = acceptor.accept(socket).await else { continue };
            let mut buffer = [0; 4096];
            assert!(socket.read(&mut buffer).await.unwrap() > 0);
            socket.write_all(ANSWER.as_bytes()).await.unwrap();
            socket.flush().await.unwrap();
        }
    });
    let known = Upstream::new(Settings { roots: Some(vec![certificate]), ..settings(&url) }).unwrap();
    assert_eq!(ask(&known).await.unwrap().collect().await.unwrap(), "{}");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let strict =
        Upstream::new(Settings { roots: Some(vec![other.cert.der().clone()]), ..settings(&url) }).unwrap();
    let error = ask(&strict).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Tls(_)), "{error:?}");
    let name = Upstream::new(settings(&url.replace("localhost", "127.0.0.1"))).ok();
    if let Some(by_platform) = name {
        assert!(matches!(ask(&by_platform).await, Err(UpstreamError::Tls(_))));
    }
}
