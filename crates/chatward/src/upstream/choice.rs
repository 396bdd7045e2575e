//! Which bot is asked.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Response, request};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Settings, SetupError, Upstream};
use crate::caller::{Caller, Origin};
use crate::config;
use crate::problem::Code;

/// The bots of a configuration, ready to be asked.
#[derive(Debug, Default)]
pub struct Upstreams {
    models: config::Upstreams,
    links: Vec<Arc<Upstream>>,
}

/// A bot of the configuration cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("upstream {name}: {fault}")]
pub struct BadUpstream {
    name: Arc<str>,
    fault: SetupError,
}

impl Upstreams {
    /// Prepares a client for each bot; connects to none yet.
    ///
    /// # Errors
    ///
    /// Names the bot at fault.
    pub fn new(models: &config::Upstreams) -> Result<Self, BadUpstream> {
        let mut links = Vec::new();
        for of in models.iter() {
            let settings = Settings {
                name: Arc::clone(&of.name),
                url: of.url.clone(),
                key: of.key.as_ref().map(|key| Zeroizing::new(key.expose().to_owned())),
                connect: of.connect_timeout,
                first_byte: of.first_byte_timeout,
                idle: of.idle_timeout,
                total: of.total_timeout,
                max_reply: of.max_reply_bytes,
                roots: None,
            };
            let link =
                Upstream::new(settings).map_err(|fault| BadUpstream { name: Arc::clone(&of.name), fault })?;
            links.push(Arc::new(link));
        }
        Ok(Self { models: models.clone(), links })
    }

    /// The bot that serves this model, if the caller may use it.
    ///
    /// # Errors
    ///
    /// If none does, or the caller may not.
    pub fn choose(&self, model: &str, caller: &Caller) -> Result<Arc<Upstream>, Code> {
        let name = &self.models.for_model(model).ok_or(Code::UnknownModel)?.name;
        if !caller.may_use(name) {
            return Err(Code::UpstreamNotAllowed);
        }
        self.links.iter().find(|link| link.name == *name).cloned().ok_or(Code::UnknownModel)
    }

    /// `GET /v1/models`: of the one bot the caller may use, as it answers; of several, one list of all their models,
    /// without those bots that do not answer with one.
    ///
    /// # Errors
    ///
    /// If there is no bot for this caller, or none answers.
    pub async fn models(&self, caller: &Caller, head: &request::Parts) -> Result<Response<Body>, Code> {
        let credential =
            (*caller.origin() == Origin::PassedOn).then(|| head.headers.get(AUTHORIZATION)).flatten();
        let allowed: Vec<&Upstream> =
            self.links.iter().map(|link| &**link).filter(|link| caller.may_use(&link.name)).collect();
        let first = allowed.first().ok_or(Code::UpstreamNotAllowed)?;
        if allowed.len() == 1 {
            let reply = first.models(credential, &head.headers).await.map_err(|error| Code::from(&error))?;
            let (status, headers) = (reply.status, reply.headers.clone());
            let body = reply.collect().await.map_err(|error| Code::from(&error))?;
            if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
                return Err(Code::UpstreamBadReply);
            }
            let mut response = json(Body::from(body));
            *response.status_mut() = status;
            response.headers_mut().extend(headers);
            return Ok(response);
        }
        let mut list = List { object: "list".into(), data: Vec::new() };
        let mut last = Code::UpstreamBadReply;
        let mut answered = false;
        for link in allowed {
            let body = match link.models(credential, &head.headers).await {
                Ok(reply) if reply.status.is_success() => reply.collect().await,
                Ok(_) => continue,
                Err(error) => Err(error),
            };
            match body.map(|body| serde_json::from_slice::<List>(&body)) {
                Ok(Ok(more)) => {
                    list.data.extend(more.data);
                    answered = true;
                }
                Ok(Err(_)) => last = Code::UpstreamBadReply,
                Err(error) => last = Code::from(&error),
            }
        }
        if !answered {
            return Err(last);
        }
        let body = serde_json::to_vec(&list).map_err(|_| Code::Internal)?;
        Ok(json(Body::from(body)))
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct List {
    #[serde(default)]
    object: Box<str>,
    data: Vec<Box<RawValue>>,
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object: _, data } = self;
        f.debug_struct("List").field("data", &data.len()).finish()
    }
}

fn json(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
