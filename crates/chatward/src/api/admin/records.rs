//! `GET /admin/v1/records/{name}`: records of what is done with personal data, as JSON-LD.

use chatward_policy::access::{House, act};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::house;
use crate::api::call::Nothing;
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::problem::{Code, Problem};
use crate::records::{self, Asked, Form, Name};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Record>()
}

/// Which record.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "RecordPath")]
struct Which {
    /// `processing`, `inventory`, `pci-scope` or `breach`.
    name: String,
}

/// The time of an incident.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RecordTime")]
struct Time {
    /// `breach`: since when (milliseconds since 1970).
    since: Option<u64>,
    /// `breach`: until when.
    until: Option<u64>,
}

/// `GET /admin/v1/records/{name}`
struct Record;

impl Route for Record {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/records/{name}";
    const WHAT: &'static str =
        "A record of what is done with personal data (JSON-LD in words of the Data Privacy Vocabulary)";
    type Path = Which;
    type Query = Time;
    type Body = Nothing;
    type Answer = serde_json::Value;
}

impl Asks for Record {
    type Act = act::AuditRead;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        Name::named(&call.path.name).ok_or_else(|| Problem::new(Code::NotFound))?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let name = Name::named(&call.path.name).ok_or_else(|| Problem::new(Code::NotFound))?;
        let asked = Asked { name, form: Form::Json, since: call.query.since, until: call.query.until };
        let text = records::make(&api.gate, &asked).await?;
        Ok(Reply::raw_json(Zeroizing::new(text.into_bytes())))
    }
}
