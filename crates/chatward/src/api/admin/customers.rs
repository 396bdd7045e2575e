//! `/admin/v1/customers`: what there is of one customer, who looked, and erasing it all.
//!
//! There is no list of all customers: no action of the policies is about all of them at once, and each look at one is in
//! that customer's own trail. Whoever works on something has a customer's id, or that of a turn.

use chatward_message::{ConversationId, CustomerId, TurnId};
use chatward_policy::access::{Purpose, Record, act};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OfCustomer, customer, house, record, word, written};
use crate::api::call::{Nothing, Page, Stated};
use crate::api::noted::looks;
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::directory::Failed;
use crate::problem::{Code, Problem};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Found>().asks::<One>().asks::<Trail>().asks::<Erase>()
}

/// Which customer is meant.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Which {
    /// `cust_…`
    customer: Option<String>,
    /// `turn_…`: the customer whose turn it is.
    turn: Option<String>,
    /// What the look is for: `support`, `security`, `privacy-request`, `training`, `audit` or `operation`.
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// The number of a request or an incident.
    ticket: Option<String>,
}

/// A customer, known by the id alone.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerId")]
struct Known {
    /// `cust_…`
    id: String,
}

fn looked(purpose: Option<&str>, ticket: Option<&String>) -> Result<Stated, Problem> {
    let purpose = word(purpose, "purpose", Purpose::named)?;
    Ok(Stated { purpose, ticket: written(ticket), ..Stated::default() })
}

/// `GET /admin/v1/customers`
struct Found;

impl Route for Found {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/customers";
    const WHAT: &'static str = "The customer of this id, or whose turn it is";
    type Path = Nothing;
    type Query = Which;
    type Body = Nothing;
    type Answer = Page<Known>;
}

impl Asks for Found {
    type Act = act::List;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        match (&call.query.customer, &call.query.turn) {
            (Some(id), None) => customer(api, id).await,
            (None, Some(turn)) => {
                let unknown = || Problem::new(Code::TurnNotFound);
                let turn: TurnId = turn.parse().map_err(|_| unknown())?;
                let row = api.gate.store.turn(&api.gate.tenant, turn).await.map_err(Failed::from)?;
                record(api, row.ok_or_else(unknown)?.customer).await
            }
            _ => Err(Problem::new(Code::BadRequest).at("customer")),
        }
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        looked(call.query.purpose.as_deref(), call.query.ticket.as_ref())
    }

    async fn answer(
        _api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let known = Known { id: noted.target().customer.to_string() };
        Ok(Reply::json(Page { items: vec![known], next: None }))
    }
}

/// How a look at one customer is asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Listed {
    /// What the look is for: `support`, `security`, `privacy-request`, `training`, `audit` or `operation`.
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// The number of a request or an incident.
    ticket: Option<String>,
    /// At most so many conversations; 1 to 100, by default 50.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u16>,
    /// The `next` of the page before.
    after: Option<String>,
}

impl Listed {
    fn paging(&self) -> crate::api::call::Paging {
        crate::api::call::Paging { limit: self.limit, after: self.after.clone() }
    }
}

/// A conversation, and what stands behind its placeholders: never the values.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerConversation")]
struct Conversation {
    /// `conv_…`
    id: String,
    /// When it began, in milliseconds since 1970.
    opened: u64,
    /// How many values are kept, by kind and class.
    counts: Vec<Count>,
    /// Each value's placeholder, to name it by.
    values: Vec<Label>,
}

/// How many values of a kind there are.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ValueCount")]
struct Count {
    /// The kind.
    kind: String,
    /// Its class.
    class: &'static str,
    /// How many.
    n: usize,
}

/// A value's placeholder.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ValueLabel")]
struct Label {
    /// `CARD_1`
    label: String,
    /// What kind of value it stands for.
    kind: String,
    /// That kind's class.
    class: &'static str,
}

/// `GET /admin/v1/customers/{id}`
struct One;

impl Route for One {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/customers/{id}";
    const WHAT: &'static str = "A customer's conversations, and which values are kept of them; no value";
    type Path = OfCustomer;
    type Query = Listed;
    type Body = Nothing;
    type Answer = Page<Conversation>;
}

impl Asks for One {
    type Act = act::List;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        let paging = call.query.paging();
        paging.limit()?;
        paging.after::<ConversationId>()?;
        customer(api, &call.path.id).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        looked(call.query.purpose.as_deref(), call.query.ticket.as_ref())
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (gate, paging) = (&api.gate, call.query.paging());
        let (limit, of) = (paging.limit()?, noted.target().customer);
        let more = limit.saturating_add(1);
        let rows = gate.store.conversations_of(&gate.tenant, of, paging.after()?, more).await;
        let rows = rows.map_err(Failed::from)?;
        let next = if rows.len() > limit { rows.get(limit - 1).map(|row| row.id.to_string()) } else { None };
        let mut items = Vec::new();
        for row in rows.iter().take(limit) {
            let Some(known) = gate.store.conversation(&gate.tenant, row.id).await.map_err(Failed::from)?
            else {
                continue;
            };
            let values = gate.listed(&known).await?;
            items.push(shown(row.id, row.opened.0, &values));
        }
        Ok(Reply::json(Page { items, next }))
    }
}

