//! What opening a request of the encrypted channel costs the guard, beside what TLS costs it, in one run: thread CPU time of the server's
//! side alone, the least and the median of many rounds.
//!
//! ```console
//! $ cargo run --release -p chatward --example channel_cost
//! ```

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a tool for whoever measures")]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use chatward::channel::client::Plain;
use chatward::channel::probe::{Probe, Probed};
use http::{HeaderMap, HeaderValue, Method, Uri};
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

const ROUNDS: usize = 400;

/// This thread's CPU time, nanoseconds.
fn cpu() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

/// What this takes.
fn timed<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let began = cpu();
    let done = work();
    (cpu() - began, done)
}

fn shown(name: &str, mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of one request")]
    let micros = |at: usize| times[at] as f64 / 1000.0;
    let median = micros(times.len() / 2);
    println!("| {name} | {:.0} | {median:.0} | {:.0} |", micros(0), micros(times.len() * 99 / 100));
    median
}

/// Both configurations of a TLS 1.3 connection with X25519MLKEM768.
fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

/// A hand-shake; what it cost the server.
fn shake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
) -> (u64, ServerConnection, ClientConnection) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut theirs = ClientConnection::new(Arc::clone(client), name).unwrap();
    let (mut spent, mut ours) = timed(|| ServerConnection::new(Arc::clone(server)).unwrap());
    while theirs.is_handshaking() || ours.is_handshaking() {
        let mut wire = Vec::new();
        while theirs.wants_write() {
            theirs.write_tls(&mut wire).unwrap();
        }
        let (took, back) = timed(|| {
            let mut from = &wire[..];
            while !from.is_empty() {
                ours.read_tls(&mut from).unwrap();
                ours.process_new_packets().unwrap();
            }
            let mut back = Vec::new();
            while ours.wants_write() {
                ours.write_tls(&mut back).unwrap();
            }
            back
        });
        spent += took;
        let mut from = &back[..];
        while !from.is_empty() {
            theirs.read_tls(&mut from).unwrap();
            theirs.process_new_packets().unwrap();
        }
    }
    (spent, ours, theirs)
}

fn main() {
    let probe = Probe::new().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let body = Bytes::from(format!("{{\"text\":\"{}\"}}", "My order has not come yet. ".repeat(12)));
    let plain = Plain {
        method: Method::POST,
        path: Uri::from_static("/chat/v1/messages"),
        headers,
        body: body.clone(),
    };
    let (server, client) = tls();
    let (mut opening, mut shaking, mut record) = (Vec::new(), Vec::new(), Vec::new());
    let (_, mut ours, mut theirs) = shake(&server, &client);
    for _ in 0..ROUNDS {
        let sealed = probe.seal(&plain).unwrap();
        let (took, opened) = timed(|| probe.open(&sealed.bytes));
        let Probed::Opened(..) = opened else { panic!("{opened:?}") };
        opening.push(took);
        shaking.push(shake(&server, &client).0);
        // The same request as a record of a connection that is open already.
        std::io::Write::write_all(&mut theirs.writer(), &body).unwrap();
        let mut wire = Vec::new();
        while theirs.wants_write() {
            theirs.write_tls(&mut wire).unwrap();
        }
        let (took, read) = timed(|| {
            ours.read_tls(&mut &wire[..]).unwrap();
            ours.process_new_packets().unwrap();
            let mut read = vec![0; body.len()];
            std::io::Read::read_exact(&mut ours.reader(), &mut read).unwrap();
            read
        });
        black_box(read);
        record.push(took);
    }
    println!("| the guard's CPU for | least µs | median µs | 99th µs |\n| --- | --: | --: | --: |");
    let open = shown("opening a request of the channel (X-Wing, HKDF, AES-GCM, Binary HTTP)", opening);
    shown("a TLS 1.3 hand-shake with X25519MLKEM768 and ECDSA P-256", shaking);
    shown("the same request as a record of a TLS connection", record);
    assert!(open <= 700.0, "the bar is 0.7 ms: {open} µs");
}
