//! `/admin/v1/policies`: what is in force, who could do what, and what a change would change.

use chatward_message::Class;
use chatward_policy::access::{
    self, Action, House, Outcome, Recorded, StaffList, act, replay, rights, shipped,
};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{house, word};
use crate::api::call::Nothing;
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::problem::{Code, Problem};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<All>().asks::<Whose>().asks::<Try>()
}

/// The policies in force.
#[derive(Debug, Serialize, JsonSchema)]
struct Policies {
    /// The hash of the whole set, as it stands in every decision's event.
    hash: String,
    /// How many policies there are.
    count: usize,
    /// How many of them are the house's own.
    own: usize,
    /// The files, shipped ones first.
    files: Vec<File>,
}

/// A file of policies.
#[derive(Debug, Serialize, JsonSchema)]
struct File {
    /// Its name.
    name: String,
    /// Whether it came with the program.
    shipped: bool,
    /// The ids of its policies.
    ids: Vec<String>,
    /// Its text.
    text: String,
}

impl File {
    fn of(name: &str, text: &str, shipped: bool) -> Self {
        // What is in force was read and validated: an id stands in `@id("…")` at the beginning of a line.
        let ids = text.lines().filter_map(|line| line.trim().strip_prefix("@id(\"")?.split('"').next());
        Self { name: name.to_owned(), shipped, ids: ids.map(str::to_owned).collect(), text: text.to_owned() }
    }
}

/// `GET /admin/v1/policies`
struct All;

impl Route for All {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/policies";
    const WHAT: &'static str = "The policies in force, shipped and own";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Policies;
}

impl Asks for All {
    type Act = act::PolicyRead;

    async fn target(api: &Api, _who: &mut Who, _call: &Call<Self>) -> Result<House, Problem> {
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let force = api.gate.force.load_full();
        let access = &force.config.access;
        let (count, own) = access.rules.count();
        let ours = shipped().iter().map(|source| File::of(source.name, source.text, true));
        let theirs = access.own.iter().map(|(name, text)| File::of(name, text, false));
        let files = ours.chain(theirs).collect();
        Ok(Reply::json(Policies { hash: access.rules.hash().to_string(), count, own, files }))
    }
}

/// Which rights.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Which {
    /// With data of this class; everything if it is not given.
    class: Option<String>,
    /// Only this action.
    action: Option<String>,
}

impl Which {
    fn read(&self) -> Result<(Option<Class>, Option<Action>), Problem> {
        let named = |word: &str| Class::ALL.into_iter().find(|class| class.name() == word);
        Ok((
            word(self.class.as_deref(), "class", named)?,
            word(self.action.as_deref(), "action", Action::named)?,
        ))
    }
}

/// What a role or a scope could do.
#[derive(Debug, Serialize, JsonSchema)]
struct Could {
    /// `role` or `scope`.
    sort: &'static str,
    /// The role or the scope.
    name: String,
    /// What.
    rights: Vec<Right>,
}

/// Something that could be done.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Right {
    /// The action.
    action: &'static str,
    /// With data of which class, where that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    /// Under which conditions: any one of these.
    when: Vec<String>,
}

impl Right {
    pub(super) fn of(right: &access::Right) -> Self {
        Self {
            action: right.action.name(),
            class: right.class.map(Class::name),
            when: right.demands.iter().map(ToString::to_string).collect(),
        }
    }
}

/// `GET /admin/v1/policies/who`
struct Whose;

impl Route for Whose {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/policies/who";
    const WHAT: &'static str = "What each role and each scope could do, and under which conditions";
    type Path = Nothing;
    type Query = Which;
    type Body = Nothing;
    type Answer = Vec<Could>;
}

impl Asks for Whose {
    type Act = act::PolicyRead;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        call.query.read()?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (class, action) = call.query.read()?;
        let rules = api.policies();
        // Thousands of questions: other requests do not wait for them.
        let all = tokio::task::spawn_blocking(move || {
            let list = StaffList::one_of_each();
            let roles =
                list.staff.iter().flat_map(|entry| entry.roles.iter().map(|role| ("role", role.name())));
            let scopes = list
                .service
                .iter()
                .flat_map(|entry| entry.scopes.iter().map(|scope| ("scope", scope.name())));
            let names: Vec<_> = roles.chain(scopes).collect();
            let could = |((sort, name), (_, actor)): ((&'static str, &str), (String, access::ActorFacts))| {
                let rights = rights(&rules, &actor, action, class).iter().map(Right::of).collect();
                Could { sort, name: name.to_owned(), rights }
            };
            names.into_iter().zip(list.actors()).map(could).collect()
        });
        Ok(Reply::json(all.await.map_err(|_| Problem::new(Code::Internal))?))
    }
}

/// Questions that were asked before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Before {
    /// Recorded questions with their decisions, as `chatward policy try` reads them.
    #[schemars(length(max = 1000))]
    recorded: Vec<serde_json::Value>,
}

/// What would be decided otherwise.
#[derive(Debug, Serialize, JsonSchema)]
struct Changes {
    /// How many questions were asked.
    asked: usize,
    /// How many would now be allowed.
    newly_allowed: usize,
    /// How many would now be refused.
    newly_refused: usize,
    /// How many would be refused for another reason.
    other_reason: usize,
    /// Each that would be decided otherwise.
    changes: Vec<Changed>,
}

/// A question that would be decided otherwise.
#[derive(Debug, Serialize, JsonSchema)]
struct Changed {
    /// Its number among those that were sent, from 0.
    at: usize,
    /// What was decided.
    before: serde_json::Value,
    /// What the policies in force say.
    after: serde_json::Value,
}

/// `POST /admin/v1/policies/try`
struct Try;

impl Route for Try {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/policies/try";
    const WHAT: &'static str = "Ask recorded questions again, of the policies in force";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Before;
    type Answer = Changes;
}

impl Before {
    fn read(&self) -> Result<Vec<Recorded>, Problem> {
        if self.recorded.len() > 1000 {
            return Err(Problem::new(Code::BadRequest).at("recorded"));
        }
        let read = |(at, value): (usize, &serde_json::Value)| {
            Recorded::deserialize(value)
                .map_err(|_| Problem::new(Code::BadRequest).at(format!("recorded[{at}]")))
        };
        self.recorded.iter().enumerate().map(read).collect()
    }
}

impl Asks for Try {
    type Act = act::PolicyRead;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        call.body.read()?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let found = replay(call.body.read()?, None, &api.policies());
        let plain =
            |outcome: &Outcome| serde_json::to_value(outcome).map_err(|_| Problem::new(Code::Internal));
        let change = |change: &access::Change| {
            Ok(Changed { at: change.at, before: plain(&change.before)?, after: plain(&change.after)? })
        };
        let changes = found.changes.iter().map(change).collect::<Result<_, Problem>>()?;
        Ok(Reply::json(Changes {
            asked: found.asked,
            newly_allowed: found.newly_allowed,
            newly_refused: found.newly_refused,
            other_reason: found.other_reason,
            changes,
        }))
    }
}
