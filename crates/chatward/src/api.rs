//! Our own routes: what they are, who may use them, what they answer.
//!
//! A route is a type, and there are three sorts of it, by the door one comes in through:
//!
//! - [`Asks`]: about stored data, accounts of others, or the house. The policies decide, and what they decided is in the audit
//!   log before the route does anything: it is handed a [`Noted`], which nothing else makes.
//! - [`Own`]: one's own account, with a session that is good enough for it.
//! - [`Open`]: for somebody who is nobody yet (signing in). Each says why it may be.
//!
//! [`Routes`] takes these three and nothing else, so a route without a policy does not compile. The table of all of them is
//! what `docs/openapi.json` is made of, and what the table of expected answers is checked against.

mod account;
mod admin;
pub mod call;
mod centre;
mod idempotency;
mod me;
mod noted;
pub mod openapi;
mod refusal;
pub(crate) mod single_sign_on;
mod who;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodFilter;
use chatward_policy::access::{self, Act};
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::directory::{Directory, Present};
use crate::identity::passkey::Passkeys;
use crate::identity::session::Need;
use crate::pages::Language;
use crate::problem::{Code, Problem};
use crate::seeing::AdminToken;
use crate::turn::Gate;

pub(crate) use account::{HostDoor, Look};
pub(crate) use admin::{fit_name, invitation_link};
use call::Answer;
pub(crate) use call::{Call, Reply};
pub use noted::Noted;
pub(crate) use noted::Revealing;
pub(crate) use who::{Browser, Who, cookie, same_origin};

/// Which listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Customers' own.
    Public,
    /// The staff's.
    Private,
}

/// What the routes of one listener share.
#[derive(Clone)]
pub(crate) struct Api {
    /// The rooms.
    pub(crate) gate: Arc<Gate>,
    /// Accounts and sessions.
    pub(crate) directory: Directory,
    /// Which listener.
    pub(crate) side: Side,
    /// Where its pages are, as browsers name it: `https://chat.example`.
    pub(crate) origin: String,
    /// The site that its passkeys are made for.
    pub(crate) passkeys: Passkeys,
    /// The token of the first start; on the private listener only.
    pub(crate) bootstrap: Option<AdminToken>,
    /// Whether cookies of the page carry the prefix that needs TLS.
    pub(crate) tls: bool,
    /// The host site whose word names customers; on the public listener only.
    pub(crate) host: Option<Arc<HostDoor>>,
    /// What the pages are made of.
    pub(crate) look: account::Look,
    /// The guides of the Privacy Centre.
    pub(crate) guides: Arc<crate::pages::Guides>,
    /// The identity provider of staff; on the private listener only.
    pub(crate) single_sign_on: Option<Arc<single_sign_on::SingleSignOn>>,
    /// How often one may knock at an open door.
    pub(crate) limiter: Arc<crate::caller::RateLimiter>,
}

/// What every route says of itself.
pub(crate) trait Route: Send + Sync + Sized + 'static {
    /// Its method.
    const METHOD: Method;
    /// Its path, with parameters as `{name}`.
    const PATH: &'static str;
    /// What it does, in half a sentence.
    const WHAT: &'static str;
    /// The status of its answer.
    const STATUS: u16 = 200;
    /// Whether the answer may be kept for a day under an idempotency key and given again: not where each time counts.
    const REPEATS: bool = false;
    /// Whether it changes a thing only as it was read: it takes `If-Match`.
    const MATCHES: bool = false;
    /// Whether it is a page: errors are shown as pages then, and forms are read.
    const PAGE: bool = false;
    /// The page of the Privacy Centre to come back to, where one has to show first who one is.
    const BACK: &'static str = "";
    /// The parameters in the path, a structure with their names.
    type Path: DeserializeOwned + JsonSchema + Send + Sync;
    /// The parameters in the query.
    type Query: DeserializeOwned + JsonSchema + Send + Sync;
    /// What is sent; [`Nothing`](call::Nothing) if nothing is.
    type Body: DeserializeOwned + JsonSchema + Send + Sync;
    /// What is answered.
    type Answer: Serialize + JsonSchema + Send + Sync;

    /// What of this is the same for whatever is sent and answered.
    const TERMS: &'static Terms = &Terms {
        method: Self::METHOD,
        path: Self::PATH,
        status: Self::STATUS,
        repeats: Self::REPEATS,
        page: Self::PAGE,
        back: Self::BACK,
    };
}

/// What a route says of itself, as a value: what is done for all routes alike is compiled once, and not once for each.
pub(crate) struct Terms {
    method: Method,
    path: &'static str,
    status: u16,
    repeats: bool,
    page: bool,
    back: &'static str,
}

