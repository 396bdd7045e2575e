//! A request as a route sees it, and its answer.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{FromRequestParts as _, Path, Query};
use axum::response::{IntoResponse as _, Response};
use chatward_policy::access::{BreakGlass, Purpose};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Api, Route, Terms};
use crate::problem::{Code, Problem};

/// No more is read of what is sent to our own routes, in bytes.
const BODY_MAX: usize = 64 * 1024;

/// Nothing is sent, or nothing stands there.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// A request.
pub(crate) struct Call<R: Route> {
    /// What stands in the path.
    pub(crate) path: R::Path,
    /// What stands in the query.
    pub(crate) query: R::Query,
    /// What was sent.
    pub(crate) body: R::Body,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The roles about which the policies were asked, and said yes.
    pub(crate) granted: super::noted::Granted,
    /// The token of the session's own form, where the request brings one.
    pub(super) form_token: Option<Zeroizing<String>>,
    /// The idempotency key, and a hash of what was sent with it.
    pub(super) idempotency: Option<super::idempotency::Key>,
}

impl<R: Route> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {})", R::METHOD, R::PATH)
    }
}

impl<R: Route> Call<R> {
    pub(super) async fn read(api: &Api, mut parts: Parts, body: Body) -> Result<Self, Problem> {
        // A path that does not fit names nothing.
        let Ok(Path(path)) = Path::<R::Path>::from_request_parts(&mut parts, &()).await else {
            return Err(Code::NotFound.into());
        };
        let Ok(Query(query)) = Query::<R::Query>::try_from_uri(&parts.uri) else {
            return Err(Code::BadRequest.into());
        };
        let Written { json, form_token, idempotency } = Written::read(R::TERMS, api, &parts, body).await?;
        let body = parse::<R::Body>(&json)?;
        let granted = super::noted::Granted::default();
        Ok(Self { path, query, body, headers: parts.headers, granted, form_token, idempotency })
    }

    /// Holds `If-Match` against how the thing is now: what somebody else changed meanwhile is not overwritten unseen.
    pub(crate) fn must_match(&self, now: &str) -> Result<(), Problem> {
        match single(&self.headers, header::IF_MATCH) {
            None => Err(Code::PreconditionRequired.into()),
            Some(tags) if tags.split(',').any(|tag| tag.trim() == now) => Ok(()),
            Some(_) => Err(Code::PreconditionFailed.into()),
        }
    }
}

/// The body of a request, whatever it is of.
struct Written {
    /// In JSON, however it came.
    json: Zeroizing<Vec<u8>>,
    form_token: Option<Zeroizing<String>>,
    idempotency: Option<super::idempotency::Key>,
}

impl Written {
    async fn read(terms: &Terms, api: &Api, parts: &Parts, body: Body) -> Result<Self, Problem> {
        let bytes = collect(api, body).await?;
        let idempotency = super::idempotency::Key::of(terms, parts, &bytes)?;
        let is_form = terms.page && is(&parts.headers, "application/x-www-form-urlencoded");
        let written = |json| Form { json, token: None };
        let Form { json, token } = if super::safe(&terms.method) || (bytes.is_empty() && !is_form) {
            written(Zeroizing::new(b"{}".to_vec()))
        } else if is_form {
            form(&bytes)?
        } else if is(&parts.headers, "application/json") {
            written(bytes)
        } else {
            // A page of another site can send a form without asking first, and no JSON.
            return Err(Code::UnsupportedMediaType.into());
        };
        let header_token = single(&parts.headers, FORM_TOKEN).map(|token| Zeroizing::new(token.to_owned()));
        Ok(Self { json, form_token: token.or(header_token), idempotency })
    }
}

/// As what bytes are sent.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// A body in JSON.
    Json,
    /// The form of a page.
    Form,
    /// What stands behind the question mark.
    Query,
}

