//! What the chat page talks to, `/chat/v1/…`, and its cookies. `/me/v1/…` is the other half: it belongs to everybody.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::Peer;
use super::public::{Refusal, Shared, collect, count};
use crate::api::{cookie, same_origin};
use crate::caller::{Caller, PageCookie};
use crate::chat;
use crate::config::Widget;
use crate::directory::Present;
use crate::identity::session::SESSION_COOKIE;
use crate::pages::{self, Language, Words};
use crate::problem::{Code, Problem};
use crate::turn::TurnError;

/// The cookie by which a browser says that it wants no tips.
const TIPS_COOKIE: &str = "chatward-tips";
/// A year, in seconds.
const REMEMBERED: u32 = 365 * 24 * 3600;
/// The largest body of a small request, in bytes.
const SMALL: usize = 1024;

/// The page, its routes and its cookies.
pub(super) fn router(
    shared: &Shared,
    widget: &Widget,
    bot: pages::Bot,
    pins: pages::Pins,
) -> anyhow::Result<Router> {
    let routes = Router::new()
        .route("/chat/v1/messages", post(message).get(messages))
        .route("/chat/v1/files", post(file))
        .route("/chat/v1/stop", post(stop))
        .route("/chat/v1/state", get(state))
        .route("/chat/v1/tips", post(tips))
        .route("/chat/v1/passage", post(passage))
        .with_state(shared.clone());
    let pages = pages::router::<()>(shared.tls, widget, &pages::Shown { bot, pins })?;
    let given = axum::middleware::from_fn_with_state(shared.clone(), page_cookie);
    Ok(pages.merge(routes).layer(given))
}

/// A first visit to the page sets the cookie by which its browser is known.
async fn page_cookie(
    State(shared): State<Shared>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    let known = PageCookie::caller(request.headers(), shared.tls, shared.gate.keyed()).is_some();
    let framed = match request.uri().path() {
        "/chat" => Some(false),
        "/widget" => Some(true),
        _ => None,
    };
    let mut response = next.run(request).await;
    if let (Some(framed), false, true) = (framed, known, response.status().is_success())
        && let Ok((_, cookie)) = PageCookie::issue(shared.tls, framed, shared.gate.keyed())
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Only the page itself talks to the page's routes: browsers say where a request comes from. (The page's cookie is
/// `SameSite=Strict`; inside of another site it cannot be, and is kept apart for each such site.)
fn of_page(shared: &Shared, headers: &HeaderMap) -> Result<Caller, Code> {
    if same_origin(headers) == Some(false) {
        return Err(Code::OriginNotAllowed);
    }
    PageCookie::caller(headers, shared.tls, shared.gate.keyed()).ok_or(Code::MissingKey)
}

/// Who is signed in. Where a session is over, the browser is somebody without a name again, and what is written can be taken over
/// after signing in.
async fn session(shared: &Shared, headers: &HeaderMap) -> Option<Present> {
    let token = cookie(headers, SESSION_COOKIE)?;
    let present = shared.directory.session(token).await.ok()?;
    present.account.customer().is_some().then_some(present)
}

/// The page's browser, as the customer who is signed in to it.
async fn caller(shared: &Shared, headers: &HeaderMap) -> Result<(Caller, Option<Present>), Code> {
    let caller = of_page(shared, headers)?;
    let present = session(shared, headers).await;
    let customer = present.as_ref().and_then(|present| present.account.customer());
    let caller = match customer {
        Some(customer) => caller.with_customer(customer),
        None => caller,
    };
    Ok((caller, present))
}

/// What the page is told is nobody else's to keep.
fn kept_nowhere(mut response: Response) -> Response {
    pages::secure(response.headers_mut());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Where a request of a browser comes from.
fn address(head: &http::request::Parts) -> Option<std::net::IpAddr> {
    head.extensions.get::<Peer>().map(|Peer(address)| address.ip())
}

fn refused(shared: &Shared, error: &TurnError) -> Response {
    tracing::warn!(cause = %error, "a message of the page was not taken");
    let mut response = Refusal::from(error.code()).on_own_route(&shared.gate);
    response.extensions_mut().insert(error.code());
    response
}

/// Why a message was not passed on, in the customer's own language where there are words for it.
fn in_words(head: &http::request::Parts, response: Response) -> Response {
    let words = |code: &Code| {
        let id = match code {
            Code::AttackRefused => "refusal-attack-refused",
            Code::BlockedContent => "refusal-blocked-content",
            Code::HeldForReview => "refusal-held-for-review",
            _ => return None,
        };
        let words = Words::of(Language::of(&head.uri, &head.headers)).ok()?;
        Some(serde_json::json!({ "code": code.as_str(), "title": words.maybe(id)? }))
    };
    let Some(body) = response.extensions().get::<Code>().and_then(words) else { return response };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body.to_string()))
}

/// `POST /chat/v1/messages`.
async fn message(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let ready = async {
        let (caller, _) = caller(&shared, &head.headers).await?;
        count(&shared, &caller, head.extensions.get::<Peer>())?;
        let most = shared.gate.force.load().config.server.max_body_bytes;
        Ok::<_, Refusal>((caller, collect(&shared.gate, body, most).await?))
    };
    let answered = match ready.await {
        Ok((caller, body)) => {
            let text = async { chat::text_of(&body) };
            chat::message(&shared.gate, caller, &head.headers, address(&head), text).await
        }
        Err(refusal) => return kept_nowhere(refusal.on_own_route(&shared.gate)),
    };
    kept_nowhere(in_words(&head, answered.unwrap_or_else(|error| refused(&shared, &error))))
}