/// A route about which the policies are asked.
pub(crate) trait Asks: Route {
    /// What is asked for.
    type Act: Act<Target: noted::About> + Send + Sync;

    /// What it is about. What there is not, and what belongs to another house, is [`Code::NotFound`] alike.
    fn target(
        api: &Api,
        who: &mut Who,
        call: &Call<Self>,
    ) -> impl Future<Output = Result<<Self::Act as Act>::Target, Problem>> + Send;

    /// How it is asked: purpose, reason, ticket.
    fn given(
        api: &Api,
        who: &Who,
        call: &Call<Self>,
    ) -> impl Future<Output = Result<call::Stated, Problem>> + Send {
        let _ = (api, who, call);
        async { Ok(call::Stated::default()) }
    }

    /// The roles that it gives or takes away. About each of them the policies are asked too, and each decision is in the
    /// audit log before anything is done; what was allowed comes with the call.
    fn grants(
        api: &Api,
        who: &Who,
        call: &Call<Self>,
    ) -> impl Future<Output = Result<Vec<access::Grant>, Problem>> + Send {
        let _ = (api, who, call);
        async { Ok(Vec::new()) }
    }

    /// Does it. The decision is in the audit log.
    fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> impl Future<Output = Result<Reply<Self::Answer>, Problem>> + Send;
}

/// A route about one's own account.
pub(crate) trait Own: Route {
    /// What the session has to be good enough for.
    const NEED: Need;

    /// Does it.
    fn answer(
        api: &Api,
        present: Present,
        call: Call<Self>,
    ) -> impl Future<Output = Result<Reply<Self::Answer>, Problem>> + Send;
}

/// A route for anybody.
pub(crate) trait Open: Route {
    /// Why anybody may use it.
    const WHY: &'static str;

    /// Does it.
    fn answer(
        api: &Api,
        browser: Browser,
        call: Call<Self>,
    ) -> impl Future<Output = Result<Reply<Self::Answer>, Problem>> + Send;
}

/// Which door a route has, for the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The policies decide about this action.
    Asks(access::Action),
    /// The own account, with a session as good as this.
    Own(Need),
    /// Anybody, for this reason.
    Open(&'static str),
}

/// A route in the table.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Its door.
    pub door: Door,
    /// Whether it is a page.
    pub page: bool,
    /// The status of its answer.
    pub status: u16,
    /// Whether it takes an idempotency key.
    pub repeats: bool,
    /// Whether it needs `If-Match`.
    pub matches: bool,
    describe: fn(&mut schemars::SchemaGenerator) -> openapi::Shapes,
    read: fn(call::Sent, &[u8]) -> Result<(), Problem>,
}

impl Entry {
    /// Reads bytes as they could be sent to this route. Hidden: it is there for the fuzz targets, which must reach the readers
    /// of all routes without accounts and sockets.
    ///
    /// # Errors
    /// What would be answered.
    #[doc(hidden)]
    pub fn read(&self, sent: call::Sent, bytes: &[u8]) -> Result<(), Problem> {
        (self.read)(sent, bytes)
    }
}

/// The routes of a listener. What is not one of the three sorts cannot be added.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<Arc<Api>>,
    table: Vec<Entry>,
}

impl Routes {
    /// Adds a route about which the policies are asked.
    pub(crate) fn asks<R: Asks>(self) -> Self {
        self.add::<R>(Door::Asks(R::Act::ACTION), serve_asked::<R>)
    }

    /// Adds a route about one's own account.
    pub(crate) fn own<R: Own>(self) -> Self {
        self.add::<R>(Door::Own(R::NEED), serve_own::<R>)
    }

    /// Adds a route for anybody.
    pub(crate) fn open<R: Open>(self) -> Self {
        self.add::<R>(Door::Open(R::WHY), serve_open::<R>)
    }

    fn add<R: Route>(mut self, door: Door, handler: Serve) -> Self {
        // A method that is no method of HTTP would be a fault of ours; it then answers to none.
        if let Ok(filter) = MethodFilter::try_from(R::METHOD) {
            self.router = self.router.route(R::PATH, axum::routing::on(filter, handler));
        }
        self.table.push(Entry {
            method: R::METHOD,
            path: R::PATH,
            what: R::WHAT,
            door,
            page: R::PAGE,
            status: R::STATUS,
            repeats: R::REPEATS,
            matches: R::MATCHES,
            describe: openapi::shapes::<R>,
            read: call::read_bytes::<R>,
        });
        self
    }

    /// The table.
    pub(crate) fn table(&self) -> &[Entry] {
        &self.table
    }

