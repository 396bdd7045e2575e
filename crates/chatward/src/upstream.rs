//! The bots behind us: connections, time limits, and which headers pass.
//!
//! One pool of HTTP/1.1 connections per bot. HTTPS is always verified, against the roots of the platform. A request is sent
//! again only if its connection turned out to be closed before a byte of it was sent. Dropping a reply drops its
//! connection, so a client that leaves cancels the bot at once.
//!
//! Limits. Only headers on the list of [`outgoing`] go to a bot, so neither cookies nor addresses of customers do.
//! Answers are asked for uncompressed, and a compressed one is refused, for it could not be inspected.

mod choice;
mod wire;

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use zeroize::Zeroizing;

use crate::problem::Code;
use wire::{Reply, Wire, Wires};

pub use choice::Upstreams;

/// So long a connection that nobody uses is kept.
const KEPT: Duration = Duration::from_secs(60);

/// Which time limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// For the connection.
    Connect,
    /// For the head of the answer, from the moment it was asked for.
    FirstByte,
    /// For the next piece of the answer.
    Idle,
    /// For the whole answer.
    Total,
}

/// What went wrong between us and a bot. The details are for logs: they hold addresses and reasons, never content.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The operator's or the bot's: no connection.
    #[error("cannot connect: {0}")]
    Connect(Box<str>),
    /// The operator's or the bot's: the bot is not who it should be, or no common way of encryption.
    #[error("TLS: {0}")]
    Tls(Box<str>),
    /// The bot: too slow.
    #[error("timeout: {0:?}")]
    Timeout(Waited),
    /// The bot: closed the connection before the end of the answer.
    #[error("the connection was closed too early")]
    Closed,
    /// The bot: an encoding or a type of content that nobody asked for.
    #[error("unexpected content type or encoding")]
    BadContentType,
    /// The bot: the answer is longer than this many bytes.
    #[error("the answer is longer than {0} bytes")]
    TooBig(usize),
    /// The bot: what it speaks is not HTTP/1.1.
    #[error("protocol: {0}")]
    Protocol(Box<str>),
}

impl From<&UpstreamError> for Code {
    fn from(error: &UpstreamError) -> Self {
        match error {
            UpstreamError::Connect(_) | UpstreamError::Tls(_) => Self::UpstreamUnreachable,
            UpstreamError::Timeout(_) => Self::UpstreamTimeout,
            UpstreamError::Closed => Self::UpstreamCut,
            UpstreamError::TooBig(_) => Self::UpstreamReplyTooLarge,
            UpstreamError::BadContentType | UpstreamError::Protocol(_) => Self::UpstreamBadReply,
        }
    }
}

impl UpstreamError {
    /// No connection came about.
    fn of_connect(error: &(dyn std::error::Error + 'static)) -> Self {
        let (mut tls, mut timed_out, mut deepest) = (false, false, error);
        let mut next = Some(error);
        while let Some(cause) = next {
            tls |= cause.is::<rustls::Error>();
            // An I/O error hides what it wraps from `source`.
            let mut io = cause.downcast_ref::<std::io::Error>();
            while let Some(error) = io {
                timed_out |= error.kind() == std::io::ErrorKind::TimedOut;
                tls |= error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
                io = error.get_ref().and_then(|inner| inner.downcast_ref::<std::io::Error>());
            }
            deepest = cause;
            next = cause.source();
        }
        match (tls, timed_out) {
            (true, _) => Self::Tls(deepest.to_string().into()),
            (_, true) => Self::Timeout(Waited::Connect),
            _ => Self::Connect(deepest.to_string().into()),
        }
    }

    fn of_hyper(error: &hyper::Error) -> Self {
        if error.is_parse() && !error.is_incomplete_message() {
            return Self::Protocol(error.to_string().into());
        }
        Self::Closed
    }
}

/// Where a bot is and how long it may take.
pub struct Settings {
    /// Its name, for events and logs.
    pub name: Arc<str>,
    /// Its base URL. As clients of this protocol have it: with the version (`https://api.example.com/v1`); a URL
    /// without any path gets `/v1`. Whoever makes this value has checked that `http` is only used where it may be.
    pub url: Uri,
    /// The house's own key for it; without one the caller's credential is passed on.
    pub key: Option<Zeroizing<String>>,
    /// Time for the connection.
    pub connect: Duration,
    /// Time for the head of the answer.
    pub first_byte: Duration,
    /// Time for each further piece.
    pub idle: Duration,
    /// Time for all of it.
    pub total: Duration,
    /// Largest answer, in bytes.
    pub max_reply: usize,
    /// Trust only these, not the platform's roots: for a bot with a private certificate authority.
    pub roots: Option<Vec<CertificateDer<'static>>>,
}

/// A bot cannot be set up: the operator's fault.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No root certificate can be used.
    #[error("no usable root certificates: {0}")]
    Roots(Box<str>),
    /// The key cannot stand in a header.
    #[error("the key for the bot holds characters that a header cannot carry")]
    Key,
    /// The base URL cannot be used.
    #[error("the bot's base URL needs a scheme and a host")]
    Url,
}

