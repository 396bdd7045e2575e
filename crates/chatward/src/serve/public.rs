//! The public listener: the OpenAI routes, the chat page, customers' own routes, and the audit log's tiles.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{BoxError, Router};
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use hyper::body::Incoming;

use super::{House, Peer, own, page};
use crate::api::{self, Side};
use crate::caller::{Caller, Origin, Quota, RateKey, RateLimiter, address_key};
use crate::channel::Channel;
use crate::directory::Directory;
use crate::pages;
use crate::problem::{Code, Problem};
use crate::seeing::Route;
use crate::turn::{self, Arrival, Gate, To};

/// Who is remembered by the rate limiter at most.
const REMEMBERED: usize = 100_000;

/// What the routes share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) gate: Arc<Gate>,
    pub(super) directory: Directory,
    limiter: Arc<RateLimiter>,
    pub(super) tls: bool,
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
    if house.shows_chat() {
        let widget = shared.gate.force.load().config.widget.clone();
        let pins = pages::Pins { lists: channel.pin(), log: channel.log_key().to_owned() };
        let bot = page::bot(&shared, &widget, house.demo());
        routes = routes.merge(page::router(&shared, &widget, bot, pins)?);
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
pub(super) struct Refusal {
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

    pub(super) fn on_own_route(self, gate: &Gate) -> Response {
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

pub(super) type Standing = Option<crate::caller::Standing>;

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
    let at = (*caller.origin() == Origin::Page).then(|| peer.0.ip());
    let body = collect(&shared.gate, body, force.config.server.max_body_bytes).await?;
    Ok((Arrival { caller, headers: head.headers, body, to: To::Bot, peer: at }, standing))
}

/// Rate limits: the page per address (its cookie is free to take), everybody else per caller.
pub(super) fn count(shared: &Shared, caller: &Caller, peer: Option<&Peer>) -> Result<Standing, Refusal> {
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

pub(super) async fn collect<B>(gate: &Gate, body: B, most: usize) -> Result<Bytes, Code>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let wait = gate.force.load().config.server.read_timeout;
    Ok(crate::body::read(body, most, wait).await?)
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
