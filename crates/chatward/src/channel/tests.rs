//! Both ends against each other, without sockets: what is altered, cut, repeated or exchanged on its way.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use chatward_message::UnixMillis;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Response, Uri};
use http_body_util::BodyExt as _;

use super::answer::{Answer, Pace};
use super::client::{ClientError, Plain, Sealed, seal};
use super::keys::{GRACE, Key, Keys};
use super::open::{ENC, HEADER, Open, open};
use super::{Refused, inner};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const PACE: Pace = Pace { beat: Duration::from_millis(20), bucket: 1024, fill: true };

async fn keys() -> Keys {
    let keys = Keys::new();
    keys.turn(NOW, None).await.unwrap();
    keys
}

fn plain(body: &[u8]) -> Plain {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let path = Uri::from_static("/chat/v1/messages");
    Plain { method: Method::POST, path, headers, body: Bytes::copy_from_slice(body) }
}

fn sealed(keys: &Keys, body: &[u8]) -> Sealed {
    seal(&keys.newest(NOW).unwrap().config, &plain(body)).unwrap()
}

fn opened(keys: &Keys, sealed: &[u8]) -> Result<Open, Refused> {
    open(keys, sealed, NOW)
}

async fn answered(open: Open, response: Response<Body>) -> Vec<u8> {
    Body::new(Answer::new(response, open.sealer, PACE)).collect().await.unwrap().to_bytes().to_vec()
}

fn text(body: impl Into<Body>) -> Response<Body> {
    Response::builder().header("content-type", "text/plain").body(body.into()).unwrap()
}

#[tokio::test]
async fn large_requests_and_answers_go_through_whole() {
    let keys = keys().await;
    let long: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let request = sealed(&keys, &long);
    let chunks = request.bytes.len().div_ceil((1 << 14) + 18);
    assert!(chunks >= 19, "{chunks} chunks");
    let open = opened(&keys, &request.bytes).unwrap();
    let inner = inner::request(&open.text, &HeaderMap::new()).unwrap().unwrap();
    assert_eq!(inner.body(), &long[..]);
    let answer = Bytes::from(vec![b'a'; 4 << 20]);
    let bytes = answered(open, text(answer.clone())).await;
    let mut read = request.open(bytes).await.unwrap();
    assert_eq!(
        (read.status.as_u16(), &read.headers["content-type"]),
        (200, &HeaderValue::from_static("text/plain"))
    );
    assert_eq!(read.body().await.unwrap(), answer);
}

#[tokio::test]
async fn every_altered_byte_of_a_request_is_refused_alike() {
    let keys = keys().await;
    let request = sealed(&keys, b"hello").bytes;
    assert!(opened(&keys, &request).is_ok());
    for at in (1..request.len()).step_by(37).chain([1, 2, 6, HEADER, HEADER + ENC, request.len() - 1]) {
        for bit in [1, 0x80] {
            let mut altered = request.to_vec();
            altered[at] ^= bit;
            assert!(matches!(opened(&keys, &altered), Err(Refused::Bad)), "byte {at}");
        }
    }
    let mut other = request.to_vec();
    other[0] ^= 1;
    assert!(matches!(opened(&keys, &other), Err(Refused::Key)));
    for length in (0..request.len()).step_by(11) {
        assert!(matches!(opened(&keys, &request[..length]), Err(Refused::Bad)), "cut to {length}");
    }
    assert!(matches!(opened(&keys, &[&request[..], &[0]].concat()), Err(Refused::Bad)), "one byte more");
}

/// The lengths of the chunks of a request, up to the final one.
fn edges(request: &[u8]) -> Vec<usize> {
    let (mut at, mut edges) = (HEADER + ENC, Vec::new());
    while let Some(&first) = request.get(at) {
        let long = 1 << (first >> 6);
        let length = request[at..at + long].iter().fold(0usize, |n, byte| n << 8 | usize::from(*byte));
        let length = length & (usize::MAX >> (64 - 8 * long + 2));
        edges.push(at);
        if length == 0 {
            break;
        }
        at += long + length;
    }
    edges
}