    /// The routes, to be served. What is no route asks who it is all the same: unknown addresses tell nothing.
    pub(crate) fn router(self, api: Arc<Api>) -> Router {
        let Self { router, table: _ } = self;
        match api.side {
            Side::Public => router.with_state(api),
            Side::Private => router
                .fallback(async |State(api): State<Arc<Api>>, request: Request| {
                    let known = who::who(&api, request.headers()).await;
                    known.map_or_else(|problem| problem, |_| Code::NotFound.into()).into_response()
                })
                .with_state(api),
        }
    }
}

/// How a route is served. One type for all of them: the router is compiled once, and not once for each route with all that its
/// future is made of.
type Serve = fn(State<Arc<Api>>, Request) -> BoxFuture<'static, Response>;

fn serve_asked<R: Asks>(State(api): State<Arc<Api>>, request: Request) -> BoxFuture<'static, Response> {
    Box::pin(serve(R::TERMS, api, request, |api, request| Box::pin(asked::<R>(api, request))))
}

fn serve_own<R: Own>(State(api): State<Arc<Api>>, request: Request) -> BoxFuture<'static, Response> {
    Box::pin(serve(R::TERMS, api, request, |api, request| Box::pin(own::<R>(api, request))))
}

fn serve_open<R: Open>(State(api): State<Arc<Api>>, request: Request) -> BoxFuture<'static, Response> {
    Box::pin(serve(R::TERMS, api, request, |api, request| Box::pin(open::<R>(api, request))))
}

/// What a route does with a request.
type Work = for<'a> fn(&'a Api, Request) -> BoxFuture<'a, Result<Response, Problem>>;

async fn serve(terms: &'static Terms, api: Arc<Api>, request: Request, work: Work) -> Response {
    let api = spoken(terms, api, &request);
    let done = match elsewhere(terms, &api, &request) {
        Some(there) => Ok(there),
        None => work(&api, request).await,
    };
    finished(terms, &api, done)
}

/// Pages speak the language of who asks.
fn spoken(terms: &Terms, api: Arc<Api>, request: &Request) -> Arc<Api> {
    if !terms.page {
        return api;
    }
    let language = Language::of(request.uri(), request.headers());
    Arc::new(Api { look: api.look.spoken(language), ..Api::clone(&api) })
}

/// Where to go on instead. A language that was chosen is remembered, and does not stay in the address. A page that is asked for
/// under this machine's number goes on under its name: passkeys are made for a name, and cookies of
/// one are not sent to the other. Only where no address was configured: a proxy in front may well ask by number.
fn elsewhere(terms: &Terms, api: &Api, request: &Request) -> Option<Response> {
    if !terms.page || terms.method != Method::GET {
        return None;
    }
    if let Some(language) = Language::chosen(request.uri()) {
        let mut there = Answer::see_other(&Language::without(request.uri())).into_response(303).ok()?;
        there.headers_mut().append(header::SET_COOKIE, language.remembered(api.tls)?);
        return Some(there);
    }
    let own = api.origin.split("://").nth(1)?;
    let by_name = own.split(':').next() == Some("localhost");
    if !by_name {
        return None;
    }
    let host: http::uri::Authority = call::single(request.headers(), header::HOST)?.parse().ok()?;
    host.host().trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok()?;
    let there = format!("{}{}", api.origin, request.uri().path());
    Answer::see_other(&there).into_response(303).ok()
}

async fn asked<R: Asks>(api: &Api, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let mut who = arrive(R::TERMS, api, &parts).await?;
    let mut call = Call::<R>::read(api, parts, body).await?;
    said_by(R::TERMS, api, &who, &call.headers, call.form_token.as_deref())?;
    if let Who::Staff(present) = &who {
        good_for(api, present, Need::Pages)?;
    }
    let key = call.idempotency.take();
    if let Some(kept) = idempotency::given_before(R::TERMS, api, &who, key.as_ref()).await? {
        return Ok(kept);
    }
    let target = R::target(api, &mut who, &call).await?;
    let stated = R::given(api, &who, &call).await?;
    let grants = R::grants(api, &who, &call).await?;
    let noted = noted::note::<R::Act>(api, &who, target, stated.clone()).await?;
    call.granted = noted::grant(api, &who, grants, &stated).await?;
    let reply = R::answer(api, noted, who.clone(), call).await?;
    answered(R::TERMS, api, &who, key, reply.into()).await
}

async fn own<R: Own>(api: &Api, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let (who, present) = signed_in(api, &parts, R::NEED).await?;
    // Who may not come in is told so, whatever was sent.
    let mut call = Call::<R>::read(api, parts, body).await?;
    said_by(R::TERMS, api, &who, &call.headers, call.form_token.as_deref())?;
    let key = call.idempotency.take();
    if let Some(kept) = idempotency::given_before(R::TERMS, api, &who, key.as_ref()).await? {
        return Ok(kept);
    }
    let reply = R::answer(api, present, call).await?;
    answered(R::TERMS, api, &who, key, reply.into()).await
}

