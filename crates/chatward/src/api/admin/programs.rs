//! `/admin/v1/programs`: service accounts and their keys.
//!
//! To the policies a program is an account that is managed, like a person's.

use std::collections::BTreeSet;

use chatward_message::{AccountId, ServiceId};
use chatward_policy::access::{self, Scope, act};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::staff::{NEWCOMER, fit_name};
use super::{Why, administrator, house};
use crate::api::call::{Nothing, Page, Paging, Stated};
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::identity::secret::{SecretText, TokenHash};
use crate::identity::service::{Service, ServiceKey};
use crate::problem::{Code, Problem};

/// A day, in milliseconds.
const DAY: u64 = 24 * 60 * 60_000;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<All>().asks::<Make>().asks::<MakeKey>().asks::<RevokeAll>().asks::<RevokeOne>()
}

/// A program of the house.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Program {
    /// `svc_…`
    pub(super) id: String,
    /// What it is called.
    #[schemars(with = "String")]
    pub(super) name: SecretText,
    /// Its keys; the keys themselves are not kept.
    pub(super) keys: Vec<Key>,
}

/// A key of a program.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProgramKey")]
pub(crate) struct Key {
    /// To withdraw it by: the beginning of its hash.
    pub(super) id: String,
    /// What it may be used for.
    pub(super) scopes: Vec<&'static str>,
    /// When it was made, in milliseconds since 1970.
    made: u64,
    /// When it ends, in milliseconds since 1970.
    pub(super) expires: u64,
}

impl Program {
    pub(crate) fn of(service: &Service) -> Self {
        let key = |key: &ServiceKey| Key {
            id: key_id(key.hash()),
            scopes: key.scopes().iter().map(|scope| scope.name()).collect(),
            made: key.made().0,
            expires: key.expires().0,
        };
        let keys = service.keys().iter().map(key).collect();
        Self { id: service.id().to_string(), name: service.name().clone(), keys }
    }
}

fn key_id(hash: &TokenHash) -> String {
    hash.as_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn told(service: &Service) -> Reply<Program> {
    Reply::json(Program::of(service)).tagged(&format!("\"{}\"", service.revision()))
}

async fn found(api: &Api, id: &str) -> Result<Service, Problem> {
    let unknown = || Problem::new(Code::NotFound);
    let id: ServiceId = id.parse().map_err(|_| unknown())?;
    let all = api.directory.programs().await?;
    all.into_iter().find(|service| service.id() == id).ok_or_else(unknown)
}

fn managed(api: &Api, id: ServiceId) -> access::Account {
    let staff = AccountId::from_bytes(*id.as_bytes());
    access::Account { tenant: api.gate.tenant.clone(), staff, roles: Vec::new() }
}

/// A program in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfProgram {
    /// `svc_…`
    id: String,
}

/// `GET /admin/v1/programs`
struct All;

impl Route for All {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/programs";
    const WHAT: &'static str = "Every program that has an account";
    type Path = Nothing;
    type Query = Paging;
    type Body = Nothing;
    type Answer = Page<Program>;
}

impl Asks for All {
    type Act = act::AccessReview;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::House, Problem> {
        call.query.limit()?;
        call.query.after::<ServiceId>()?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (limit, after) = (call.query.limit()?, call.query.after::<ServiceId>()?);
        let all = api.directory.programs().await?;
        let later = all.iter().filter(|service| after.is_none_or(|after| service.id() > after));
        let some = later.take(limit.saturating_add(1)).map(Program::of).collect();
        Ok(Reply::json(Page::cut(some, limit, |program| program.id.clone())))
    }
}

/// A program to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewProgram")]
struct Made {
    /// What it is called: 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// Why, in words.
    #[serde(default)]
    reason: Option<String>,
    /// The number of a request or an incident.
    #[serde(default)]
    ticket: Option<String>,
}

/// `POST /admin/v1/programs`
struct Make;

impl Route for Make {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/programs";
    const WHAT: &'static str = "Make an account for a program, without a key";
    const STATUS: u16 = 201;
    const REPEATS: bool = true;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Made;
    type Answer = Program;
}