#[tokio::test]
async fn a_request_that_is_cut_between_chunks_or_holds_an_empty_one_is_refused() {
    let keys = keys().await;
    let request = sealed(&keys, &[b'x'; 40_000]).bytes;
    let edges = edges(&request);
    assert_eq!(edges.len(), 4, "three chunks and the final one");
    for edge in &edges[1..] {
        assert!(matches!(opened(&keys, &request[..*edge]), Err(Refused::Bad)), "cut at {edge}");
    }
    // Two chunks that change places.
    let swapped = [
        &request[..edges[0]],
        &request[edges[1]..edges[2]],
        &request[edges[0]..edges[1]],
        &request[edges[2]..],
    ];
    assert!(matches!(opened(&keys, &swapped.concat()), Err(Refused::Bad)));
}

/// Draft 3.1: no chunk but the final one is empty. Whoever holds a key could send one; it must not end the message.
#[tokio::test]
async fn an_empty_chunk_that_is_not_the_last_is_refused() {
    use futures_util::io::AsyncWrite;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    let keys = keys().await;
    let config = &keys.newest(NOW).unwrap().config;
    for (first, then) in [(&b""[..], &b"hello"[..]), (b"hello", b""), (b"", b"")] {
        let sink = super::open::Sink::default();
        let client = ohttp::ClientRequest::from_encoded_config(config).unwrap();
        let mut request = client.encapsulate_stream(sink.clone()).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        for piece in [first, then] {
            assert!(matches!(Pin::new(&mut request).poll_write(&mut context, piece), Poll::Ready(Ok(_))));
        }
        let cut = sink.take();
        super::open::close(&mut request).unwrap();
        let whole = [&cut[..], &sink.take()].concat();
        assert!(matches!(opened(&keys, &whole), Err(Refused::Bad)), "{first:?} {then:?}");
        assert!(matches!(opened(&keys, &cut), Err(Refused::Bad)), "{first:?} {then:?}, cut");
    }
}

#[tokio::test]
async fn a_suite_that_the_key_does_not_offer_is_refused_before_anything_is_opened() {
    let keys = keys().await;
    let mut config = keys.newest(NOW).unwrap().config.clone();
    // ChaCha20-Poly1305, which the library would take.
    let last = config.len() - 1;
    config[last] = 3;
    let client = ohttp::ClientRequest::from_encoded_config(&config).unwrap();
    let sink = super::open::Sink::default();
    let mut request = client.encapsulate_stream(sink.clone()).unwrap();
    super::open::write(&mut request, b"hello").unwrap();
    super::open::close(&mut request).unwrap();
    assert!(matches!(opened(&keys, &sink.take()), Err(Refused::Bad)));
}

#[tokio::test]
async fn an_answer_that_is_altered_cut_or_of_another_request_is_noticed() {
    let keys = keys().await;
    let answer_to =
        async |request: &Sealed| answered(opened(&keys, &request.bytes).unwrap(), text("all is well")).await;
    let request = sealed(&keys, b"hello");
    let bytes = answer_to(&request).await;
    let mut read = request.open(bytes).await.unwrap();
    assert_eq!(read.body().await.unwrap(), b"all is well");

    let read = async |request: Sealed, bytes: Vec<u8>| match request.open(bytes).await {
        Ok(mut answer) => answer.body().await,
        Err(error) => Err(error),
    };
    let length = {
        let request = sealed(&keys, b"hello");
        answer_to(&request).await.len()
    };
    for at in (0..length).step_by(length / 42) {
        let request = sealed(&keys, b"hello");
        let mut bytes = answer_to(&request).await;
        bytes[at] ^= 4;
        let noticed = read(request, bytes).await;
        assert!(
            matches!(noticed, Err(ClientError::Altered | ClientError::Truncated)),
            "byte {at}: {noticed:?}"
        );
    }
    for cut in [1, 16, 17, 18, length / 2, length - 17] {
        let request = sealed(&keys, b"hello");
        let mut bytes = answer_to(&request).await;
        bytes.truncate(length - cut);
        let noticed = read(request, bytes).await;
        assert!(
            matches!(noticed, Err(ClientError::Truncated | ClientError::Altered)),
            "less {cut}: {noticed:?}"
        );
    }
    let (one, other) = (sealed(&keys, b"one"), sealed(&keys, b"other"));
    let bytes = answer_to(&other).await;
    assert!(read(one, bytes).await.is_err());
}

