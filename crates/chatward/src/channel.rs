//! The encrypted channel between a customer's browser and the guard: chunked Oblivious HTTP (RFC 9458 and
//! draft-ietf-ohai-chunked-ohttp) with X-Wing, HKDF-SHA256 and AES-128-GCM.
//!
//! Everything in between (a content network, a firewall, a load balancer that ends TLS) sees sealed requests and sealed answers.
//! Both ends are named wherever this is called encrypted: the guard itself reads, because it must.
//!
//! A request goes through, in this order: the media type, the size, the key and the AEAD of every chunk ([`open`]), the
//! memory of requests seen ([`seen`]), the proof that its sender holds the key of its session ([`session`]), and then the
//! public routes like any other ([`inner`]). Until it opened, whatever is wrong with it has one answer; from then on
//! everything is answered inside the channel ([`answer`]).

mod answer;
pub mod client;
mod inner;
mod keys;
mod list;
mod open;
#[doc(hidden)]
pub mod probe;
mod seen;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use chatward_message::{Action, Event, Facts, UnixMillis};
use chatward_store::{Store, StoreError};
use chatward_vault::Vault;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tower_service::Service as _;

pub use answer::Pace;
pub use list::ListError;

use crate::api::same_origin;
use crate::body::Unread;
use crate::caller::PageCookie;
use crate::pages;
use crate::problem::{Code, Problem};
use crate::seeing::ChannelOutcome as Outcome;
use crate::serve::Peer;
use crate::turn::Gate;
use keys::{KeyError, Keys};
use list::{Draft, Listed};
use seen::Seen;
use session::{Register, Sessions, Signed};

/// RFC 9540: where a gateway is, and its keys.
pub const GATEWAY: &str = "/.well-known/ohttp-gateway";
/// The signed list of keys.
pub const KEY_LIST: &str = "/channel/v1/keys";
/// Registers the key of a session; only inside the channel.
pub const SESSION: &str = "/chat/v1/session";

const KEYS_TYPE: &str = "application/ohttp-keys";
const REQUEST_TYPE: &str = "message/ohttp-chunked-req";
const ANSWER_TYPE: &str = "message/ohttp-chunked-res";

/// Room for the header, the KEM's ciphertext, tags, the head of the message and its padding, beside the body.
const AROUND: usize = 64 * 1024;
/// How often it is looked whether a key has ended, milliseconds.
const TICK: std::time::Duration = std::time::Duration::from_secs(1);

/// Stands in the extensions of a request that came through the channel, with its sender's key proven. Only the channel makes one.
#[derive(Debug, Clone, Copy)]
pub struct Opened {
    _only_here: (),
}

/// Why a request did not open. Nothing more is told outside: whoever tries cannot learn how far they came.
#[derive(Debug, thiserror::Error)]
#[error("not taken")]
enum Refused {
    /// The key is not known, or not any more.
    Key,
    /// It was here before.
    Repeated,
    /// Anything else.
    Bad,
    /// It cannot be noted that it was here.
    Store(StoreError),
    /// It is of another media type.
    MediaType,
    /// It is too large.
    TooLarge,
    /// It did not come in time.
    Slow,
}

impl Refused {
    fn code(&self) -> Code {
        match self {
            Self::Key => Code::ChannelKey,
            Self::Repeated => Code::ChannelRepeated,
            Self::Bad => Code::ChannelRefused,
            Self::Store(error) => Code::from(error),
            Self::MediaType => Code::UnsupportedMediaType,
            Self::TooLarge => Code::BodyTooLarge,
            Self::Slow => Code::RequestTimeout,
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Key => Outcome::UnknownKey,
            Self::Repeated => Outcome::Repeated,
            Self::Store(_) => Outcome::Store,
            Self::Bad | Self::MediaType | Self::TooLarge | Self::Slow => Outcome::Refused,
        }
    }
}

/// The guard's end of the channel.
pub(crate) struct Channel {
    gate: Arc<Gate>,
    keys: Keys,
    listed: ArcSwapOption<Listed>,
    listing: tokio::sync::Mutex<()>,
    seen: Seen,
    sessions: Sessions,
    /// Whether the page's cookie carries the prefix that needs TLS.
    tls: bool,
    /// The log's public key, as it is published beside the log.
    log_key: Box<str>,
    /// When an unknown key was last looked for among those of other gateways.
    looked: AtomicU64,
}

impl Channel {
    /// With a first key, noted in the audit log.
    pub(crate) async fn open(gate: &Arc<Gate>, tls: bool) -> Result<Arc<Self>, ChannelError> {
        let channel = Arc::new(Self {
            gate: Arc::clone(gate),
            keys: Keys::new(),
            listed: ArcSwapOption::empty(),
            listing: tokio::sync::Mutex::default(),
            seen: Seen::default(),
            sessions: Sessions::default(),
            tls,
            log_key: log_key(gate).await?,
            looked: AtomicU64::new(0),
        });
        channel.turn(gate.clock.now()).await?;
        Ok(channel)
    }

