//! `/admin/v1/break-glass`: seeing, with another's agreement, what one's role does not show.

use chatward_message::{AccountId, BreakGlassId, Subject};
use chatward_policy::access::{House, Purpose, Record, act};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{customer, house, record, word, written};
use crate::api::call::{Nothing, Page, Paging, Stated};
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::directory::{Glass, KeptGlass};
use crate::identity::secret::SecretText;
use crate::problem::{Code, Problem};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Ask>().asks::<All>().asks::<One>().asks::<Approve>()
}

/// A request to break the glass.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BreakGlassRequest")]
struct Request {
    /// `glass_…`
    id: String,
    /// `cust_…`
    customer: String,
    /// What for.
    purpose: &'static str,
    /// Why, in words; for members of staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    reason: Option<SecretText>,
    /// The number of a request or an incident; for members of staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    ticket: Option<SecretText>,
    /// Who asks.
    requested_by: String,
    /// Since when, in milliseconds since 1970.
    requested: u64,
    /// Who agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    /// When, in milliseconds since 1970. It counts for an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<u64>,
}

impl Request {
    fn of(kept: &KeptGlass, who: &Who) -> Self {
        let KeptGlass { id, glass, .. } = kept;
        // A program sees that there are requests; what people wrote is for people.
        let person = matches!(who, Who::Staff(_) | Who::Bootstrap);
        Self {
            id: id.to_string(),
            customer: glass.customer.to_string(),
            purpose: glass.purpose.name(),
            reason: person.then(|| glass.reason.clone()),
            ticket: person.then(|| glass.ticket.clone()),
            requested_by: glass.requested_by.to_string(),
            requested: glass.requested.0,
            approved_by: glass.approved.map(|approval| approval.by.to_string()),
            approved: glass.approved.map(|approval| approval.at.0),
        }
    }
}

/// The two people of a request have accounts, both of them.
fn person(who: &Who) -> Result<(AccountId, Subject), Problem> {
    match who {
        Who::Staff(present) => Ok((present.account.id(), present.account.subject())),
        _ => Err(Problem::new(Code::NotAllowed).because("not-staff")),
    }
}

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BreakGlassQuestion")]
struct Asked {
    /// `cust_…`
    customer: String,
    /// `support`, `security`, `privacy-request`, `training`, `audit` or `operation`.
    #[schemars(schema_with = "super::words::purpose")]
    purpose: String,
    /// Why, in words. The customer can read it.
    reason: String,
    /// The number of a request or an incident.
    ticket: String,
}

/// `POST /admin/v1/break-glass`
struct Ask;

impl Route for Ask {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/break-glass";
    const WHAT: &'static str = "Ask to see what one's role does not show; somebody else has to agree";
    const STATUS: u16 = 201;
    const REPEATS: bool = true;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Asked;
    type Answer = Request;
}

impl Asks for Ask {
    type Act = act::BreakGlass;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        for (field, text) in [("reason", &call.body.reason), ("ticket", &call.body.ticket)] {
            if !(1..=1000).contains(&text.trim().chars().count()) {
                return Err(Problem::new(Code::BadRequest).at(field));
            }
        }
        customer(api, &call.body.customer).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let Asked { purpose, reason, ticket, .. } = &call.body;
        Ok(Stated {
            purpose: word(Some(purpose), "purpose", Purpose::named)?,
            reason: written(Some(reason)),
            ticket: written(Some(ticket)),
            break_glass: None,
        })
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (account, subject) = person(&who)?;
        let purpose =
            noted.allowed().purpose().ok_or_else(|| Problem::new(Code::BadRequest).at("purpose"))?;
        let glass = Glass {
            customer: noted.target().customer,
            purpose,
            reason: SecretText::new(call.body.reason.trim()),
            ticket: SecretText::new(call.body.ticket.trim()),
            requested_by: account,
            requested: api.directory.now(),
            approved: None,
        };
        let kept = api.directory.ask_to_break_glass(glass, subject).await?;
        Ok(Reply::json(Request::of(&kept, &who)))
    }
}

/// `GET /admin/v1/break-glass`
struct All;

impl Route for All {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/break-glass";
    const WHAT: &'static str = "Every request to break the glass";
    type Path = Nothing;
    type Query = Paging;
    type Body = Nothing;
    type Answer = Page<Request>;
}

impl Asks for All {
    type Act = act::AuditRead;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        call.query.limit()?;
        call.query.after::<BreakGlassId>()?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let limit = call.query.limit()?;
        let found = api.directory.glasses(call.query.after()?, limit.saturating_add(1)).await?;
        let items = found.iter().map(|kept| Request::of(kept, &who)).collect();
        Ok(Reply::json(Page::cut(items, limit, |request| request.id.clone())))
    }
}

/// A request in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfGlass {
    /// `glass_…`
    id: String,
}

impl OfGlass {
    async fn kept(&self, api: &Api) -> Result<KeptGlass, Problem> {
        let id: BreakGlassId = self.id.parse().map_err(|_| Problem::new(Code::NotFound))?;
        api.directory.glass(id).await?.ok_or_else(|| Code::NotFound.into())
    }
}

/// `GET /admin/v1/break-glass/{id}`: for who asked, to see whether somebody agreed. It is a look at that customer, for the
/// purpose of the request.
struct One;

impl Route for One {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/break-glass/{id}";
    const WHAT: &'static str = "One request to break the glass";
    type Path = OfGlass;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Request;
}

impl Asks for One {
    type Act = act::List;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        record(api, call.path.kept(api).await?.glass.customer).await
    }

    async fn given(api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let purpose = Some(call.path.kept(api).await?.glass.purpose);
        Ok(Stated { purpose, ..Stated::default() })
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(Request::of(&call.path.kept(api).await?, &who)))
    }
}

/// `POST /admin/v1/break-glass/{id}/approve`
struct Approve;

impl Route for Approve {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/break-glass/{id}/approve";
    const WHAT: &'static str =
        "Agree to another's request: single values of this customer open to them for an hour";
    type Path = OfGlass;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Request;
}

impl Asks for Approve {
    type Act = act::ApproveBreakGlass;

    async fn target(api: &Api, who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        person(who)?;
        record(api, call.path.kept(api).await?.glass.customer).await
    }

    async fn given(api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let glass = call.path.kept(api).await?.glass;
        let break_glass = Some(glass.facts(api.directory.now()));
        Ok(Stated { purpose: Some(glass.purpose), break_glass, ..Stated::default() })
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let kept = call.path.kept(api).await?;
        let kept = api.directory.approve_glass(kept, person(&who)?).await?;
        Ok(Reply::json(Request::of(&kept, &who)))
    }
}