#[tokio::test]
async fn an_answer_that_breaks_off_inside_breaks_off_outside() {
    let keys = keys().await;
    for kind in ["text/event-stream", "text/plain"] {
        let request = sealed(&keys, b"hello");
        let open = opened(&keys, &request.bytes).unwrap();
        let pieces = [Ok(Bytes::from_static(b"data: 1\n\n")), Err(std::io::Error::other("gone"))];
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let response = Response::builder().header("content-type", kind).body(body).unwrap();
        let broken = Body::new(Answer::new(response, open.sealer, PACE)).collect().await;
        assert!(broken.is_err(), "{kind}");
    }
}

#[tokio::test]
async fn streams_leave_at_a_beat_in_even_pieces_and_read_the_same() {
    let keys = keys().await;
    let request = sealed(&keys, b"hello");
    let open = opened(&keys, &request.bytes).unwrap();
    let events: Vec<String> = (0..5).map(|n| format!("data: {}\n\n", "word ".repeat(n * 30))).collect();
    let whole = events.concat();
    // Cut where it hurts: inside of lines.
    let pieces: Vec<Bytes> = whole.as_bytes().chunks(47).map(Bytes::copy_from_slice).collect();
    let stream = futures_util::stream::iter(pieces).then(async |piece| {
        tokio::time::sleep(Duration::from_millis(7)).await;
        Ok::<_, std::io::Error>(piece)
    });
    let response = Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(Box::pin(stream)))
        .unwrap();
    let began = std::time::Instant::now();
    let mut body = Body::new(Answer::new(response, open.sealer, PACE));
    let (mut all, mut lengths, mut first) = (Vec::new(), Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let piece = frame.unwrap().into_data().unwrap();
        first = first.or_else(|| Some(began.elapsed()));
        lengths.push(piece.len());
        all.extend_from_slice(&piece);
    }
    assert!(lengths.len() > 5, "it streams: {lengths:?}");
    assert!(first.unwrap() >= PACE.beat, "nothing leaves before the first beat");
    // The nonce of 16 bytes before the first, the final chunk behind the last; every other is text in a bucket.
    let overhead = |length: usize| (length - 18) % PACE.bucket;
    assert!(lengths[1..lengths.len() - 1].iter().all(|length| overhead(*length) == 0), "{lengths:?}");
    let mut read = request.open(all).await.unwrap();
    let body = String::from_utf8(read.body().await.unwrap()).unwrap();
    let mut without: String = body.split_inclusive('\n').filter(|line| !line.starts_with(':')).collect();
    assert_ne!(body, whole, "comments fill it up");
    if !without.ends_with("\n\n") {
        without.push('\n');
    }
    assert_eq!(without, whole);
}

#[tokio::test]
async fn a_key_opens_in_its_grace_and_not_after_it() {
    let keys = keys().await;
    let request = sealed(&keys, b"hello").bytes;
    let until = keys.newest(NOW).unwrap().until;
    let later = UnixMillis(until.0 + GRACE - 1);
    keys.turn(UnixMillis(until.0), None).await.unwrap();
    assert!(open(&keys, &request, later).is_ok());
    assert!(matches!(open(&keys, &request, UnixMillis(until.0 + GRACE)), Err(Refused::Key)));
    keys.turn(UnixMillis(until.0 + GRACE), None).await.unwrap();
    assert!(matches!(open(&keys, &request, later), Err(Refused::Key)), "it is gone, whatever the clock says");
}

/// Gateways that share a seed must make the same key of it, whichever version of the library they have.
#[test]
fn a_seed_gives_the_same_key_everywhere() {
    let seed: [u8; 64] = std::array::from_fn(|n| n as u8);
    let key = Key::of(500_000 << 8, &seed, NOW).unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key.config);
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        (key.id, hex.as_str()),
        (0xfd, "4fcb5a25b267884351eabae37f56b2da9cb36922c814b2835c6fa06fe32e56b3")
    );
}

