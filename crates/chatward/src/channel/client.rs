//! The other end, for the command line and for tests: what `static/channel.js` is in a browser.

mod reader;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chatward_message::{Clock, SystemClock, UnixMillis};
use futures_util::TryStreamExt as _;
use futures_util::io::AsyncRead;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyDataStream, BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Mutex;

use super::list::{self, ListError, Trusted};
use super::open::{self, Sink};
use super::session::{self, Registered};
use super::{ANSWER_TYPE, GATEWAY, KEY_LIST, REQUEST_TYPE, SESSION};
use crate::problem::Code;
use crate::upstream::verified;
use reader::{Part, Reader};

/// What the length of a request is filled up to a multiple of.
const BUCKET: usize = 512;
/// The longest list of keys, and the longest problem document.
const SHORT: usize = 1 << 18;
/// How long before its end a token is renewed, milliseconds.
const EARLY: u64 = 30_000;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none, or its certificates cannot be checked.
    #[error("{0}")]
    Address(Box<str>),
    /// The network's.
    #[error("the gateway cannot be reached: {0}")]
    Away(Box<str>),
    /// The list of keys is not to be trusted.
    #[error(transparent)]
    List(#[from] ListError),
    /// The gateway did not open the request: its status, and the code it gave.
    #[error("the gateway refused the request ({0}, {1})")]
    Refused(StatusCode, Box<str>),
    /// The answer broke off.
    #[error("the answer broke off: what came of it is not all")]
    Truncated,
    /// The answer was altered, or belongs to another request.
    #[error("the answer was altered on its way")]
    Altered,
    /// The library's, or the system's.
    #[error("nothing can be encrypted here")]
    Library,
}