/// The header with a file's name, percent-encoded.
const FILE_HEADER: HeaderName = HeaderName::from_static("chatward-file");

/// `POST /chat/v1/files`: the bytes of a file, whose text becomes a message.
async fn file(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let ready = async {
        let (caller, _) = caller(&shared, &head.headers).await?;
        count(&shared, &caller, head.extensions.get::<Peer>())?;
        let most = shared.gate.force.load().config.widget.max_file_bytes;
        let name = head.headers.get(&FILE_HEADER).and_then(|name| name.to_str().ok());
        let name = chat::file::name_of(name.unwrap_or_default()).ok_or(Code::BadHeader)?;
        Ok::<_, Refusal>((caller, collect(&shared.gate, body, most).await?, name))
    };
    let answered = match ready.await {
        Ok((caller, body, name)) => {
            let sender = caller.clone();
            let text = chat::file::message(&shared.gate, &sender, name, body);
            chat::message(&shared.gate, caller, &head.headers, address(&head), text).await
        }
        Err(refusal) => return kept_nowhere(refusal.on_own_route(&shared.gate)),
    };
    kept_nowhere(in_words(&head, answered.unwrap_or_else(|error| refused(&shared, &error))))
}

/// `POST /chat/v1/stop`: the answer to the message of this key is not wanted any more.
async fn stop(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let done = match caller(&shared, &headers).await {
        Ok((caller, _)) => chat::stop(&shared.gate, &caller, &headers),
        Err(code) => Err(code),
    };
    kept_nowhere(match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(code) => Problem::from(code).into_response(),
    })
}

/// What the page knows of itself.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    page: chat::Page,
    /// Whether it may give tips.
    tips: bool,
    /// The time here, in milliseconds since 1970: the page's own clock may be wrong.
    now: u64,
    /// The token of the session's forms, if somebody is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<String>,
}

/// `GET /chat/v1/messages?after=MILLISECONDS`: the conversation of this browser, or of who is signed in.
async fn messages(State(shared): State<Shared>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let headers = &head.headers;
    let query = head.uri.query().unwrap_or_default();
    let after = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    let after = after.map_or(Ok(0), |(_, value)| value.parse::<u64>());
    let told = async {
        let (caller, present) = caller(&shared, headers).await?;
        count(&shared, &caller, head.extensions.get::<Peer>())?;
        let after = after.map_err(|_| Refusal::from(Code::BadRequest))?;
        let page = chat::page(&shared.gate, &caller, after).await;
        let page = page.map_err(|error| {
            tracing::warn!(cause = %error, "a conversation cannot be shown");
            error.code()
        })?;
        let form = present.map(|present| present.session.form_token());
        let (tips, now) = (cookie(headers, TIPS_COOKIE) != Some("off"), shared.gate.clock.now().0);
        Ok::<_, Refusal>(Shown { page, tips, now, form })
    };
    kept_nowhere(match told.await {
        Ok(shown) => axum::Json(shown).into_response(),
        Err(refusal) => refusal.on_own_route(&shared.gate),
    })
}

/// `GET /chat/v1/state`: who answers, and when somebody of the house wrote last: asked every few seconds while the page is
/// looked at. What people wrote is opened for it; that is nothing where nobody did.
async fn state(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let told = async {
        let (caller, _) = caller(&shared, &headers).await?;
        chat::state(&shared.gate, &caller).await.map_err(|error| error.code())
    };
    kept_nowhere(match told.await {
        Ok(state) => axum::Json(state).into_response(),
        Err(code) => Problem::from(code).into_response(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tips {
    on: bool,
}

/// `POST /chat/v1/tips`: whether this browser is given tips.
async fn tips(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let told = async {
        of_page(&shared, &head.headers)?;
        let body = collect(&shared.gate, body, SMALL).await?;
        let wanted: Tips = serde_json::from_slice(&body).map_err(|_| Code::BadJson)?;
        let site = if shared.tls { "SameSite=None; Secure; Partitioned" } else { "SameSite=Lax" };
        let (value, age) = if wanted.on { ("on", 0) } else { ("off", REMEMBERED) };
        let cookie = format!("{TIPS_COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; {site}");
        HeaderValue::try_from(cookie).map_err(|_| Code::Internal)
    };
    kept_nowhere(match told.await {
        Ok(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        Err(code) => Problem::from(code).into_response(),
    })
}

/// A way to the Privacy Centre.
#[derive(Serialize)]
struct Passage<'a> {
    /// Counts once, within a minute: `POST /privacy/open`.
    code: &'a str,
}

/// `POST /chat/v1/passage`: a way for this browser from inside another site to a window of its own.
async fn passage(State(shared): State<Shared>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let told = async {
        let caller = of_page(&shared, &head.headers)?;
        count(&shared, &caller, head.extensions.get::<Peer>())?;
        let browser = PageCookie::browser(&head.headers, shared.tls, &shared.gate.keyed());
        let code = shared.directory.begin_passage(&browser.ok_or(Code::MissingKey)?).await;
        code.map_err(|failed| Refusal::from(Problem::from(failed).code()))
    };
    kept_nowhere(match told.await {
        Ok(code) => axum::Json(Passage { code: &code }).into_response(),
        Err(refusal) => refusal.on_own_route(&shared.gate),
    })
}

/// How the bot behind the page is called, and by whom it is served.
pub(super) fn bot(shared: &Shared, widget: &Widget, demo: bool) -> pages::Bot {
    let force = shared.gate.force.load();
    let (house, max_file) = (force.config.identity.name.clone(), widget.max_file_bytes);
    pages::Bot { name: widget.bot_name.clone(), house, demo, max_file }
}