fn shown(
    id: ConversationId,
    opened: u64,
    values: &[(String, chatward_message::Class, chatward_message::Kind)],
) -> Conversation {
    let mut counts: Vec<Count> = Vec::new();
    for (_, class, kind) in values {
        match counts.iter_mut().find(|count| count.kind == kind.as_str()) {
            Some(count) => count.n += 1,
            None => counts.push(Count { kind: kind.as_str().to_owned(), class: class.name(), n: 1 }),
        }
    }
    let label = |(label, class, kind): &(String, chatward_message::Class, chatward_message::Kind)| Label {
        label: label.clone(),
        kind: kind.as_str().to_owned(),
        class: class.name(),
    };
    Conversation { id: id.to_string(), opened, counts, values: values.iter().map(label).collect() }
}

/// Which part of a trail.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Before {
    /// Events before this one only: the `next` of the page before.
    before: Option<u64>,
    /// At most so many; 1 to 100, by default 50.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u16>,
}

/// An event of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEvent")]
pub(super) struct Written {
    /// Its place in the log.
    pub(super) index: u64,
    /// The event as it was written.
    pub(super) event: serde_json::Value,
}

/// A look at the customer's data.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerLook")]
struct Looked {
    /// When, in milliseconds since 1970.
    at: u64,
    /// What was done.
    action: String,
    /// The account of staff that did it; absent if it was the customer or a program.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'static str>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The number of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    /// Which class of data.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    /// Which kind of data.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

/// Who looked at a customer's data.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomerTrail")]
struct Trace {
    /// The events about this customer, newest first.
    items: Vec<Written>,
    /// To be given as `before` for what is older; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    /// The looks that were allowed, newest first, with who and why: on the first page, for members of staff.
    looks: Vec<Looked>,
}

/// `GET /admin/v1/customers/{id}/trail`
struct Trail;

impl Route for Trail {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/customers/{id}/trail";
    const WHAT: &'static str = "Who looked at a customer's data, or asked to";
    type Path = OfCustomer;
    type Query = Before;
    type Body = Nothing;
    type Answer = Trace;
}

impl Asks for Trail {
    type Act = act::AuditRead;

    async fn target(
        api: &Api,
        _who: &mut Who,
        call: &Call<Self>,
    ) -> Result<chatward_policy::access::House, Problem> {
        limited(call.query.limit)?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (gate, limit) = (&api.gate, limited(call.query.limit)?);
        let of: CustomerId = customer(api, &call.path.id).await?.customer;
        let found = gate.store.trail(&gate.tenant, of, call.query.before, limit.saturating_add(1)).await;
        let mut found = found.map_err(Failed::from)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = if more { found.last().map(|trace| trace.index) } else { None };
        let items = found.iter().map(|trace| read(trace.index, &trace.event)).collect::<Result<_, _>>()?;
        let person = matches!(who, Who::Staff(_) | Who::Bootstrap);
        let looks = if person && call.query.before.is_none() { looks(api, of).await? } else { Vec::new() };
        let looks = looks
            .into_iter()
            .map(|look| Looked {
                at: look.at.0,
                action: look.action,
                by: look.by.map(|by| by.to_string()),
                purpose: look.purpose.map(Purpose::name),
                reason: look.reason,
                ticket: look.ticket,
                class: look.class.map(chatward_message::Class::name),
                kind: look.kind.map(|kind| kind.as_str().to_owned()),
            })
            .collect();
        Ok(Reply::json(Trace { items, next, looks }))
    }
}

/// An event as it was written.
pub(super) fn read(index: u64, event: &str) -> Result<Written, Problem> {
    let event = serde_json::from_str(event).map_err(|_| Problem::new(Code::Internal))?;
    Ok(Written { index, event })
}

/// How many events.
pub(super) fn limited(limit: Option<u16>) -> Result<usize, Problem> {
    crate::api::call::Paging { limit, after: None }.limit()
}

/// Why a customer is erased.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Erasure {
    /// `privacy-request`
    #[schemars(schema_with = "super::words::purpose")]
    purpose: Option<String>,
    /// Why, in words.
    reason: Option<String>,
    /// The number of the customer's request.
    ticket: Option<String>,
}

/// What was erased.
#[derive(Debug, Serialize, JsonSchema)]
struct Erased {
    /// Rows deleted; the key is destroyed.
    rows: u64,
    /// The certificate's id: `GET /me/v1/certificates/{id}` on the public listener.
    certificate: String,
    /// The certificate.
    document: serde_json::Value,
}

/// `POST /admin/v1/customers/{id}/erase`
struct Erase;

impl Route for Erase {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/customers/{id}/erase";
    const WHAT: &'static str = "Destroy a customer's key and delete the rows; there is no way back";
    type Path = OfCustomer;
    type Query = Nothing;
    type Body = Erasure;
    type Answer = Erased;
}

impl Asks for Erase {
    type Act = act::Erase;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        customer(api, &call.path.id).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let Erasure { purpose, reason, ticket } = &call.body;
        let purpose = word(purpose.as_deref(), "purpose", Purpose::named)?;
        let (reason, ticket) = (written(reason.as_ref()), written(ticket.as_ref()));
        Ok(Stated { purpose, reason, ticket, ..Stated::default() })
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let customer = noted.target().customer;
        let slot = api.directory.slot_of(customer).await?.ok_or(Code::CustomerNotFound)?;
        let done = api.gate.erase_with_proof(customer, slot).await?;
        Ok(Reply::json(Erased { rows: done.rows, certificate: done.id, document: done.document }))
    }
}
