//! `/me/v1`: what customers see of what is kept of them, and of who looked.

mod flags;
pub(in crate::api) mod rights;

use chatward_message::{AccountId, ConversationId, CustomerId, TurnId};
use chatward_policy::access::{Record, act};
use chatward_store::record::ConversationRow;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::call::{Nothing, Page, Paging};
use super::{Api, Asks, Call, Noted, Reply, Route, Routes, Who, noted};
use crate::caller::Origin;
use crate::directory::Failed;
use crate::problem::{Code, Problem};
use crate::turn;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    flags::routes(rights::routes(routes.asks::<Received>().asks::<Conversations>().asks::<Looks>()))
}

/// A turn in a path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::api) struct OfTurn {
    /// `turn_…`, from the header `Chatward-Turn`.
    pub(in crate::api) id: String,
}

/// `GET /me/v1/turns/{id}/received`: own turns only; a stranger's is as unknown as one that never was.
struct Received;

impl Route for Received {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/turns/{id}/received";
    const WHAT: &'static str = "What the bot received in a turn of one's own, byte for byte";
    type Path = OfTurn;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = serde_json::Value;
}

impl Asks for Received {
    type Act = act::ReadReceived;

    async fn target(api: &Api, who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        received_by(api, who, &call.path.id).await
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let turn: TurnId = call.path.id.parse().map_err(|_| Problem::new(Code::TurnNotFound))?;
        Ok(Reply::raw_json(api.gate.received(turn, &noted).await?))
    }
}

/// A turn of one's own; a stranger's is as unknown as one that never was.
pub(in crate::api) async fn received_by(api: &Api, who: &mut Who, turn: &str) -> Result<Record, Problem> {
    let unknown = || Problem::new(Code::TurnNotFound);
    let gate = &api.gate;
    let turn: TurnId = turn.parse().map_err(|_| unknown())?;
    let row = gate.store.turn(&gate.tenant, turn).await.map_err(Failed::from)?.ok_or_else(unknown)?;
    let of = match who {
        // The browser's cookie outlives a session: what somebody wrote who was signed in is theirs alone.
        Who::Nameless { caller, customer }
            if turn::owns(gate, caller, turn)
                && (*caller.origin() != Origin::Page || *customer == Some(row.customer)) =>
        {
            *customer = Some(row.customer);
            row.customer
        }
        Who::Customer(present) => {
            let own = present.account.customer().ok_or_else(unknown)?;
            if own != row.customer && gate.claimed_by(row.customer).await? != Some(own) {
                return Err(unknown());
            }
            own
        }
        _ => return Err(unknown()),
    };
    Ok(record(api, of))
}

/// A conversation in the list.
#[derive(Debug, Serialize, JsonSchema)]
struct Conversation {
    /// `conv_…`
    id: String,
    /// When it began, in milliseconds since 1970.
    began: u64,
    /// Whether it began without a name and was taken over later.
    taken_over: bool,
}

/// `GET /me/v1/conversations`
struct Conversations;

impl Route for Conversations {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/conversations";
    const WHAT: &'static str = "One's own conversations";
    type Path = Nothing;
    type Query = Paging;
    type Body = Nothing;
    type Answer = Page<Conversation>;
}

impl Asks for Conversations {
    type Act = act::List;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (customer, limit) = (noted.target().customer, call.query.limit()?);
        let after = call.query.after::<ConversationId>()?;
        let gate = &api.gate;
        let found = gate.store.conversations_of(&gate.tenant, customer, after, limit + 1).await;
        let shown = |row: &ConversationRow| Conversation {
            id: row.id.to_string(),
            began: row.opened.0,
            taken_over: row.customer != customer,
        };
        let found = found.map_err(Failed::from)?.iter().map(shown).collect();
        Ok(Reply::json(Page::cut(found, limit, |conversation| conversation.id.clone())))
    }
}

