//! The public listener: the OpenAI routes, the chat page, customers' own routes, and the audit log's tiles.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{BoxError, Router};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::{House, Peer, own};
use crate::api::{self, Side, cookie};
use crate::caller::{
    Caller, Origin, PageCookie, Quota, RateKey, RateLimiter, address_key, from_another_site,
};
use crate::channel::Channel;
use crate::directory::Directory;
use crate::identity::session::SESSION_COOKIE;
use crate::problem::{Code, Problem};
use crate::seeing::Route;
use crate::turn::{self, Arrival, Gate};
use crate::{chat, pages};

/// Who is remembered by the rate limiter at most.
const REMEMBERED: usize = 100_000;

/// What the routes share.
#[derive(Clone)]
struct Shared {
    gate: Arc<Gate>,
    directory: Directory,
    limiter: Arc<RateLimiter>,
    tls: bool,
    log: Arc<std::path::Path>,
}

/// Everything that the public listener answers.
pub(super) struct Routes {
    shared: Shared,
    router: Router,
    channel: Arc<Channel>,
}

impl Routes {
    pub(super) fn of(house: &House, address: SocketAddr, channel: Arc<Channel>) -> anyhow::Result<Self> {
        let shared = Shared {
            gate: Arc::clone(&house.gate),
            directory: house.directory.clone(),
            limiter: Arc::new(RateLimiter::new(REMEMBERED, Instant::now())),
            tls: house.tls.is_some(),
            log: Arc::from(house.data.join("log")),
        };
        let own = own::api(house, Side::Public, address, Arc::clone(&shared.limiter))?;
        let routes = api::public_routes().router(own);
        Ok(Self { router: routes.merge(router(house, shared.clone(), &channel)?), shared, channel })
    }

    /// Answers one request. The one that is asked all day goes straight to its handler, past the router's boxes.
    pub(super) async fn answer(self: Arc<Self>, request: http::Request<Incoming>, peer: Peer) -> Response {
        if request.method() == Method::POST && request.uri().path() == COMPLETIONS {
            return completions(&self.shared, request, peer).await;
        }
        if Channel::has(request.uri().path()) {
            return Box::pin(self.channel.answer(request, peer, self.router.clone())).await;
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        Box::pin(super::routed(self.router.clone(), request)).await
    }
}

const COMPLETIONS: &str = "/v1/chat/completions";

fn router(house: &House, shared: Shared, channel: &Channel) -> anyhow::Result<Router> {
    let mut routes = Router::new()
        // Its `POST` does not come here: see `Routes::answer`.
        .route(COMPLETIONS, any(wrong_method))
        .route("/v1/models", get(models))
        .route("/v1/models/{*model}", get(models))
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/tile/{*path}", get(tile))
        .merge(pages::files())
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared.clone());
    if house.demo() {
        let page = pages::router::<()>(shared.tls, (&channel.pin(), channel.log_key()))?
            .route("/chat/v1/messages", post(message).with_state(shared.clone()));
        routes = routes.merge(page.layer(axum::middleware::from_fn_with_state(shared, page_cookie)));
    }
    Ok(routes)
}

/// `POST /v1/chat/completions`.
async fn completions(shared: &Shared, request: http::Request<Incoming>, peer: Peer) -> Response {
    match arrive(shared, request, peer).await {
        Ok((arrival, standing)) => {
            let mut response = turn::turn(&shared.gate, arrival).await;
            if let Some(standing) = standing {
                standing.write(response.headers_mut());
            }
            response
        }
        Err(refusal) => {
            let turn = turn::stray_id();
            tracing::info!(turn = %turn, code = refusal.code.as_str(), "a request was not taken");
            let mut response = refusal.at(Route::ChatCompletions).on_protocol_route(&shared.gate);
            turn::name(&mut response, turn);
            response
        }
    }
}

/// A request that does not become a turn.
struct Refusal {
    code: Code,
    route: Route,
    limited: Option<crate::caller::Limited>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, route: Route::Other, limited: None }
    }
}

impl Refusal {
    fn at(self, route: Route) -> Self {
        Self { route, ..self }
    }

    fn on_protocol_route(self, gate: &Gate) -> Response {
        gate.metrics.request(self.route, self.code.status_number());
        let problem = turn::edge_problem(self.code);
        let mut response = (problem.status(), problem.body()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.finish(response)
    }

    fn on_own_route(self, gate: &Gate) -> Response {
        gate.metrics.request(self.route, self.code.status_number());
        let response = Problem::from(self.code).into_response();
        self.finish(response)
    }

    fn finish(self, mut response: Response) -> Response {
        if let Some(limited) = self.limited {
            limited.write(response.headers_mut());
        }
        response
    }
}

type Standing = Option<crate::caller::Standing>;

/// Authenticates, counts, and reads the body within its limits.
async fn arrive(
    shared: &Shared,
    request: http::Request<Incoming>,
    peer: Peer,
) -> Result<(Arrival, Standing), Refusal> {
    let (head, body) = request.into_parts();
    let force = shared.gate.force.load();
    let caller = force.callers.authenticate(&head.headers)?;
    let standing = count(shared, &caller, Some(&peer))?;
    let body = collect(&shared.gate, body).await?;
    Ok((Arrival { caller, headers: head.headers, body }, standing))
}

/// Rate limits: the page per address (its cookie is free to take), everybody else per caller.
fn count(shared: &Shared, caller: &Caller, peer: Option<&Peer>) -> Result<Standing, Refusal> {
    let force = shared.gate.force.load();
    let limits = &force.config.limits;
    let (who, quota): (RateKey, Option<Quota>) = match (caller.origin(), peer) {
        (Origin::Page, Some(Peer(address))) => (address_key(address.ip()), limits.per_address),
        _ => (caller.rate_key(), caller.quota().or(limits.per_caller)),
    };
    let Some(quota) = quota else { return Ok(None) };
    match shared.limiter.check(who, quota, Instant::now()) {
        Ok(standing) => Ok(Some(standing)),
        Err(limited) => Err(Refusal { limited: Some(limited), ..Refusal::from(Code::RateLimited) }),
    }
}

async fn collect<B>(gate: &Gate, body: B) -> Result<Bytes, Code>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let (most, wait): (usize, Duration) = {
        let force = gate.force.load();
        (force.config.server.max_body_bytes, force.config.server.read_timeout)
    };
    let read = Limited::new(body, most).collect();
    match tokio::time::timeout(wait, read).await {
        Err(_) => Err(Code::RequestTimeout),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Code::BodyTooLarge),
        Ok(Err(_)) => Err(Code::BadRequest),
    }
}