/// One bot.
pub struct Upstream {
    /// Its name.
    pub name: Arc<str>,
    wires: Wires,
    host: HeaderValue,
    chat: Uri,
    models: Uri,
    key: Option<HeaderValue>,
    first_byte: Duration,
    idle: Duration,
    total: Duration,
    max_reply: usize,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Prepares the client; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// See [`SetupError`].
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let Settings { name, url, key, connect, first_byte, idle, total, max_reply, roots } = settings;
        let https = url.scheme_str() == Some("https");
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(connect));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls(https, roots)?).https_or_http().enable_http1();
        let key = match key {
            None => None,
            Some(key) => {
                let bearer = Zeroizing::new(format!("Bearer {}", key.trim()));
                let mut value = HeaderValue::from_str(&bearer).map_err(|_| SetupError::Key)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let (host, chat, models) =
            (host(&url)?, endpoint(&url, "chat/completions")?, endpoint(&url, "models")?);
        let wires = Wires::new(connector.wrap_connector(tcp), url, KEPT);
        Ok(Self { name, wires, host, chat, models, key, first_byte, idle, total, max_reply })
    }

    /// Asks for a chat completion. `credential` is the caller's own `Authorization`, if it is one to be passed on;
    /// the house's key comes before it. Of `headers` only those pass that [`outgoing`] lets through.
    ///
    /// # Errors
    ///
    /// See [`UpstreamError`]. A status that is no success is not an error here.
    pub async fn chat(
        &self,
        credential: Option<&HeaderValue>,
        headers: &HeaderMap,
        body: Bytes,
        stream: bool,
    ) -> Result<UpstreamReply, UpstreamError> {
        let mut headers = outgoing(headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if stream { "text/event-stream" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        self.ask(Method::POST, self.chat.clone(), credential, headers, body).await
    }

    /// Asks which models it has.
    ///
    /// # Errors
    ///
    /// See [`UpstreamError`].
    pub async fn models(
        &self,
        credential: Option<&HeaderValue>,
        headers: &HeaderMap,
    ) -> Result<UpstreamReply, UpstreamError> {
        let mut headers = outgoing(headers);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        self.ask(Method::GET, self.models.clone(), credential, headers, Bytes::new()).await
    }

    async fn ask(
        &self,
        method: Method,
        uri: Uri,
        credential: Option<&HeaderValue>,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<UpstreamReply, UpstreamError> {
        headers.insert(HOST, self.host.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(key) = self.key.as_ref().or(credential) {
            headers.insert(AUTHORIZATION, key.clone());
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let start = Instant::now();
        let total = start + self.total;
        let first_byte = start + self.first_byte;
        let (until, waited) =
            if first_byte < total { (first_byte, Waited::FirstByte) } else { (total, Waited::Total) };
        let Reply { head, body: inner, wire } = match timeout_at(until, self.wires.ask(request)).await {
            Err(_) => return Err(UpstreamError::Timeout(waited)),
            Ok(reply) => reply?,
        };
        let plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
        if !head.headers.get_all(CONTENT_ENCODING).iter().all(plain) {
            return Err(UpstreamError::BadContentType);
        }
        if inner.size_hint().lower() > u64::try_from(self.max_reply).unwrap_or(u64::MAX) {
            return Err(UpstreamError::TooBig(self.max_reply));
        }
        let content = Content::of(&head.headers);
        let body = UpstreamBody {
            inner: Some((inner, wire)),
            alarm: Box::pin(sleep_until(total.min(Instant::now() + self.idle))),
            wakes: None,
            last: Instant::now(),
            idle: self.idle,
            total,
            left: self.max_reply,
            max_reply: self.max_reply,
        };
        Ok(UpstreamReply { status: head.status, headers: incoming(&head.headers), content, body })
    }
}

/// The path of the base URL and a path below it.
fn endpoint(base: &Uri, below: &str) -> Result<Uri, SetupError> {
    let prefix = match base.path().trim_end_matches('/') {
        "" => "/v1",
        prefix => prefix,
    };
    format!("{prefix}/{below}").parse().map_err(|_| SetupError::Url)
}

/// What the base URL says for the `host` header: with a port if it is not the usual one.
fn host(base: &Uri) -> Result<HeaderValue, SetupError> {
    let (scheme, host) = base.scheme_str().zip(base.host()).ok_or(SetupError::Url)?;
    let text = match (base.port_u16(), scheme) {
        (None, _) | (Some(443), "https") | (Some(80), "http") => host.to_owned(),
        (Some(port), _) => format!("{host}:{port}"),
    };
    HeaderValue::from_str(&text).map_err(|_| SetupError::Url)
}

/// Verification of others than bots that the house asks: against the roots of the platform.
pub(crate) fn verified(https: bool) -> Result<rustls::ClientConfig, SetupError> {
    tls(https, None)
}

/// Verification of others than bots, against these certificates instead of the platform's.
pub(crate) fn vouched(roots: Vec<CertificateDer<'static>>) -> Result<rustls::ClientConfig, SetupError> {
    tls(true, Some(roots))
}

/// Verification of bots. Without HTTPS there is nobody to verify, and no roots are read.
fn tls(https: bool, roots: Option<Vec<CertificateDer<'static>>>) -> Result<rustls::ClientConfig, SetupError> {
    let wrong = |error: &dyn fmt::Display| SetupError::Roots(error.to_string().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| wrong(&error))?;
    let config = match roots {
        None if https => config.with_native_roots().map_err(|error| wrong(&error))?,
        roots => {
            let mut store = rustls::RootCertStore::empty();
            for root in roots.into_iter().flatten() {
                store.add(root).map_err(|error| wrong(&error))?;
            }
            config.with_root_certificates(store)
        }
    };
    Ok(config.with_no_client_auth())
}

/// Headers of a caller that go on to a bot, and no others: those of the client libraries (`openai-…`, `x-stainless-…`),
/// `idempotency-key`, and the trace (`traceparent`; `tracestate` and `baggage` are free text and end here). The
/// credential goes its own way.
pub fn outgoing(from: &HeaderMap) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(16);
    for (name, value) in from {
        let text = name.as_str();
        if text.starts_with("openai-")
            || text.starts_with("x-stainless-")
            || matches!(text, "idempotency-key" | "traceparent" | "user-agent")
        {
            to.append(name, value.clone());
        }
    }
    to
}

/// Headers of a bot that go on to the caller: its request id, rate limits, and `openai-…`.
pub fn incoming(from: &HeaderMap) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(16);
    for (name, value) in from {
        let text = name.as_str();
        if text.starts_with("openai-")
            || text.starts_with("x-ratelimit-")
            || matches!(text, "x-request-id" | "retry-after" | "retry-after-ms" | "x-should-retry")
        {
            to.append(name, value.clone());
        }
    }
    to
}

/// What a bot says its answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// `application/json`, or anything ending in `+json`.
    Json,
    /// `text/event-stream`.
    EventStream,
    /// Something else, or nothing.
    Other,
}

impl Content {
    fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if essence.eq_ignore_ascii_case(b"text/event-stream") {
            Self::EventStream
        } else if essence.eq_ignore_ascii_case(b"application/json")
            || essence.to_ascii_lowercase().ends_with(b"+json")
        {
            Self::Json
        } else {
            Self::Other
        }
    }
}

/// The head of an answer, and its body to come.
#[derive(Debug)]
pub struct UpstreamReply {
    /// Its status.
    pub status: StatusCode,
    /// Those of its headers that go on ([`incoming`]).
    pub headers: HeaderMap,
    /// What it says it is.
    pub content: Content,
    body: UpstreamBody,
}

impl UpstreamReply {
    /// Whether it says it is a stream of events.
    pub fn is_event_stream(&self) -> bool {
        self.content == Content::EventStream
    }

    /// Its body as it comes.
    pub fn into_body(self) -> UpstreamBody {
        self.body
    }

    /// Its whole body, which must say it is JSON.
    ///
    /// # Errors
    ///
    /// See [`UpstreamError`]. An error of the bot may say what it likes: its body is looked at, not its type.
    pub async fn collect(self) -> Result<Bytes, UpstreamError> {
        if self.status.is_success() && self.content != Content::Json {
            return Err(UpstreamError::BadContentType);
        }
        let mut body = self.body;
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            // Most answers come in one piece, which needs no copy.
            match &first {
                None => first = Some(data),
                Some(first) => {
                    if rest.is_empty() {
                        rest.extend_from_slice(first);
                    }
                    rest.extend_from_slice(&data);
                }
            }
        }
        Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
    }
}

