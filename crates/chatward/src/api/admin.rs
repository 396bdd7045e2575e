//! `/admin/v1`: what staff and programs of the house do.

mod audit;
mod conversations;
mod customers;
mod glass;
mod incidents;
mod numbers;
mod policies;
mod programs;
mod records;
mod reveals;
mod review;
mod rights;
mod staff;
mod waiting;

pub(crate) use staff::{fit_name, invitation_link};

use chatward_message::{CustomerId, TurnId};
use chatward_policy::access::{House, Purpose, Record, act};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::call::{Nothing, Stated};
use super::me::OfTurn;
use super::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::directory::Failed;
use crate::identity::staff::Administrator;
use crate::problem::{Code, Problem};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    let routes = staff::routes(routes.asks::<Received>());
    let routes = glass::routes(reveals::routes(customers::routes(programs::routes(routes))));
    let routes = incidents::routes(review::routes(audit::routes(policies::routes(routes))));
    waiting::routes(conversations::routes(rights::routes(records::routes(numbers::routes(routes)))))
}

/// Who may manage accounts, if whoever asks may: the policies have said so already, and identity holds it against the
/// session once more.
fn administrator(api: &Api, who: &Who) -> Result<Administrator, Problem> {
    match who {
        Who::Staff(present) => {
            let (rules, now) = (api.directory.rules(), api.directory.now());
            Ok(Administrator::of(&present.account, &present.session, rules, now)?)
        }
        Who::Bootstrap => Ok(api.directory.operator()?),
        _ => Err(Code::NotAllowed.into()),
    }
}

/// What is asked about the house as a whole.
fn house(api: &Api) -> House {
    House { tenant: api.gate.tenant.clone() }
}

/// A customer of this house, by id.
async fn customer(api: &Api, id: &str) -> Result<Record, Problem> {
    let unknown = || Problem::new(Code::CustomerNotFound);
    let customer: CustomerId = id.parse().map_err(|_| unknown())?;
    api.directory.slot_of(customer).await?.ok_or_else(unknown)?;
    record(api, customer).await
}

async fn record(api: &Api, customer: CustomerId) -> Result<Record, Problem> {
    Ok(api.gate.target(customer).await?)
}

/// A text that somebody wrote to explain what they do.
fn written(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A word of the policies, from a field of this name.
fn word<T>(text: Option<&str>, field: &str, named: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    let read = |word| named(word).ok_or_else(|| Problem::new(Code::BadRequest).at(field));
    text.map(read).transpose()
}

/// Words of closed lists, for the description of the routes.
mod words {
    use chatward_message::Class;
    use chatward_policy::access::{Action, Purpose, Role, Scope};
    use schemars::{Schema, SchemaGenerator, json_schema};

    pub(super) fn purpose(_: &mut SchemaGenerator) -> Schema {
        one(Purpose::ALL.iter().map(|purpose| purpose.name()).collect())
    }

    pub(super) fn class(_: &mut SchemaGenerator) -> Schema {
        one(Class::ALL.map(Class::name).to_vec())
    }

    pub(super) fn action(_: &mut SchemaGenerator) -> Schema {
        one(Action::ALL.iter().map(|action| action.name()).collect())
    }

    pub(super) fn roles(_: &mut SchemaGenerator) -> Schema {
        some(Role::ALL.iter().map(|role| role.name()).collect())
    }

    pub(super) fn scopes(_: &mut SchemaGenerator) -> Schema {
        some(Scope::ALL.iter().map(|scope| scope.name()).collect())
    }

    fn one(words: Vec<&str>) -> Schema {
        json_schema!({ "type": "string", "enum": words })
    }

    fn some(words: Vec<&str>) -> Schema {
        json_schema!({ "type": "array", "items": { "type": "string", "enum": words }, "uniqueItems": true })
    }
}

/// Most things of one page, of those that stand in some way.
const MOST: usize = 200;

/// Which things of a list, by how they stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted<S> {
    /// So many at most: 1 to 200 [default: 50]
    limit: Option<usize>,
    /// Those after this one.
    after: Option<String>,
    /// Only those that stand so.
    state: Option<S>,
}

impl<S> Wanted<S> {
    fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(50);
        if (1..=MOST).contains(&limit) { Ok(limit) } else { Err(Problem::new(Code::BadRequest).at("limit")) }
    }

    fn after(&self) -> Result<Option<[u8; 16]>, Problem> {
        let read = |text: &String| record_id(text).ok_or_else(|| Problem::new(Code::BadRequest).at("after"));
        self.after.as_ref().map(read).transpose()
    }
}

/// An id of a record: 32 hexadecimal digits.
fn record_id(text: &str) -> Option<[u8; 16]> {
    let number = (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())).then_some(text)?;
    Some(u128::from_str_radix(number, 16).ok()?.to_be_bytes())
}

/// A customer in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfCustomer {
    /// `cust_…`
    id: String,
}

/// Why something is done to accounts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Reason")]
struct Why {
    /// Why, in words.
    reason: Option<String>,
    /// The number of a request or an incident.
    ticket: Option<String>,
}

impl Why {
    fn stated(&self) -> Stated {
        let (reason, ticket) = (written(self.reason.as_ref()), written(self.ticket.as_ref()));
        Stated { reason, ticket, ..Stated::default() }
    }
}

/// What a look is for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct For {
    /// `support`, `security`, `privacy-request`, `training`, `audit` or `operation`.
    #[schemars(schema_with = "words::purpose")]
    purpose: Option<String>,
    /// The number of a request or an incident.
    ticket: Option<String>,
}

impl For {
    fn stated(&self) -> Result<Stated, Problem> {
        let purpose = word(self.purpose.as_deref(), "purpose", Purpose::named)?;
        Ok(Stated { purpose, ticket: written(self.ticket.as_ref()), ..Stated::default() })
    }
}

/// `GET /admin/v1/turns/{id}/received`
struct Received;

impl Route for Received {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/turns/{id}/received";
    const WHAT: &'static str = "What the bot received in a turn, byte for byte";
    type Path = OfTurn;
    type Query = For;
    type Body = Nothing;
    type Answer = serde_json::Value;
}

impl Asks for Received {
    type Act = act::ReadReceived;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        let unknown = || Problem::new(Code::TurnNotFound);
        let gate = &api.gate;
        let turn: TurnId = call.path.id.parse().map_err(|_| unknown())?;
        let row = gate.store.turn(&gate.tenant, turn).await.map_err(Failed::from)?.ok_or_else(unknown)?;
        record(api, row.customer).await
    }

    async fn given(api: &Api, who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let _ = api;
        let mut stated = call.query.stated()?;
        // Whoever holds the file on the machine looks into how it runs.
        if matches!(who, Who::Bootstrap) {
            stated.purpose = stated.purpose.or(Some(Purpose::Security));
        }
        Ok(stated)
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