/// Reads bytes as they could be sent to a route, for [`Entry::read`](super::Entry::read).
pub(super) fn read_bytes<R: Route>(sent: Sent, bytes: &[u8]) -> Result<(), Problem> {
    match sent {
        Sent::Json => parse::<R::Body>(bytes).map(drop),
        Sent::Form => parse::<R::Body>(&form(bytes)?.json).map(drop),
        Sent::Query => {
            let uri = [b"/?", bytes].concat();
            let uri = http::Uri::try_from(uri.as_slice()).map_err(|_| Code::BadRequest)?;
            Query::<R::Query>::try_from_uri(&uri).map(drop).map_err(|_| Code::BadRequest.into())
        }
    }
}

/// The header with the token of the session's own form.
const FORM_TOKEN: HeaderName = HeaderName::from_static("chatward-form");

/// The value of a header that stands there once.
pub(crate) fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let one = values.next()?;
    if values.next().is_some() { None } else { one.to_str().ok() }
}

fn is(headers: &HeaderMap, kind: &str) -> bool {
    let given = single(headers, header::CONTENT_TYPE).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind)
}

async fn collect(api: &Api, body: Body) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let wait = api.gate.force.load().config.server.read_timeout;
    let read = crate::body::read(body, BODY_MAX, wait).await.map_err(Code::from)?;
    Ok(Zeroizing::new(read.to_vec()))
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut from).map_err(|error| {
        if error.inner().is_data() { wrong_at(error.path()) } else { Problem::new(Code::BadJson) }
    })?;
    from.end().map_err(|_| Problem::new(Code::BadJson))?;
    Ok(read)
}

/// A form of a page.
struct Form {
    /// Its fields as text, in JSON.
    json: Zeroizing<Vec<u8>>,
    /// The token of the session's form.
    token: Option<Zeroizing<String>>,
}

fn form(bytes: &[u8]) -> Result<Form, Problem> {
    let mut token = None;
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        if name == "form" {
            token = Some(Zeroizing::new(value.into_owned()));
        } else if fields.insert(name, value).is_some() {
            return Err(Code::BadRequest.into());
        }
    }
    let json = serde_json::to_vec(&fields).map_err(|_| Problem::new(Code::Internal))?;
    Ok(Form { json: Zeroizing::new(json), token })
}

/// Longer than the path of any field that there is.
const LONGEST_PATH: usize = 60;

/// Names the place, never the value. A field that we do not know is named by whoever sent it: what cannot be a name of ours is not
/// repeated, as it may be a value that slipped there.
fn wrong_at(path: &serde_path_to_error::Path) -> Problem {
    let path = path.to_string();
    let is_index = |part: &str| part.bytes().all(|b| b.is_ascii_digit()) && part.len() <= 5;
    let is_name = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let fits = path.len() <= LONGEST_PATH
        && path.split('.').all(|part| {
            let mut parts = part.split('[');
            parts.next().is_some_and(is_name)
                && parts.all(|part| part.strip_suffix(']').is_some_and(is_index))
        });
    let problem = Problem::new(Code::BadRequest);
    if fits { problem.at(path) } else { problem }
}

/// How something is asked for, in words of the policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stated {
    /// For what.
    pub(crate) purpose: Option<Purpose>,
    /// Why, in words. The customer can read it.
    pub(crate) reason: Option<String>,
    /// The number of a request or an incident.
    pub(crate) ticket: Option<String>,
    /// The request to break the glass that this is done under, or about.
    pub(crate) break_glass: Option<BreakGlass>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    answer: Answer,
    of: PhantomData<fn() -> T>,
}

/// An answer, whatever it is of: what is done with it is the same for all.
#[derive(Debug)]
pub(crate) struct Answer {
    what: What,
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug)]
enum What {
    /// Nothing, if the value cannot be written.
    Json(Option<Vec<u8>>),
    Page(String),
    Elsewhere,
    Raw(Zeroizing<Vec<u8>>),
    // Nobody else looks at it; the lock only says so to the compiler.
    Stream(&'static str, Mutex<Body>),
}

impl<T> From<Answer> for Reply<T> {
    fn from(answer: Answer) -> Self {
        Self { answer, of: PhantomData }
    }
}

impl<T> From<Reply<T>> for Answer {
    fn from(reply: Reply<T>) -> Self {
        reply.answer
    }
}

impl<T: Serialize> Reply<T> {
    /// This value, as JSON.
    pub(crate) fn json(value: T) -> Self {
        Answer::new(What::Json(serde_json::to_vec(&value).ok())).into()
    }