/// A look at one's data.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::api) struct Seen {
    /// Where it stands in the audit log, which anybody can check.
    pub(in crate::api) index: u64,
    /// When, in milliseconds since 1970.
    pub(in crate::api) at: u64,
    /// What was done, or asked for and refused.
    pub(in crate::api) event: String,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) action: Option<String>,
    /// Who: `staff`, `service`, or `customer` (oneself).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) by: Option<String>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) purpose: Option<String>,
    /// Which class of data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) class: Option<String>,
    /// Which kind of data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) kind: Option<String>,
    /// Why, in the words of who looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) reason: Option<String>,
    /// The number of the request or incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) ticket: Option<String>,
    /// The account of staff that did it.
    #[serde(skip)]
    pub(in crate::api) account: Option<AccountId>,
}

/// The part of an event that is shown.
#[derive(Deserialize)]
struct Event {
    at: u64,
    action: String,
    access: Option<Access>,
}

#[derive(Deserialize)]
struct Access {
    action: String,
    by: String,
    purpose: Option<String>,
    class: Option<String>,
    kind: Option<String>,
}

/// `GET /me/v1/looks`
struct Looks;

impl Route for Looks {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/looks";
    const WHAT: &'static str = "Who looked at one's data, when, what for and why; the newest first";
    type Path = Nothing;
    type Query = Paging;
    type Body = Nothing;
    type Answer = Page<Seen>;
}

impl Asks for Looks {
    type Act = act::List;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (customer, limit) = (noted.target().customer, call.query.limit()?);
        let seen = seen_by_others(api, customer, call.query.after::<u64>()?, limit + 1).await?;
        Ok(Reply::json(Page::cut(seen, limit, |look| look.index.to_string())))
    }
}

/// What others did with a customer's data, the newest first: at most so many, from before this place of the log on.
pub(in crate::api) async fn seen_by_others(
    api: &Api,
    customer: CustomerId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Seen>, Problem> {
    let gate = &api.gate;
    let (mut trail, mut looks) = (Vec::new(), Vec::new());
    // Who they were before they signed in was looked at, too.
    for customer in gate.selves(customer).await.map_err(Failed::from)? {
        let traces = gate.store.trail(&gate.tenant, customer, before, limit).await;
        trail.extend(traces.map_err(Failed::from)?);
        looks.extend(noted::looks(api, customer).await?);
    }
    trail.sort_by_key(|trace| std::cmp::Reverse(trace.index));
    trail.truncate(limit);
    let mut seen = Vec::new();
    for trace in trail {
        let event: Event = serde_json::from_str(&trace.event).map_err(|_| Problem::new(Code::Internal))?;
        let access = event.access;
        let look = access.as_ref().and_then(|access| {
            looks.iter().find(|look| look.at.0 == event.at && look.action == access.action)
        });
        let (action, by, purpose, class, kind) = match access {
            Some(a) => (Some(a.action), Some(a.by), a.purpose, a.class, a.kind),
            None => (None, None, None, None, None),
        };
        seen.push(Seen {
            index: trace.index,
            at: event.at,
            event: event.action,
            action,
            by,
            purpose,
            class,
            kind,
            reason: look.and_then(|look| look.reason.clone()),
            ticket: look.and_then(|look| look.ticket.clone()),
            account: look.and_then(|look| look.by),
        });
    }
    Ok(seen)
}

/// Whoever asks, as the one whose data it is.
pub(in crate::api) fn own(api: &Api, who: &Who) -> Result<Record, Problem> {
    let customer = match who {
        Who::Customer(present) => present.account.customer(),
        Who::Nameless { customer, .. } => *customer,
        _ => None,
    };
    // A program with an API key has customers, and is none.
    customer.map(|customer| record(api, customer)).ok_or_else(|| Code::SignInNeeded.into())
}

fn record(api: &Api, customer: CustomerId) -> Record {
    Record { tenant: api.gate.tenant.clone(), customer, restricted: false }
}