async fn open<R: Open>(api: &Api, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let browser = knocked(R::TERMS, api, &parts)?;
    let call = Call::<R>::read(api, parts, body).await?;
    let reply = R::answer(api, browser, call).await.map_err(|problem| refusal::outward(api, problem))?;
    Answer::from(reply).into_response(R::STATUS)
}

/// Who it is.
async fn arrive(terms: &Terms, api: &Api, parts: &Parts) -> Result<Who, Problem> {
    let who = who::who(api, &parts.headers).await?;
    if !safe(&terms.method) && who.is_browser() {
        // Anybody can be a browser without a name, and what it decides is kept.
        api.knock(parts)?;
    }
    Ok(who)
}

/// Who it is, with an account and a session as good as needed.
async fn signed_in(api: &Api, parts: &Parts, need: Need) -> Result<(Who, Present), Problem> {
    let who = who::who(api, &parts.headers).await?;
    let present = match &who {
        Who::Staff(present) | Who::Customer(present) => present.clone(),
        _ => return Err(Code::SignInNeeded.into()),
    };
    good_for(api, &present, need)?;
    Ok((who, present))
}

fn good_for(api: &Api, present: &Present, need: Need) -> Result<(), Problem> {
    Ok(present.session.meets(need, &present.account, api.directory.rules(), api.directory.now())?)
}

/// Somebody at an open door.
fn knocked(terms: &Terms, api: &Api, parts: &Parts) -> Result<Browser, Problem> {
    api.knock(parts)?;
    let browser = Browser::of(api, parts);
    if !safe(&terms.method) {
        who::own_page(api, &parts.headers)?;
    }
    Ok(browser)
}

/// What a browser sends with its cookie must come from our own page if it changes anything.
fn said_by(
    terms: &Terms,
    api: &Api,
    who: &Who,
    headers: &http::HeaderMap,
    token: Option<&String>,
) -> Result<(), Problem> {
    if safe(&terms.method) { Ok(()) } else { who.sent_it(api, headers, token.map(String::as_str)) }
}

/// The answer, kept for whoever asks the same again under this key.
async fn answered(
    terms: &Terms,
    api: &Api,
    who: &Who,
    key: Option<idempotency::Key>,
    answer: Answer,
) -> Result<Response, Problem> {
    idempotency::keep(terms, api, who, key, &answer).await?;
    answer.into_response(terms.status)
}

/// Whether a method changes nothing (RFC 9110, 9.2.1).
fn safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The answer as it goes out: nothing of ours is kept by caches or shown inside another site's page.
fn finished(terms: &Terms, api: &Api, done: Result<Response, Problem>) -> Response {
    let mut response = match done {
        Ok(response) => response,
        Err(problem) if terms.page => refusal::page(api, &problem, terms.back),
        Err(problem) => problem.into_response(),
    };
    api.gate.metrics.request(crate::seeing::Route::Other, response.status().as_u16());
    let headers = response.headers_mut();
    crate::pages::secure(headers);
    if terms.page {
        // With `no-referrer` browsers do not say where a form comes from either (Fetch, 3.2: the origin is `null`).
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let vary = if terms.page { "cookie, authorization, accept-language" } else { "cookie, authorization" };
    headers.insert(header::VARY, HeaderValue::from_static(vary));
    response
}

/// What the public listener answers besides the bots' protocols.
pub(crate) fn public_routes() -> Routes {
    centre::routes(me::routes(account::customers(Routes::default())))
}

/// What the private listener answers besides health and numbers.
pub(crate) fn private_routes() -> Routes {
    admin::routes(single_sign_on::routes(account::staff(Routes::default())))
}

/// The routes of both listeners, the public one's first: for whoever holds something against all of them.
pub fn tables() -> [Vec<Entry>; 2] {
    [public_routes(), private_routes()].map(|routes| routes.table().to_vec())
}

impl Api {
    /// The policies in force.
    pub(crate) fn policies(&self) -> Arc<access::Rules> {
        Arc::clone(&self.gate.force.load().config.access.rules)
    }

    /// Open doors are knocked at as often as the house allows an address, and no more.
    fn knock(&self, parts: &Parts) -> Result<(), Problem> {
        let Some(crate::serve::Peer(address)) = parts.extensions.get().copied() else { return Ok(()) };
        let Some(quota) = self.gate.force.load().config.limits.per_address else { return Ok(()) };
        let who = crate::caller::address_key(address.ip());
        match self.limiter.check(who, quota, std::time::Instant::now()) {
            Ok(_) => Ok(()),
            Err(limited) => Err(limited.into()),
        }
    }
}

/// An empty answer.
pub(crate) fn no_content() -> Response {
    (StatusCode::NO_CONTENT, Body::empty()).into_response()
}