    /// A page.
    pub(crate) fn page(html: String) -> Self {
        Answer::new(What::Page(html)).into()
    }

    /// Bytes that are JSON already, as they are kept.
    pub(crate) fn raw_json(bytes: Zeroizing<Vec<u8>>) -> Self {
        Answer::raw_json(bytes).into()
    }

    /// What comes bit by bit, of this media type.
    pub(crate) fn stream(kind: &'static str, body: Body) -> Self {
        Answer::new(What::Stream(kind, Mutex::new(body))).into()
    }

    /// Go on there (303): a page that was sent is not sent again by looking at it again.
    pub(crate) fn see_other(path: &str) -> Self {
        Answer::see_other(path).into()
    }

    /// With another status than the route's: a form that is shown again, with what was wrong.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.answer.status = Some(status);
        self
    }

    /// With a header.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.answer.add_header(name, value);
        self
    }

    /// With the tag of how the thing is now.
    pub(crate) fn tagged(self, tag: &str) -> Self {
        self.header(header::ETAG, tag)
    }
}

impl Answer {
    fn new(what: What) -> Self {
        Self { what, status: None, headers: Vec::new() }
    }

    /// Bytes that are JSON already, as they are kept.
    pub(super) fn raw_json(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self::new(What::Raw(bytes))
    }

    /// Go on there (303).
    pub(super) fn see_other(path: &str) -> Self {
        let mut answer = Self::new(What::Elsewhere);
        answer.add_header(header::LOCATION, path);
        answer
    }

    /// Adds a header.
    pub(super) fn add_header(&mut self, name: HeaderName, value: &str) {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(name == header::SET_COOKIE);
            self.headers.push((name, value));
        }
    }

    /// The tag of how the thing is now.
    pub(super) fn tag(&self) -> Option<String> {
        let tag = self.headers.iter().find(|(name, _)| *name == header::ETAG);
        tag.and_then(|(_, value)| value.to_str().ok()).map(str::to_owned)
    }

    /// What is answered, if it is to be kept for the same idempotency key.
    pub(super) fn to_keep(&self) -> Option<&[u8]> {
        match &self.what {
            What::Json(json) => json.as_deref(),
            _ => None,
        }
    }

    pub(super) fn into_response(self, status: u16) -> Result<Response, Problem> {
        let status = self.status.or(StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
        let json =
            |bytes: Vec<u8>| (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response();
        let mut response = match self.what {
            What::Json(_) if status == StatusCode::NO_CONTENT => super::no_content(),
            What::Json(written) => json(written.ok_or_else(|| Problem::new(Code::Internal))?),
            What::Raw(bytes) => json(bytes.to_vec()),
            What::Stream(kind, body) => {
                let body = body.into_inner().unwrap_or_else(PoisonError::into_inner);
                (status, [(header::CONTENT_TYPE, kind)], body).into_response()
            }
            What::Page(html) => {
                (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
            }
            What::Elsewhere => StatusCode::SEE_OTHER.into_response(),
        };
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        Ok(response)
    }
}

/// The query of a list: how many, and after what.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Paging {
    /// At most so many; 1 to 100, by default 50.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) limit: Option<u16>,
    /// The `next` of the page before.
    pub(crate) after: Option<String>,
}

impl Paging {
    /// How many.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            None => Ok(50),
            Some(n @ 1..=100) => Ok(n.into()),
            Some(_) => Err(Problem::new(Code::BadRequest).at("limit")),
        }
    }

    /// After what, read as an id.
    pub(crate) fn after<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem> {
        let bad = |_| Problem::new(Code::BadRequest).at("after");
        self.after.as_deref().map(str::parse).transpose().map_err(bad)
    }
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub(crate) struct Page<T> {
    /// What there is.
    pub(crate) items: Vec<T>,
    /// To be given as `after` for what follows; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// One page of what was asked for with one more than fits.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(id) } else { None };
        Self { items, next }
    }
}