/// A body under time limits and a length limit. Dropping it closes its connection, unless it was read to its end.
pub struct UpstreamBody {
    inner: Option<(Incoming, Wire)>,
    alarm: Pin<Box<Sleep>>,
    /// Whom the alarm wakes.
    wakes: Option<Waker>,
    /// When something last came.
    last: Instant,
    idle: Duration,
    total: Instant,
    left: usize,
    max_reply: usize,
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").field("left", &self.left).finish_non_exhaustive()
    }
}

impl UpstreamBody {
    fn over(&mut self) {
        if let Some((inner, wire)) = self.inner.take() {
            wire.give_back(inner);
        }
    }

    fn fail(&mut self, error: UpstreamError) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        self.inner = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let Some((inner, wire)) = &mut self.inner else { return Poll::Ready(None) };
        match wire.poll_frame(inner, cx) {
            Poll::Ready(None) => {
                self.over();
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => return self.fail(UpstreamError::of_hyper(&error)),
            Poll::Ready(Some(Ok(frame))) => {
                let len = frame.data_ref().map_or(0, Bytes::len);
                let Some(left) = self.left.checked_sub(len) else {
                    let limit = self.max_reply;
                    return self.fail(UpstreamError::TooBig(limit));
                };
                self.left = left;
                self.last = Instant::now();
                // A bot that sends without pause never gets to the alarm below.
                if self.last >= self.total {
                    return self.fail(UpstreamError::Timeout(Waited::Total));
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Pending => {}
        }
        // The alarm is neither set anew nor looked at for each piece: when it rings too early it is put off to where it
        // belongs.
        let wakes_us = self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if wakes_us && !self.alarm.is_elapsed() {
            return Poll::Pending;
        }
        self.wakes = Some(cx.waker().clone());
        while self.alarm.as_mut().poll(cx).is_ready() {
            let (now, idle, total) = (Instant::now(), self.last + self.idle, self.total);
            if now >= total {
                return self.fail(UpstreamError::Timeout(Waited::Total));
            }
            if now >= idle {
                return self.fail(UpstreamError::Timeout(Waited::Idle));
            }
            self.alarm.as_mut().reset(idle.min(total));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|(inner, _)| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(|(inner, _)| inner.size_hint()).unwrap_or_default()
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        self.over();
    }
}

#[cfg(test)]
mod tests;