/// Changes a request somewhere: a bit, a byte, a piece cut out, doubled, moved or put in.
fn mutated(bytes: &[u8], dice: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..=dice(3) {
        let (at, length) = (dice(changed.len().max(1)), 1 + dice(40));
        let end = (at + length).min(changed.len());
        match dice(7) {
            0 if !changed.is_empty() => changed[at] ^= 1 << dice(8),
            1 if !changed.is_empty() => changed[at] = u8::try_from(dice(256)).unwrap(),
            2 => drop(changed.drain(at..end)),
            3 => changed.truncate(at),
            4 => {
                let piece = changed[at..end].to_vec();
                let to = dice(changed.len().max(1));
                changed.splice(to..to, piece);
            }
            5 => drop(changed.splice(at..at, std::iter::repeat_n(0, length))),
            // Where it costs most: the lengths behind the KEM's ciphertext.
            _ => {
                if let Some(byte) = changed.get_mut(HEADER + ENC + dice(4)) {
                    *byte = u8::try_from(dice(256)).unwrap();
                }
            }
        }
    }
    changed
}

/// However a request is changed, nothing panics, nothing of it is told, and there are two answers: one where its key is not known,
/// and one for all the rest. `CHATWARD_PROVE_CHANNEL` says how many (500).
#[test]
fn prove_channel_changed_requests_are_refused_in_one_form() {
    use super::probe::{Probe, Probed};

    let count: u64 = std::env::var("CHATWARD_PROVE_CHANNEL").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    let probe = Probe::new().unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut dice = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap() % below
    };
    let plain = plain(&[b"canary-4417 ".repeat(20), vec![b'x'; 20_000]].concat());
    let requests: Vec<Bytes> = (0..8).map(|_| probe.seal(&plain).unwrap().bytes).collect();
    let (mut forms, mut opened) = (std::collections::BTreeMap::<String, u64>::new(), 0);
    for n in 0..count {
        let whole = &requests[usize::try_from(n % 8).unwrap()];
        let changed = mutated(whole, &mut dice);
        match probe.open(&changed) {
            Probed::Refused(status, told) => {
                assert_eq!(status, 400);
                assert!(!told.contains("canary"));
                *forms.entry(told).or_default() += 1;
            }
            // A change that changed nothing.
            Probed::Opened(..) => {
                assert_eq!(changed, whole[..]);
                opened += 1;
            }
            Probed::Misled => panic!("it opened as something else"),
        }
    }
    assert!(
        forms.len() <= 2
            && forms.keys().all(|told| told.contains("ohttp-key") || told.contains("channel-refused")),
        "{forms:?}"
    );
    assert!(opened < count / 10);
}

/// The same with what is inside: a client that encrypts nonsense is told nothing else than one that cannot encrypt.
#[test]
fn prove_channel_changed_texts_are_requests_or_refused() {
    use super::probe::{Probe, Probed};

    let count: u64 = std::env::var("CHATWARD_PROVE_CHANNEL").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    let probe = Probe::new().unwrap();
    let Probed::Opened(..) = probe.open(&probe.seal(&plain(b"canary-4417")).unwrap().bytes) else {
        panic!("it opens")
    };
    let mut message =
        bhttp::Message::request(b"POST".into(), b"https".into(), b"x".into(), b"/chat/v1/messages".into());
    message.put_header("content-type", "application/json");
    message.write_content(b"canary-4417");
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut dice = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap() % below
    };
    let mut forms = std::collections::BTreeSet::new();
    for mode in [bhttp::Mode::KnownLength, bhttp::Mode::IndeterminateLength] {
        let mut text = Vec::new();
        message.write_bhttp(mode, &mut text).unwrap();
        for _ in 0..count {
            if let Probed::Refused(_, told) = Probe::inside(&mutated(&text, &mut dice)) {
                forms.insert(told);
            }
        }
    }
    assert_eq!(forms.len(), 1, "{forms:?}");
}
