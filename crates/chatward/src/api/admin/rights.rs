//! `/admin/v1/requests`, restrictions, holds, consents of a customer, and what goes next: the house's side of customers' rights.

use chatward_message::UnixMillis;
use chatward_policy::access::{House, Purpose, Record, act};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::call::{Nothing, Page, Paging, Stated};
use super::super::me::rights::{OfRequest, RequestShown, StandingShown};
use super::super::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use super::{OfCustomer, customer, house, word, written};
use crate::problem::{Code, Problem};
use crate::rights::erasure::unhex;
use crate::rights::request::{From, Step};
use crate::rights::standing::Change;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    let routes = routes.asks::<All>().asks::<One>().asks::<Further>();
    routes.asks::<Restrict>().asks::<Hold>().asks::<Consents>().asks::<Next>()
}

/// `GET /admin/v1/requests`
struct All;

impl Route for All {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/requests";
    const WHAT: &'static str =
        "What customers asked for by right, and by when it has to be answered; nobody is named";
    type Path = Nothing;
    type Query = Paging;
    type Body = Nothing;
    type Answer = Page<RequestShown>;
}

impl Asks for All {
    type Act = act::AuditRead;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        call.query.limit()?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let limit = call.query.limit()?;
        let bad = || Problem::new(Code::BadRequest).at("after");
        let after = call.query.after.as_deref().map(|id| unhex(id).ok_or_else(bad)).transpose()?;
        let found = api.gate.requests(after.as_ref().map(|id| &id[..]), limit.saturating_add(1)).await?;
        let shown = found.iter().map(|filed| RequestShown::of(api, filed, false)).collect();
        Ok(Reply::json(Page::cut(shown, limit, |request: &RequestShown| request.id().to_owned())))
    }
}

/// How a request is looked at or taken further.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Looking {
    /// `privacy-request`
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// The number of the request.
    ticket: Option<String>,
}

/// A request, with whose it is.
#[derive(Debug, Serialize, JsonSchema)]
struct Whole {
    /// `cust_…`
    customer: String,
    /// The request.
    request: RequestShown,
}

/// `GET /admin/v1/requests/{id}`
struct One;

impl Route for One {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/requests/{id}";
    const WHAT: &'static str = "One request, whose it is, and what was written about it";
    type Path = OfRequest;
    type Query = Looking;
    type Body = Nothing;
    type Answer = Whole;
}

impl Asks for One {
    type Act = act::List;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        let filed = call.path.filed(api).await?;
        Ok(api.gate.target(filed.customer).await?)
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let purpose = word(call.query.purpose.as_deref(), "purpose", Purpose::named)?;
        Ok(Stated { purpose, ticket: written(call.query.ticket.as_ref()), ..Stated::default() })
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let filed = call.path.filed(api).await?;
        let request = RequestShown::of(api, &filed, true);
        Ok(Reply::json(Whole { customer: noted.target().customer.to_string(), request }))
    }
}

/// What is done next with a request.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "RequestStep")]
enum Deed {
    /// It was shown that the customer asks.
    Identify,
    /// Somebody takes it on.
    Begin,
    /// It takes longer; `text` says why.
    Extend,
    /// It was done; `text` says what.
    Finish,
    /// It is not done; `text` says why.
    Refuse,
    /// Something is written to the customer.
    Say,
}

/// How a request goes on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Forward {
    /// What is done.
    step: Deed,
    /// What the customer reads about it.
    #[serde(default)]
    text: String,
    /// `privacy-request`
    #[serde(default)]
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// Why, for the house's own log.
    #[serde(default)]
    reason: Option<String>,
    /// The number of the request.
    #[serde(default)]
    ticket: Option<String>,
}

/// `POST /admin/v1/requests/{id}/steps`
struct Further;

impl Route for Further {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/requests/{id}/steps";
    const WHAT: &'static str = "Take a request further: identify, begin, extend, finish, refuse, say";
    type Path = OfRequest;
    type Query = Nothing;
    type Body = Forward;
    type Answer = RequestShown;
}

fn stated(
    purpose: Option<&str>,
    reason: Option<&String>,
    ticket: Option<&String>,
) -> Result<Stated, Problem> {
    let purpose = word(purpose, "purpose", Purpose::named)?;
    Ok(Stated { purpose, reason: written(reason), ticket: written(ticket), ..Stated::default() })
}