/// `GET /v1/models`: asked of the bots, passed on as they answer.
async fn models(State(shared): State<Shared>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let force = shared.gate.force.load_full();
    let caller = match force.callers.authenticate(&head.headers) {
        Ok(caller) => caller,
        Err(code) => return Refusal::from(code).on_protocol_route(&shared.gate),
    };
    if let Err(refusal) = count(&shared, &caller, head.extensions.get::<Peer>()) {
        return refusal.on_protocol_route(&shared.gate);
    }
    match force.upstreams.models(&caller, &head).await {
        Ok(response) => response,
        Err(code) => Refusal::from(code).on_protocol_route(&shared.gate),
    }
}

/// A first visit to the page sets the cookie by which its browser is known.
async fn page_cookie(
    State(shared): State<Shared>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    let known = PageCookie::caller(request.headers(), shared.tls, shared.gate.keyed()).is_some();
    let page = request.uri().path() == "/chat";
    let mut response = next.run(request).await;
    if page
        && !known
        && let Ok((_, cookie)) = PageCookie::issue(shared.tls, shared.gate.keyed())
    {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Only the page itself talks to the page's routes.
fn of_page(shared: &Shared, headers: &HeaderMap) -> Result<Caller, Code> {
    if from_another_site(headers) {
        return Err(Code::OriginNotAllowed);
    }
    PageCookie::caller(headers, shared.tls, shared.gate.keyed()).ok_or(Code::MissingKey)
}

/// Whoever is signed in writes as that customer. Where a session is over, the browser is somebody without a name again, and
/// what is written can be taken over after signing in.
async fn signed_in(shared: &Shared, caller: Caller, headers: &HeaderMap) -> Caller {
    let Some(token) = cookie(headers, SESSION_COOKIE) else { return caller };
    let present = shared.directory.session(token).await.ok();
    match present.and_then(|present| present.account.customer()) {
        Some(customer) => caller.with_customer(customer),
        None => caller,
    }
}

/// `POST /chat/v1/messages`.
async fn message(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let ready = async {
        let caller = signed_in(&shared, of_page(&shared, &head.headers)?, &head.headers).await;
        count(&shared, &caller, head.extensions.get::<Peer>())?;
        let body = collect(&shared.gate, body).await?;
        Ok::<_, Refusal>((caller, body))
    };
    let answered = match ready.await {
        Ok((caller, body)) => chat::message(&shared.gate, caller, &body).await,
        Err(refusal) => return refusal.on_protocol_route(&shared.gate),
    };
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(cause = %error, "a message of the page was not taken");
            Refusal::from(error.code()).on_protocol_route(&shared.gate)
        }
    };
    pages::secure(response.headers_mut());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `GET /log/checkpoint` (C2SP tlog-checkpoint).
async fn checkpoint(State(shared): State<Shared>) -> Response {
    match shared.gate.store.checkpoint() {
        Some(note) => {
            let headers =
                [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
            (headers, note.to_vec()).into_response()
        }
        None => Problem::from(Code::NotFound).into_response(),
    }
}

/// `GET /log/tile/…` (C2SP tlog-tiles). The path has only digits, `x`, `p`, dots and slashes: no way out of the folder.
async fn tile(State(shared): State<Shared>, Path(path): Path<String>) -> Response {
    let plain = path.split('/').all(|part| {
        part == "entries"
            || (!part.is_empty()
                && !part.starts_with('.')
                && !part.contains("..")
                && part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'x' | b'p' | b'.')))
    });
    if !plain {
        return Problem::from(Code::NotFound).into_response();
    }
    match tokio::fs::read(shared.log.join("tile").join(path)).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Err(_) => Problem::from(Code::NotFound).into_response(),
    }
}

/// Everything else: in the protocol's shape below `/v1/`, a problem document elsewhere.
async fn unknown(State(shared): State<Shared>, request: Request) -> Response {
    by_route(&shared, request.uri().path(), Code::NotFound)
}

async fn wrong_method(State(shared): State<Shared>, request: Request) -> Response {
    by_route(&shared, request.uri().path(), Code::MethodNotAllowed)
}

fn by_route(shared: &Shared, path: &str, code: Code) -> Response {
    let refusal = Refusal::from(code);
    if path.starts_with("/v1/") {
        refusal.on_protocol_route(&shared.gate)
    } else {
        refusal.on_own_route(&shared.gate)
    }
}
