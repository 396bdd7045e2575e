//! `GET /admin/v1/access-review`: who could see what, and when they last did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chatward_message::AccountId;
use chatward_policy::access::{ActorFacts, House, Role, Rules, Scope, act, rights};
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::house;
use super::policies::Right;
use super::programs::Program;
use super::staff::Person;
use crate::api::call::{Nothing, Paging};
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::directory::Seen;
use crate::identity::{Holder, State};
use crate::problem::{Code, Problem};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<Review>()
}

/// Everybody, and what they could see.
#[derive(Debug, Serialize, JsonSchema)]
struct Reviewed {
    /// The policies that say so.
    policies: String,
    /// Members of staff, in order of id.
    staff: Vec<Member>,
    /// Programs: all of them, on the first page.
    programs: Vec<Machine>,
    /// To be given as `after` for more members of staff; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A member of staff.
#[derive(Debug, Serialize, JsonSchema)]
struct Member {
    /// The account.
    account: Person,
    /// What it could do; nothing if it cannot sign in.
    rights: Vec<Right>,
    /// What it did last.
    last: Vec<Last>,
}

/// A program.
#[derive(Debug, Serialize, JsonSchema)]
struct Machine {
    /// The account.
    program: Program,
    /// What its keys that have not expired could do, all together.
    rights: Vec<Right>,
    /// What it did last.
    last: Vec<Last>,
}

/// When something was done last.
#[derive(Debug, Serialize, JsonSchema)]
struct Last {
    /// The action, and the class of data if there is one: `reveal identity`.
    what: String,
    /// When, in milliseconds since 1970.
    at: u64,
}

fn last(seen: &Seen) -> Vec<Last> {
    seen.iter().map(|(what, at)| Last { what: what.to_owned(), at: at.0 }).collect()
}

/// What holders of a set of roles or scopes could do: asked once for each set.
#[derive(Default)]
struct Rights {
    staff: BTreeMap<BTreeSet<Role>, Vec<Right>>,
    programs: BTreeMap<BTreeSet<Scope>, Vec<Right>>,
}

impl Rights {
    fn find(mut self, rules: &Rules, tenant: &chatward_message::TenantId) -> Self {
        let shown = |actor| rights(rules, &actor, None, None).iter().map(Right::of).collect();
        for (roles, could) in &mut self.staff {
            let id = AccountId::from_bytes([0; 16]);
            *could = shown(ActorFacts::Staff { id, tenant: tenant.clone(), roles: roles.clone() });
        }
        for (scopes, could) in &mut self.programs {
            let id = chatward_message::ServiceId::from_bytes([0; 16]);
            *could = shown(ActorFacts::Service { id, tenant: tenant.clone(), scopes: scopes.clone() });
        }
        self
    }
}

/// `GET /admin/v1/access-review`
struct Review;

impl Route for Review {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/access-review";
    const WHAT: &'static str =
        "Every account of staff and every program: what it could see, and when it last did";
    type Path = Nothing;
    type Query = Paging;
    type Body = Nothing;
    type Answer = Reviewed;
}

impl Asks for Review {
    type Act = act::AccessReview;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        call.query.limit()?;
        call.query.after::<AccountId>()?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (limit, now) = (call.query.limit()?, api.directory.now());
        let mut held = api.directory.staff(call.query.after()?, limit.saturating_add(1)).await?;
        let more = held.len() > limit;
        held.truncate(limit);
        let next = held.last().filter(|_| more).map(|held| held.account.id().to_string());
        let services = if call.query.after.is_none() { api.directory.programs().await? } else { Vec::new() };

        let mut found = Rights::default();
        let roles_of = |held: &crate::directory::Held| match (held.account.holder(), held.account.state()) {
            (Holder::Staff { roles, .. }, State::Active | State::Invited { .. }) => roles.clone(),
            _ => BTreeSet::new(),
        };
        let scopes_of = |service: &crate::identity::service::Service| {
            let live = service.keys().iter().filter(|key| key.expires() > now);
            live.flat_map(|key| key.scopes().iter().copied()).collect::<BTreeSet<_>>()
        };
        found.staff.extend(held.iter().map(|held| (roles_of(held), Vec::new())));
        found.programs.extend(services.iter().map(|service| (scopes_of(service), Vec::new())));
        let (rules, tenant) = (api.policies(), api.gate.tenant.clone());
        let policies = rules.hash().to_string();
        let asked = Arc::clone(&rules);
        // Thousands of questions: other requests do not wait for them.
        let found = tokio::task::spawn_blocking(move || found.find(&asked, &tenant));
        let found = found.await.map_err(|_| Problem::new(Code::Internal))?;

        let (mut staff, mut programs) = (Vec::new(), Vec::new());
        for held in &held {
            let seen = api.directory.seen(*held.account.id().as_bytes()).await?;
            let rights = found.staff.get(&roles_of(held)).cloned().unwrap_or_default();
            staff.push(Member { account: Person::of(&held.account), rights, last: last(&seen) });
        }
        for service in &services {
            let seen = api.directory.seen(*service.id().as_bytes()).await?;
            let rights = found.programs.get(&scopes_of(service)).cloned().unwrap_or_default();
            programs.push(Machine { program: Program::of(service), rights, last: last(&seen) });
        }
        Ok(Reply::json(Reviewed { policies, staff, programs, next }))
    }
}