/// An answer, as far as it has come.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    reader: Reader,
    from: Box<dyn AsyncRead + Send + Unpin>,
    piece: Vec<u8>,
    ended: bool,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Answer {
    /// The next piece of the body; none at its end, when all of it has come and nothing was cut off.
    ///
    /// # Errors
    /// [`ClientError::Truncated`] and [`ClientError::Altered`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            match self.reader.next().map_err(|reader::Malformed| ClientError::Altered)? {
                Some(Part::Content(piece)) => return Ok(Some(piece)),
                Some(Part::Head(..)) => return Err(ClientError::Altered),
                None if self.ended => return Ok(None),
                None => self.more().await?,
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Answer::chunk`].
    pub async fn body(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(piece) = self.chunk().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    async fn more(&mut self) -> Result<(), ClientError> {
        let n = self.read().await?;
        self.reader.feed(self.piece.get(..n).unwrap_or_default());
        if n == 0 {
            // An empty chunk that is not the last reads like the end; the true end stays the end.
            if self.read().await? != 0 || !self.reader.is_whole() {
                return Err(ClientError::Truncated);
            }
            self.ended = true;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<usize, ClientError> {
        let Self { from, piece, .. } = self;
        let read = std::future::poll_fn(|context| Pin::new(&mut *from).poll_read(context, piece));
        read.await.map_err(|error| match told(&error) {
            Some(ohttp::Error::Truncated) => ClientError::Truncated,
            Some(_) => ClientError::Altered,
            None => ClientError::Truncated,
        })
    }
}

/// What the library says, if it was the library.
fn told(error: &io::Error) -> Option<&ohttp::Error> {
    error.get_ref()?.downcast_ref()
}

/// A session with a gateway.
pub struct Client {
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: Uri,
    pin: Option<[u8; 32]>,
    pair: Ed25519KeyPair,
    clock: Arc<dyn Clock>,
    key: Mutex<Option<Trusted>>,
    token: Mutex<Option<Registered>>,
    cookie: std::sync::Mutex<Option<HeaderValue>>,
    counter: AtomicU64,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.base)
    }
}

/// A request, before it is encrypted.
#[derive(Debug, Clone)]
pub struct Plain {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: Uri,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A request that is encrypted, and what opens the answer to it.
pub struct Sealed {
    /// What is posted.
    pub bytes: Bytes,
    opener: Opener,
}

type Stream = Box<dyn AsyncRead + Send + Unpin>;
type Opener = Box<dyn FnOnce(Stream) -> Result<Stream, ClientError> + Send>;

impl Client {
    /// For the gateway at this address (`https://chat.example`), which has to be the one whose key this pin is. Without a pin the
    /// key that it names itself is believed, which protects from those who only listen.
    ///
    /// # Errors
    /// [`ClientError::Address`] and [`ClientError::Library`].
    pub fn new(base: &str, pin: Option<[u8; 32]>) -> Result<Self, ClientError> {
        Self::with_clock(base, pin, Arc::new(SystemClock))
    }

    /// The same, with a clock of its own.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_clock(base: &str, pin: Option<[u8; 32]>, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let wrong = |said: &str| ClientError::Address(format!("{base}: {said}").into());
        let uri: Uri = base.trim_end_matches('/').parse().map_err(|_| wrong("no address"))?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("it begins with neither https:// nor http://")),
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let tls = verified(https).map_err(|error| wrong(&error.to_string()))?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        Ok(Self {
            http: Http::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp)),
            base: uri,
            pin,
            pair: Ed25519KeyPair::generate().map_err(|_| ClientError::Library)?,
            clock,
            key: Mutex::default(),
            token: Mutex::default(),
            cookie: std::sync::Mutex::default(),
            counter: AtomicU64::new(0),
        })
    }

    /// The public key that signs the gateway's lists, once one was fetched.
    ///
    /// # Errors
    /// Those of fetching it.
    pub async fn signed_by(&self) -> Result<[u8; 32], ClientError> {
        Ok(self.key().await?.by)
    }

    /// Asks, in a session of its own. A key that ended is fetched anew once, and so is a session.
    ///
    /// # Errors
    /// Those of [`ClientError`]; a status that says no is an [`Answer`].
    pub async fn fetch(&self, plain: &Plain) -> Result<Answer, ClientError> {
        let mut answer = self.send(&self.signed(plain).await?).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let body = answer.body().await?;
            if code_of(&body).as_deref() != Some(Code::ChannelSession.as_str()) {
                answer.reader = Reader::whole(body);
                return Ok(answer);
            }
            *self.token.lock().await = None;
            return self.send(&self.signed(plain).await?).await;
        }
        Ok(answer)
    }

    /// The request with its proof: token, counter, signature.
    ///
    /// # Errors
    /// Those of registering.
    pub async fn signed(&self, plain: &Plain) -> Result<Plain, ClientError> {
        let token = self.token().await?;
        let counter = self.counter.fetch_add(1, Ordering::Relaxed) + 1;
        let digest = session::content_digest(&plain.body);
        let base = session::signature_base(&plain.method, &plain.path, &digest, &token, counter);
        let mut signed = plain.clone();
        let mut put = |name: &'static str, value: String| {
            let value = HeaderValue::try_from(value).map_err(|_| ClientError::Library)?;
            signed.headers.insert(name, value);
            Ok::<_, ClientError>(())
        };
        put(session::TOKEN, token)?;
        put(session::COUNTER, counter.to_string())?;
        put("content-digest", digest)?;
        for (name, value) in session::signature_headers(self.pair.sign(base.as_bytes()).as_ref()) {
            put(name, value)?;
        }
        Ok(signed)
    }

    async fn token(&self) -> Result<String, ClientError> {
        let mut kept = self.token.lock().await;
        if let Some(known) = &*kept
            && self.clock.now().0 + EARLY < known.until
        {
            return Ok(known.token.clone());
        }
        let key = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        let body = serde_json::json!({ "key": key }).to_string();
        let path = Uri::from_static(SESSION);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let plain = Plain { method: Method::POST, path, headers, body: body.into() };
        let mut answer = self.send(&plain).await?;
        let body = answer.body().await?;
        if answer.status != StatusCode::OK {
            return Err(ClientError::Refused(answer.status, code_of(&body).unwrap_or_default()));
        }
        let registered: Registered = serde_json::from_slice(&body).map_err(|_| ClientError::Altered)?;
        let token = registered.token.clone();
        *kept = Some(registered);
        Ok(token)
    }

    /// Encrypts and sends a request as it is. If its key has ended, the list is fetched once more and it is encrypted anew; what
    /// says so is not encrypted, so it is believed once only.
    ///
    /// # Errors
    /// As [`Client::fetch`].
    pub async fn send(&self, plain: &Plain) -> Result<Answer, ClientError> {
        let mut last = false;
        loop {
            let key = self.key().await?;
            let sealed = seal(&key.config, plain)?;
            let response = self.post(sealed.bytes).await?;
            let kind = response.headers().get(header::CONTENT_TYPE);
            if response.status() == StatusCode::OK && kind.is_some_and(|kind| kind == ANSWER_TYPE) {
                return opened(sealed.opener, response).await;
            }
            let status = response.status();
            let code = code_of(&short(response).await?).unwrap_or_default();
            if last || &*code != Code::ChannelKey.as_str() {
                return Err(ClientError::Refused(status, code));
            }
            last = true;
            *self.key.lock().await = None;
        }
    }

    /// Encrypts a request to the newest key.
    ///
    /// # Errors
    /// Those of fetching the key.
    pub async fn seal(&self, plain: &Plain) -> Result<Sealed, ClientError> {
        seal(&self.key().await?.config, plain)
    }

    /// Posts what is encrypted, and gives the answer as it comes.
    ///
    /// # Errors
    /// [`ClientError::Away`].
    pub async fn post(&self, sealed: Bytes) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::post(self.at(GATEWAY)?)
            .header(header::CONTENT_TYPE, REQUEST_TYPE)
            .body(Full::new(sealed))
            .map_err(|_| ClientError::Library)?;
        if let Some(cookie) = self.cookie() {
            request.headers_mut().insert(header::COOKIE, cookie);
        }
        let response =
            self.http.request(request).await.map_err(|error| ClientError::Away(error.to_string().into()))?;
        if let Some(set) = response.headers().get(header::SET_COOKIE)
            && let Some(pair) = set.as_bytes().split(|byte| *byte == b';').next()
            && let Ok(pair) = HeaderValue::from_bytes(pair)
        {
            self.set_cookie(pair);
        }
        Ok(response)
    }

    /// The cookie by which the gateway knows this session.
    pub fn cookie(&self) -> Option<HeaderValue> {
        self.cookie.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Takes a cookie that the gateway gave elsewhere.
    pub fn set_cookie(&self, cookie: HeaderValue) {
        *self.cookie.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(cookie);
    }

    /// The key to encrypt to.
    async fn key(&self) -> Result<Trusted, ClientError> {
        let mut kept = self.key.lock().await;
        let now = self.clock.now();
        if let Some(key) = kept.as_ref().filter(|key| now < key.until) {
            return Ok(key.clone());
        }
        let request =
            Request::get(self.at(KEY_LIST)?).body(Full::default()).map_err(|_| ClientError::Library)?;
        let response =
            self.http.request(request).await.map_err(|error| ClientError::Away(error.to_string().into()))?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Refused(response.status(), Box::default()));
        }
        // Without a pin the first key that was believed is the one from then on.
        let pin = self.pin.or_else(|| kept.as_ref().map(|key| key.by));
        let key = list::check(&short(response).await?, pin.as_ref(), fresh(now))?;
        *kept = Some(key.clone());
        Ok(key)
    }

    fn at(&self, path: &str) -> Result<Uri, ClientError> {
        let base = self.base.to_string();
        format!("{}{path}", base.trim_end_matches('/')).parse().map_err(|_| ClientError::Library)
    }
}

