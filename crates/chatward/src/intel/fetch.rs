//! Asking servers for feeds: HTTP/1.1, over TLS but for what the configuration names dangerous, with an end in time and in bytes.
//!
//! Redirects are not followed: the place of a feed is what the operator wrote. Answers are asked for uncompressed, and a
//! compressed one is refused, so that a small answer stays small.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioExecutor;
use tokio::time::{Instant, timeout_at};

use crate::config::intel::Feed;
use crate::upstream::verified;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long nothing may come.
const IDLE: Duration = Duration::from_secs(30);

/// Why a feed could not be had. Holds nothing that its server said but a status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// No connection, or it broke off.
    #[error("the server cannot be reached: {0}")]
    Away(Box<str>),
    /// Too slow.
    #[error("the server does not answer in time")]
    Slow,
    /// It says no.
    #[error("the server answers with status {0}")]
    Refused(StatusCode),
    /// It sends elsewhere.
    #[error(
        "the server sends to another place ({0}): write that place into the configuration if it is right"
    )]
    Elsewhere(StatusCode),
    /// More than the configuration allows.
    #[error("the answer is longer than {0} bytes")]
    Long(u64),
    /// Not asked for.
    #[error("the answer is compressed, which nobody asked for")]
    Encoding,
    /// The operator's: the roots, the key, the place.
    #[error("cannot be asked: {0}")]
    Request(&'static str),
    /// Pages without end.
    #[error("the server has more than {0} pages")]
    Pages(usize),
    /// Ours: the file it goes to.
    #[error("{0}")]
    File(#[from] std::io::Error),
}

enum Http {
    Direct(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
    Proxied(Client<HttpsConnector<Tunnel<HttpConnector>>, Full<Bytes>>),
}

/// One look at a feed: its time and its bytes are those of all requests together.
pub(super) struct Look<'a> {
    feed: &'a Feed,
    http: Http,
    end: Instant,
    left: u64,
}

/// The head of an answer.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

impl Head {
    /// A header, if it is short and plain.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = self.headers.get(name)?.to_str().ok()?;
        (text.len() <= 512).then(|| text.to_owned())
    }
}

impl<'a> Look<'a> {
    pub(super) fn new(feed: &'a Feed, uri: &Uri) -> Result<Self, FetchError> {
        let https = uri.scheme_str() == Some("https");
        let tls = verified(https).map_err(|_| FetchError::Request("no root certificates can be used"))?;
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        let http = match &feed.proxy {
            None => Http::Direct(Client::builder(TokioExecutor::new()).build(builder.wrap_connector(tcp))),
            Some(proxy) => {
                let tunnel = Tunnel::new(proxy.clone(), tcp);
                Http::Proxied(Client::builder(TokioExecutor::new()).build(builder.wrap_connector(tunnel)))
            }
        };
        Ok(Self { feed, http, end: Instant::now() + feed.time_limit, left: feed.max_bytes })
    }

    /// Asks, and writes what is answered with 200 to a file. An answer of 304 has no body.
    pub(super) async fn ask(
        &mut self,
        uri: &Uri,
        headers: &[(HeaderName, &str)],
        body: Option<Bytes>,
        to: &mut std::fs::File,
    ) -> Result<Head, FetchError> {
        let (parts, body) = self.send(uri, headers, body).await?.into_parts();
        let head = Head { status: parts.status, headers: parts.headers };
        match head.status {
            StatusCode::NOT_MODIFIED => return Ok(head),
            status if status.is_redirection() => return Err(FetchError::Elsewhere(status)),
            StatusCode::OK => {}
            status => return Err(FetchError::Refused(status)),
        }
        if head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(FetchError::Encoding);
        }
        self.copy(body, to).await?;
        Ok(head)
    }

    /// Hands something over; what the server says of it, in at most so many bytes.
    pub(super) async fn give(
        &mut self,
        uri: &Uri,
        headers: &[(HeaderName, &str)],
        body: Bytes,
        most: usize,
    ) -> Result<Vec<u8>, FetchError> {
        let answer = self.send(uri, headers, Some(body)).await?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(FetchError::Elsewhere(status));
        }
        if !status.is_success() {
            return Err(FetchError::Refused(status));
        }
        let body = http_body_util::Limited::new(answer.into_body(), most).collect();
        let said = timeout_at(self.end, body).await.map_err(|_| FetchError::Slow)?;
        let said = said.map_err(|_| FetchError::Long(most as u64))?;
        Ok(said.to_bytes().to_vec())
    }

    async fn send(
        &self,
        uri: &Uri,
        headers: &[(HeaderName, &str)],
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, FetchError> {
        let request = self.request(uri, headers, body)?;
        let sent = async {
            match &self.http {
                Http::Direct(client) => client.request(request).await,
                Http::Proxied(client) => client.request(request).await,
            }
        };
        let answer = timeout_at(self.end, sent).await.map_err(|_| FetchError::Slow)?;
        answer.map_err(|error| FetchError::Away(reason(&error)))
    }

    fn request(
        &self,
        uri: &Uri,
        headers: &[(HeaderName, &str)],
        body: Option<Bytes>,
    ) -> Result<Request<Full<Bytes>>, FetchError> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(USER_AGENT, concat!("chatward/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT_ENCODING, "identity");
        if !headers.iter().any(|(name, _)| name == ACCEPT) {
            request = request.header(ACCEPT, "*/*");
        }
        if body.is_some() && !headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some((name, key)) = &self.feed.key {
            let mut value = HeaderValue::from_str(key.expose())
                .map_err(|_| FetchError::Request("the key holds characters that a header cannot carry"))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|_| FetchError::Request("not a place on a server"))
    }

    async fn copy(&mut self, mut body: Incoming, to: &mut std::fs::File) -> Result<(), FetchError> {
        loop {
            let end = self.end.min(Instant::now() + IDLE);
            let Some(frame) = timeout_at(end, body.frame()).await.map_err(|_| FetchError::Slow)? else {
                return Ok(());
            };
            let frame = frame.map_err(|error| FetchError::Away(reason(&error)))?;
            let Ok(data) = frame.into_data() else { continue };
            let many = data.len() as u64;
            self.left = self.left.checked_sub(many).ok_or(FetchError::Long(self.feed.max_bytes))?;
            to.write_all(&data)?;
        }
    }
}

/// The deepest cause: the one that says something.
fn reason(error: &(dyn std::error::Error + 'static)) -> Box<str> {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string().chars().take(200).collect::<String>().into()
}