impl Asks for Make {
    type Act = act::ManageStaff;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::Account, Problem> {
        fit_name(&call.body.name)?;
        Ok(access::Account { tenant: api.gate.tenant.clone(), staff: NEWCOMER, roles: Vec::new() })
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let Made { reason, ticket, .. } = &call.body;
        Ok(Why { reason: reason.clone(), ticket: ticket.clone() }.stated())
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let by = administrator(api, &who)?;
        Ok(told(&api.directory.make_program(call.body.name.trim(), &by).await?))
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewProgramKey")]
struct NewKey {
    /// What it may be used for: `list`, `audit-read`, `access-review`, `policy-read`, `analytics`.
    #[schemars(schema_with = "super::words::scopes")]
    scopes: BTreeSet<Scope>,
    /// How many days it lives: 1 to 366.
    #[schemars(range(min = 1, max = 366))]
    days: u16,
    /// Why, in words.
    #[serde(default)]
    reason: Option<String>,
    /// The number of a request or an incident.
    #[serde(default)]
    ticket: Option<String>,
}

/// A key, as it is shown once.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ShownProgramKey")]
struct ShownKey {
    /// The program as it is now.
    program: Program,
    /// The key: it stands in this answer and nowhere else.
    #[schemars(with = "String")]
    key: SecretText,
}

/// `POST /admin/v1/programs/{id}/keys`
struct MakeKey;

impl Route for MakeKey {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/programs/{id}/keys";
    const WHAT: &'static str = "Make a key for a program; it is shown once";
    const STATUS: u16 = 201;
    const REPEATS: bool = true;
    type Path = OfProgram;
    type Query = Nothing;
    type Body = NewKey;
    type Answer = ShownKey;
}

impl Asks for MakeKey {
    type Act = act::ManageStaff;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::Account, Problem> {
        if call.body.scopes.is_empty() {
            return Err(Problem::new(Code::BadRequest).at("scopes"));
        }
        Ok(managed(api, found(api, &call.path.id).await?.id()))
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let NewKey { reason, ticket, .. } = &call.body;
        Ok(Why { reason: reason.clone(), ticket: ticket.clone() }.stated())
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let by = administrator(api, &who)?;
        let id = ServiceId::from_bytes(*noted.target().staff.as_bytes());
        let life = u64::from(call.body.days) * DAY;
        let made = api
            .directory
            .change_program(id, |service, with| service.make_key(call.body.scopes.clone(), life, &by, with));
        let (service, token) = made.await?;
        let shown = ShownKey { program: Program::of(&service), key: SecretText::new(token.expose()) };
        Ok(Reply::json(shown))
    }
}

/// `DELETE /admin/v1/programs/{id}/keys`
struct RevokeAll;

impl Route for RevokeAll {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/admin/v1/programs/{id}/keys";
    const WHAT: &'static str = "Withdraw every key of a program";
    type Path = OfProgram;
    type Query = Nothing;
    type Body = Why;
    type Answer = Program;
}

impl Asks for RevokeAll {
    type Act = act::ManageStaff;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::Account, Problem> {
        Ok(managed(api, found(api, &call.path.id).await?.id()))
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        Ok(call.body.stated())
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        revoke(api, &noted, &who, None).await
    }
}

/// A key of a program in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfKey {
    /// `svc_…`
    id: String,
    /// The id of the key.
    key: String,
}

/// `DELETE /admin/v1/programs/{id}/keys/{key}`
struct RevokeOne;

impl Route for RevokeOne {
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/admin/v1/programs/{id}/keys/{key}";
    const WHAT: &'static str = "Withdraw one key of a program";
    type Path = OfKey;
    type Query = Nothing;
    type Body = Why;
    type Answer = Program;
}

impl Asks for RevokeOne {
    type Act = act::ManageStaff;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::Account, Problem> {
        let service = found(api, &call.path.id).await?;
        if !service.keys().iter().any(|key| key_id(key.hash()) == call.path.key) {
            return Err(Code::NotFound.into());
        }
        Ok(managed(api, service.id()))
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        Ok(call.body.stated())
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        revoke(api, &noted, &who, Some(&call.path.key)).await
    }
}

async fn revoke(
    api: &Api,
    noted: &Noted<act::ManageStaff>,
    who: &Who,
    key: Option<&str>,
) -> Result<Reply<Program>, Problem> {
    let by = administrator(api, who)?;
    let id = ServiceId::from_bytes(*noted.target().staff.as_bytes());
    let work = |service: Service, with: &mut crate::identity::With<'_>| {
        let hash =
            service.keys().iter().map(|known| *known.hash()).find(|hash| Some(key_id(hash).as_str()) == key);
        let gone = || {
            crate::identity::Refused::new(
                crate::identity::Why::ServiceKeyUnknown,
                crate::identity::Next::StartOver,
            )
        };
        // Withdrawn by somebody else meanwhile: that must not come to mean "all of them".
        if key.is_some() && hash.is_none() {
            return Err(gone());
        }
        let (service, event) = service.revoke(hash.as_ref(), &by, with.now)?;
        Ok((service, (), event))
    };
    match api.directory.change_program(id, work).await {
        Ok((service, ())) => Ok(told(&service)),
        Err(crate::directory::Failed::Refused(refused))
            if refused.why == crate::identity::Why::ServiceKeyUnknown =>
        {
            Err(Problem::new(Code::NotFound).because(refused.why.code()))
        }
        Err(failed) => Err(failed.into()),
    }
}
