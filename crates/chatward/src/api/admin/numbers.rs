//! `/admin/v1/statistics` and `/admin/v1/exports`: counts with noise, and tables in which nobody is named.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use chatward_policy::access::{House, Purpose, act};
use futures_util::stream;
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::{house, word, words, written};
use crate::api::call::{Nothing, Stated};
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::numbers::export::{self, Form, Table, Wanted};
use crate::numbers::statistics::{self, Counts, Question};
use crate::problem::{Code, Problem};
use crate::turn::Gate;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Statistics>().asks::<Exports>()
}

/// Parts of a table that wait to be sent.
const WAITING: usize = 16;

fn stated(
    purpose: Option<&str>,
    reason: Option<&String>,
    ticket: Option<&String>,
) -> Result<Stated, Problem> {
    let purpose = word(purpose, "purpose", Purpose::named)?;
    Ok(Stated { purpose, reason: written(reason), ticket: written(ticket), ..Stated::default() })
}

/// A question about all customers, and what for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatisticsAsked")]
struct AskedCounts {
    /// What is counted.
    question: Question,
    /// `analytics`.
    #[schemars(schema_with = "words::purpose")]
    purpose: Option<String>,
    /// Why, in words.
    reason: Option<String>,
    /// The number of a request.
    ticket: Option<String>,
}

/// `POST /admin/v1/statistics`
struct Statistics;

impl Route for Statistics {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/statistics";
    const WHAT: &'static str = "Counts over all customers by week, with noise; spends the budget";
    type Path = Nothing;
    type Query = Nothing;
    type Body = AskedCounts;
    type Answer = Counts;
}

impl Asks for Statistics {
    type Act = act::Statistics;

    async fn target(api: &Api, _who: &mut Who, _call: &Call<Self>) -> Result<House, Problem> {
        Ok(house(api))
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        stated(call.body.purpose.as_deref(), call.body.reason.as_ref(), call.body.ticket.as_ref())
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(statistics::count(&api.gate, &api.directory, &call.body.question).await?))
    }
}

/// A table about all customers, and what for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ExportAsked")]
struct AskedTable {
    /// What it is to be. Its form is `jsonl` here.
    table: Wanted,
    /// `analytics`.
    #[schemars(schema_with = "words::purpose")]
    purpose: Option<String>,
    /// Why, in words.
    reason: Option<String>,
    /// The number of a request.
    ticket: Option<String>,
}

/// `POST /admin/v1/exports`
struct Exports;

impl Route for Exports {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/exports";
    const WHAT: &'static str = "A table for analytics, one JSON object a line: `{\"manifest\"}`, the rows, then `{\"complete\":true}`";
    type Path = Nothing;
    type Query = Nothing;
    type Body = AskedTable;
    type Answer = serde_json::Value;
}

impl Asks for Exports {
    type Act = act::ExportAnalytics;

    async fn target(api: &Api, _who: &mut Who, _call: &Call<Self>) -> Result<House, Problem> {
        Ok(house(api))
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        stated(call.body.purpose.as_deref(), call.body.reason.as_ref(), call.body.ticket.as_ref())
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        if call.body.table.form != Form::Jsonl {
            return Err(Problem::new(Code::BadRequest).at("table.form"));
        }
        let by = if matches!(who, Who::Service(_)) { "program" } else { "staff" };
        let policies = noted.allowed().policies().clone();
        let table = export::prepare(&api.gate, &call.body.table, by, Some(&policies)).await?;
        let (to, from) = mpsc::channel(WAITING);
        tokio::spawn(send(Arc::clone(&api.gate), table, to));
        let parts = stream::unfold(from, |mut from| async move {
            from.recv().await.map(|part: Bytes| (Ok::<_, Infallible>(part), from))
        });
        Ok(Reply::stream("application/jsonl", Body::from_stream(parts)))
    }
}

/// The manifest, the rows, and how it ended. Without its last line a table is not whole.
async fn send(gate: Arc<Gate>, table: Table, to: mpsc::Sender<Bytes>) {
    let line = |value: serde_json::Value| Bytes::from(value.to_string() + "\n");
    if to.send(line(json!({ "manifest": table.manifest() }))).await.is_err() {
        return;
    }
    let last = match table.write(&gate, &to).await {
        Ok(()) => json!({ "complete": true }),
        Err(error) => json!({ "void": true, "code": Problem::from(error).code().as_str() }),
    };
    // Whoever hung up has no use for it.
    let _ = to.send(line(last)).await;
}
