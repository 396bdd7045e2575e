//! `GET /admin/v1/audit`: the audit log, newest first, as it was written.

use chatward_policy::access::{House, act};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::customers::{Written, limited, read};
use super::house;
use crate::api::call::Nothing;
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::directory::Failed;
use crate::problem::Problem;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Events>()
}

/// So many events are read at most for one answer: in a log that several houses share, most may be others'.
const READ_MAX: usize = 1000;

/// Which events.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Before {
    /// Events before this one only: the `next` of the page before.
    before: Option<u64>,
    /// At most so many; 1 to 100, by default 50.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u16>,
}

/// Some events.
#[derive(Debug, Serialize, JsonSchema)]
struct Newest {
    /// The events, newest first.
    items: Vec<Written>,
    /// To be given as `before` for what is older; absent at the beginning of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// `GET /admin/v1/audit`
struct Events;

impl Route for Events {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/audit";
    const WHAT: &'static str = "Events of the audit log, newest first";
    type Path = Nothing;
    type Query = Before;
    type Body = Nothing;
    type Answer = Newest;
}

impl Asks for Events {
    type Act = act::AuditRead;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        limited(call.query.limit)?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let limit = limited(call.query.limit)?;
        // This very look is in the log already, and is the newest event that there is to see.
        let newest = noted.index().saturating_add(1);
        let mut at = call.query.before.unwrap_or(newest).min(newest);
        let mut items = Vec::new();
        for _ in 0..READ_MAX {
            if at == 0 || items.len() == limit {
                break;
            }
            at -= 1;
            let found = api.gate.store.event(at).await.map_err(Failed::from)?;
            let Some(event) = found else { continue };
            let event = read(at, &event)?;
            if event.event["tenant"] == api.gate.tenant.as_str() {
                items.push(event);
            }
        }
        Ok(Reply::json(Newest { items, next: (at > 0).then_some(at) }))
    }
}