impl Asks for Further {
    type Act = act::Fulfil;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        let filed = call.path.filed(api).await?;
        Ok(api.gate.target(filed.customer).await?)
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let Forward { purpose, reason, ticket, .. } = &call.body;
        stated(purpose.as_deref(), reason.as_ref(), ticket.as_ref())
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let filed = call.path.filed(api).await?;
        let text = call.body.text.clone();
        let step = match call.body.step {
            Deed::Identify => Step::Identify,
            Deed::Begin => Step::Begin,
            Deed::Extend => Step::Extend(text),
            Deed::Finish => Step::Finish(text),
            Deed::Refuse => Step::Refuse(text),
            Deed::Say => Step::Say(From::House, text),
        };
        let filed = api.gate.step(filed, &step).await?;
        Ok(Reply::json(RequestShown::of(api, &filed, true)))
    }
}

/// Whether a customer's data is frozen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Frozen {
    /// Whether nobody of the house may look at it.
    restricted: bool,
    /// `privacy-request`
    #[serde(default)]
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
    /// The number of the request.
    #[serde(default)]
    ticket: Option<String>,
}

/// `PUT /admin/v1/customers/{id}/restriction`
struct Restrict;

impl Route for Restrict {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/admin/v1/customers/{id}/restriction";
    const WHAT: &'static str = "Freeze a customer's data, or end that";
    type Path = OfCustomer;
    type Query = Nothing;
    type Body = Frozen;
    type Answer = StandingShown;
}

impl Asks for Restrict {
    type Act = act::Restrict;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        customer(api, &call.path.id).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let Frozen { purpose, reason, ticket, .. } = &call.body;
        stated(purpose.as_deref(), reason.as_ref(), ticket.as_ref())
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let change = Change::Restrict(call.body.restricted);
        let revision = api.gate.restand(noted.target().customer, &change).await?;
        Ok(Reply::json(StandingShown { revision }))
    }
}

/// For how long nothing may be deleted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Held {
    /// Until when, in milliseconds since 1970; nothing to end it now.
    until: Option<u64>,
    /// `privacy-request`
    #[serde(default)]
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// The legal reason.
    #[serde(default)]
    reason: Option<String>,
    /// The number of the case.
    #[serde(default)]
    ticket: Option<String>,
}

/// `PUT /admin/v1/customers/{id}/hold`
struct Hold;

impl Route for Hold {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/admin/v1/customers/{id}/hold";
    const WHAT: &'static str = "Forbid until a date that anything of a customer is deleted, or end that";
    type Path = OfCustomer;
    type Query = Nothing;
    type Body = Held;
    type Answer = StandingShown;
}

impl Asks for Hold {
    type Act = act::Hold;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        customer(api, &call.path.id).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let Held { purpose, reason, ticket, .. } = &call.body;
        stated(purpose.as_deref(), reason.as_ref(), ticket.as_ref())
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let change = match call.body.until {
            Some(until) => {
                let reason = written(call.body.reason.as_ref()).unwrap_or_default();
                Change::Hold { until: UnixMillis(until), reason }
            }
            None => Change::Release,
        };
        let revision = api.gate.restand(noted.target().customer, &change).await?;
        Ok(Reply::json(StandingShown { revision }))
    }
}

/// `GET /admin/v1/customers/{id}/consents`
struct Consents;

impl Route for Consents {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/customers/{id}/consents";
    const WHAT: &'static str = "The signed receipts of all a customer ever decided";
    type Path = OfCustomer;
    type Query = Looking;
    type Body = Nothing;
    type Answer = Vec<serde_json::Value>;
}

impl Asks for Consents {
    type Act = act::List;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        customer(api, &call.path.id).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        stated(call.query.purpose.as_deref(), None, call.query.ticket.as_ref())
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(api.gate.receipts(noted.target().customer).await?))
    }
}

/// By when.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Until {
    /// In milliseconds since 1970; by default a day from now.
    until: Option<u64>,
}

/// What goes by then, if nothing changes.
#[derive(Debug, Serialize, JsonSchema)]
struct Goes {
    /// By when, in milliseconds since 1970.
    until: u64,
    /// Turns of which nothing is left.
    turns: u64,
    /// Rows of values, by class.
    values: std::collections::BTreeMap<&'static str, u64>,
}

/// `GET /admin/v1/retention`
struct Next;

impl Route for Next {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/retention";
    const WHAT: &'static str = "What will have been kept long enough by a moment, and goes then";
    type Path = Nothing;
    type Query = Until;
    type Body = Nothing;
    type Answer = Goes;
}

impl Asks for Next {
    type Act = act::AuditRead;

    async fn target(api: &Api, _who: &mut Who, _call: &Call<Self>) -> Result<House, Problem> {
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        const DAY: u64 = 24 * 3600 * 1000;
        let until = call.query.until.unwrap_or(api.gate.clock.now().0 + DAY);
        let due = api.gate.due(UnixMillis(until)).await?;
        let values = due.values.iter().map(|(class, n)| (class.name(), *n)).collect();
        Ok(Reply::json(Goes { until, turns: due.turns, values }))
    }
}