    /// The key of the log in which the lists stand, `name+hash+key`.
    pub(crate) fn log_key(&self) -> &str {
        &self.log_key
    }

    /// What pages tell browsers to expect: the public key that signs the lists, base64url.
    pub(crate) fn pin(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.gate.vault.channel_signer().public_key())
    }

    /// Renews keys until the stop.
    pub(crate) async fn turn_for_ever(&self, mut stop: tokio::sync::watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            if let Err(error) = self.turn(self.gate.clock.now()).await {
                tracing::warn!(cause = %error, "the channel's keys could not be renewed; it is tried again");
            }
        }
    }

    fn shared(&self) -> Option<(&Store, &Vault)> {
        let Gate { store, vault, .. } = &*self.gate;
        store.is_shared().then_some((store, vault))
    }

    /// Renews keys where it is time, and writes the new list down before anybody sees it.
    async fn turn(&self, now: UnixMillis) -> Result<(), ChannelError> {
        // Gateways on one server hear of each other's keys when they need one; the row of their own is not asked for every second.
        if self.keys.newest(now).is_none() {
            self.keys.turn(now, self.shared()).await?;
        }
        self.seen.keep(|number| self.keys.live().iter().any(|key| key.number == number && now < key.ends()));
        self.list(now).await
    }

    async fn list(&self, now: UnixMillis) -> Result<(), ChannelError> {
        let _alone = self.listing.lock().await;
        let Some(key) = self.keys.newest(now) else { return Ok(()) };
        let signer = self.gate.vault.channel_signer();
        let listed = self.listed.load_full();
        match listed.filter(|listed| listed.is_of(&key)) {
            None => {
                let draft = Draft::of(&key);
                let facts = Facts { key: Some(draft.hash()), ..Facts::default() };
                let (tenant, action) = (self.gate.tenant.clone(), Action::ChannelKeysListed);
                let event = Event { at: now, tenant, action, turn: None, subject: None, facts };
                let index = self.gate.store.append(vec![event]).await?.index();
                self.listed.store(Some(Arc::new(draft.noted(index, &*signer))));
            }
            Some(listed) if !listed.proven => {
                let proof = self.gate.store.proof(listed.index).await?;
                let event = self.gate.store.event(listed.index).await?;
                if let (Some(proof), Some(event)) = (proof, event) {
                    self.listed.store(Some(Arc::new(listed.proven(&event, &proof, &*signer))));
                }
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Whether this path is the channel's.
    pub(crate) fn has(path: &str) -> bool {
        path == GATEWAY || path == KEY_LIST
    }

    /// Answers one request to the channel's own paths. `routes` are the public ones.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        routes: Router,
    ) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, KEY_LIST) => {
                self.hand_out("application/json", |listed| &listed.signed).await
            }
            (&Method::GET | &Method::HEAD, _) => self.hand_out(KEYS_TYPE, |listed| &listed.plain).await,
            (&Method::POST, GATEWAY) => match self.gateway(request, peer, routes).await {
                Ok(response) => response,
                Err(refused) => {
                    self.gate.metrics.channel(refused.outcome());
                    if let Refused::Store(error) = &refused {
                        tracing::warn!(cause = %error, "a request in the channel could not be noted");
                    }
                    bare(Problem::from(refused.code()).into_response())
                }
            },
            _ => bare(Problem::from(Code::MethodNotAllowed).into_response()),
        }
    }

    async fn hand_out(&self, kind: &'static str, part: fn(&Listed) -> &Bytes) -> Response<Body> {
        let now = self.gate.clock.now();
        if let Err(error) = self.turn(now).await {
            tracing::warn!(cause = %error, "the channel has no key to hand out");
        }
        let fresh = self.keys.newest(now);
        let listed =
            self.listed.load_full().filter(|listed| fresh.as_ref().is_some_and(|key| listed.is_of(key)));
        let Some(listed) = listed else {
            return bare(Problem::from(Code::KeysUnavailable).into_response());
        };
        let head = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
        bare((head, part(&listed).clone()).into_response())
    }

    async fn gateway(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        routes: Router,
    ) -> Result<Response<Body>, Refused> {
        if request.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != REQUEST_TYPE) {
            return Err(Refused::MediaType);
        }
        let (head, body) = request.into_parts();
        let sealed = self.collect(body).await?;
        let (text, sealer) = self.unseal(&sealed).await?;
        drop(sealed);
        let read = inner::request(&text, &head.headers).map_err(|inner::NotHttp| Refused::Bad)?;
        drop(text);
        let answered = match read {
            Ok(request) => self.inside(request, peer, routes).await,
            Err(code) => Err(code),
        };
        self.gate.metrics.channel(match &answered {
            Ok(_) => Outcome::Opened,
            Err(Code::ChannelSession) => Outcome::NoProof,
            Err(_) => Outcome::Misled,
        });
        let mut response = answered.unwrap_or_else(|code| Problem::from(code).into_response());
        let pace = self.gate.force.load().config.channel;
        let mut outer = Response::builder()
            .status(StatusCode::OK)
            .header(header::CONTENT_TYPE, ANSWER_TYPE)
            .header(header::CACHE_CONTROL, "no-store")
            // Whoever is in between passes pieces on as they come.
            .header("incremental", "?1")
            .header("x-accel-buffering", "no")
            .body(Body::empty())
            .map_err(|_| Refused::Bad)?;
        // A script cannot set the cookies that it may not read; the browser can.
        if let header::Entry::Occupied(cookies) = response.headers_mut().entry(header::SET_COOKIE) {
            for cookie in cookies.remove_entry_mult().1 {
                outer.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        *outer.body_mut() = Body::new(answer::Answer::new(response, sealer, pace));
        Ok(bare(outer))
    }

    async fn collect(&self, body: Incoming) -> Result<Bytes, Refused> {
        let (most, wait) = {
            let force = self.gate.force.load();
            (force.config.server.max_body_bytes.saturating_add(AROUND), force.config.server.read_timeout)
        };
        crate::body::read(body, most, wait).await.map_err(|why| match why {
            Unread::Slow => Refused::Slow,
            Unread::Large => Refused::TooLarge,
            Unread::Broken => Refused::Bad,
        })
    }

    /// Opens a request and notes it.
    async fn unseal(&self, sealed: &[u8]) -> Result<(zeroize::Zeroizing<Vec<u8>>, open::Sealer), Refused> {
        let now = self.gate.clock.now();
        let opened = match open::open(&self.keys, sealed, now) {
            Err(Refused::Key) if self.learn(now).await => open::open(&self.keys, sealed, now)?,
            opened => opened?,
        };
        let open::Open { text, tag, key, sealer } = opened;
        let shared = self.shared().map(|(store, _)| store);
        self.seen.note(&self.keys, &key, &tag, shared).await?;
        Ok((text, sealer))
    }

    /// Looks for keys of other gateways, once a second at most.
    async fn learn(&self, now: UnixMillis) -> bool {
        let last = self.looked.load(Ordering::Relaxed);
        let due = self.shared().is_some() && now.0.saturating_sub(last) >= 1000;
        if !due || self.looked.swap(now.0, Ordering::Relaxed) != last {
            return false;
        }
        self.keys.turn(now, self.shared()).await.is_ok()
    }

    /// A request that opened: registers a session, or goes on to the routes with its sender's key proven.
    async fn inside(
        &self,
        request: Request<Bytes>,
        peer: Peer,
        routes: Router,
    ) -> Result<Response<Body>, Code> {
        let caller = PageCookie::caller(request.headers(), self.tls, self.gate.keyed());
        if request.uri().path() == SESSION {
            if request.method() != Method::POST {
                return Err(Code::MethodNotAllowed);
            }
            return self.register(&request, caller.as_ref());
        }
        let owner = caller.ok_or(Code::ChannelSession)?;
        let signed = Signed {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            body: request.body(),
        };
        let (now, shared) = (self.gate.clock.now(), self.shared().map(|(store, _)| store));
        self.sessions.check(&signed, owner.identity(), now, self.gate.keyed(), shared).await?;
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(Opened { _only_here: () });
        let mut routes = routes;
        let Ok(response) = routes.call(request).await;
        Ok(response)
    }

    /// `POST /chat/v1/session`. A browser that has no cookie of the page yet gets one.
    fn register(
        &self,
        request: &Request<Bytes>,
        caller: Option<&crate::caller::Caller>,
    ) -> Result<Response<Body>, Code> {
        if same_origin(request.headers()) == Some(false) {
            return Err(Code::OriginNotAllowed);
        }
        let asked: Register = serde_json::from_slice(request.body()).map_err(|_| Code::BadJson)?;
        let (owner, cookie) = match caller {
            Some(caller) => (caller.clone(), None),
            None => {
                let (caller, cookie) =
                    PageCookie::issue(self.tls, false, self.gate.keyed()).map_err(|_| Code::Internal)?;
                (caller, Some(cookie))
            }
        };
        let registered =
            self.sessions.register(&asked.key, owner.identity(), self.gate.clock.now(), self.gate.keyed())?;
        let mut response = axum::Json(registered).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(cookie) = cookie {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }
}

async fn log_key(gate: &Gate) -> Result<Box<str>, StoreError> {
    let text = gate.store.log_file("vkey").await?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).trim_end().into())
}

/// With the headers that every answer to a browser carries.
fn bare(mut response: Response<Body>) -> Response<Body> {
    pages::secure(response.headers_mut());
    response
}

/// The channel cannot be opened, or not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Nothing can be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}