/// A list is looked at with the clock of this machine, which need not be right to the second.
fn fresh(now: UnixMillis) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(EARLY))
}

/// Encrypts a request to the key of a configuration.
pub(super) fn seal(config: &[u8], plain: &Plain) -> Result<Sealed, ClientError> {
    let text = written(plain)?;
    let library = |_| ClientError::Library;
    let client = ohttp::ClientRequest::from_encoded_config(config).map_err(library)?;
    let sink = Sink::default();
    let mut request = client.encapsulate_stream(sink.clone()).map_err(library)?;
    open::write(&mut request, &text).map_err(|_| ClientError::Library)?;
    open::close(&mut request).map_err(|_| ClientError::Library)?;
    let opener: Opener = Box::new(move |from| {
        let answer = request.response(from).map_err(|_| ClientError::Library)?;
        Ok(Box::new(answer) as Stream)
    });
    Ok(Sealed { bytes: sink.take(), opener })
}

/// Binary HTTP, filled up with zeros.
fn written(plain: &Plain) -> Result<Vec<u8>, ClientError> {
    let path = plain.path.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut message = bhttp::Message::request(
        plain.method.as_str().into(),
        b"https".to_vec(),
        Vec::new(),
        path.as_bytes().to_vec(),
    );
    for (name, value) in &plain.headers {
        message.put_header(name.as_str(), value.as_bytes());
    }
    message.write_content(&plain.body);
    let mut text = Vec::new();
    message.write_bhttp(bhttp::Mode::KnownLength, &mut text).map_err(|_| ClientError::Library)?;
    text.resize(text.len().next_multiple_of(BUCKET), 0);
    Ok(text)
}

/// Opens an answer up to its head.
async fn opened(opener: Opener, response: Response<Incoming>) -> Result<Answer, ClientError> {
    let body = BodyDataStream::new(response.into_body()).map_err(io::Error::other);
    open_answer(opener, Box::new(body.into_async_read())).await
}

async fn open_answer(opener: Opener, from: Stream) -> Result<Answer, ClientError> {
    let mut answer = Answer {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        reader: Reader::default(),
        from: opener(from)?,
        piece: vec![0; (1 << 14) + 16],
        ended: false,
    };
    loop {
        match answer.reader.next().map_err(|reader::Malformed| ClientError::Altered)? {
            Some(Part::Head(status, headers)) => {
                (answer.status, answer.headers) = (status, headers);
                return Ok(answer);
            }
            Some(Part::Content(_)) => return Err(ClientError::Altered),
            None => answer.more().await?,
        }
    }
}

impl Sealed {
    /// Opens the bytes of an answer, all of which have come.
    ///
    /// # Errors
    /// As [`Answer::chunk`].
    pub async fn open(self, answer: Vec<u8>) -> Result<Answer, ClientError> {
        open_answer(self.opener, Box::new(futures_util::io::Cursor::new(answer))).await
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.bytes.len())
    }
}

async fn short(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = Limited::new(response.into_body(), SHORT).collect().await;
    Ok(body.map_err(|error| ClientError::Away(error.to_string().into()))?.to_bytes())
}

/// The code in a problem document.
fn code_of(body: &[u8]) -> Option<Box<str>> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    document.get("code").and_then(|code| code.as_str()).map(Into::into)
}
