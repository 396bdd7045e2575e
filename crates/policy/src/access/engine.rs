//! Facts put to Cedar, and its answer read strictly.
//!
//! Cedar skips a policy that fails to evaluate. For a permit that is safe and only noted; a forbid that fails refuses.
//!
//! Only policies that can matter for the action and the actor are asked ([`super::slice`]), and the store of entities holds
//! just the actor and the target, and the action if a policy looks at it.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema,
};
use chatward_message::Class;
use serde::{Deserialize, Serialize};

use super::facts::{ActorFacts, BrokenGlass, Facts, TargetFacts};
use super::reason::Code;
use super::rules::Rules;
use super::slice::Asked;
use super::words::{Action, Purpose, Role, Scope};

/// Stands for "never" where an age is asked: older than anything.
const NEVER: i64 = i64::MAX;

/// A decision, in the form in which it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why not; the one to act on first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Code>,
    /// The ids of the policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Arc<str>>,
    /// The ids of policies that failed to evaluate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Arc<str>>,
    /// The hash of the set of policies.
    pub policies: Arc<str>,
}

/// A question and its decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// What was asked.
    pub facts: Facts,
    /// What was decided.
    pub outcome: Outcome,
}

/// Which sort of principal somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sort {
    Staff,
    Service,
    Customer,
}

impl Sort {
    pub(crate) const ALL: [Self; 3] = [Self::Staff, Self::Service, Self::Customer];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Staff => "Staff",
            Self::Service => "Service",
            Self::Customer => "Customer",
        }
    }
}

impl ActorFacts {
    pub(crate) fn sort(&self) -> Sort {
        match self {
            Self::Staff { .. } => Sort::Staff,
            Self::Service { .. } => Sort::Service,
            Self::Customer { .. } => Sort::Customer,
        }
    }
}

/// What Cedar is given again and again, made once.
pub(crate) struct Words {
    authorizer: Authorizer,
    staff: EntityTypeName,
    service: EntityUid,
    customer: EntityUid,
    data: EntityUid,
    house: EntityUid,
    of_account: EntityUid,
    roles: Vec<EntityUid>,
    scopes: Vec<EntityUid>,
    classes: Vec<EntityUid>,
    /// In the order of [`Purpose::ALL`], then the one for none.
    purposes: Vec<RestrictedExpression>,
    granted: Vec<RestrictedExpression>,
    /// No request to break the glass.
    whole_glass: RestrictedExpression,
    /// In the order of [`Action::ALL`].
    actions: Vec<(EntityUid, Entity)>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words").finish_non_exhaustive()
    }
}

impl Words {
    /// Fails only if the shipped schema does not have the words of this program.
    pub(crate) fn new(schema: &Schema) -> Result<Self, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let entities = schema.action_entities().map_err(|e| said(&e))?;
        let named = |kind: &str| EntityTypeName::from_str(kind).map_err(|e| said(&e));
        let uid = |kind: &str, id: &str| {
            Ok::<_, String>(EntityUid::from_type_name_and_id(named(kind)?, EntityId::new(id)))
        };
        let all = |kind: &str, ids: Vec<&str>| {
            ids.into_iter().map(|id| uid(kind, id)).collect::<Result<Vec<_>, _>>()
        };
        let literal =
            |uids: Vec<EntityUid>| uids.into_iter().map(RestrictedExpression::new_entity_uid).collect();
        let roles = all("Role", Role::ALL.iter().map(|r| r.name()).collect())?;
        let purposes = Purpose::ALL.iter().map(|p| p.name()).chain(["none"]).collect();
        let mut actions = Vec::new();
        for action in Action::ALL {
            let uid = uid("Action", action.name())?;
            let entity =
                entities.get(&uid).ok_or_else(|| format!("the schema has no action `{}`", action.name()))?;
            actions.push((uid, entity.clone()));
        }
        Ok(Self {
            authorizer: Authorizer::new(),
            staff: named("Staff")?,
            service: uid("Service", "service")?,
            customer: uid("Customer", "customer")?,
            data: uid("Data", "data")?,
            house: uid("House", "house")?,
            of_account: uid("Account", "account")?,
            scopes: all("Scope", Scope::ALL.iter().map(|s| s.name()).collect())?,
            classes: all("Class", Class::ALL.iter().map(|c| c.name()).collect())?,
            purposes: literal(all("Purpose", purposes)?),
            granted: literal(roles.clone()),
            whole_glass: broken(&BrokenGlass { requested: false, approved: false, age: None })
                .ok_or("a record with a field twice")?,
            roles,
            actions,
        })
    }

    /// The facts as Cedar wants them, with the groups that the action is in or without. Fails only if this program and the
    /// schema have grown apart.
    pub(crate) fn question(&self, facts: &Facts, groups: bool) -> Option<(Request, Entities)> {
        let (actor, principal) = self.principal(&facts.actor)?;
        let (target, resource) = self.resource(&facts.target)?;
        let (uid, action) = self.actions.get(facts.action as usize)?;
        let request = Request::new(actor, uid.clone(), target, self.context(facts)?, None).ok()?;
        let all = [principal, resource].into_iter().chain(groups.then(|| action.clone()));
        // Adding to an empty store gives the same as making one of them, for half the time.
        Some((request, Entities::empty().add_entities(all, None).ok()?))
    }

    fn principal(&self, actor: &ActorFacts) -> Option<(EntityUid, Entity)> {
        let tenant = ("tenant".to_owned(), string(actor.tenant().as_str()));
        let (uid, parents, more) = match actor {
            ActorFacts::Staff { id, roles, .. } => {
                let id = EntityId::new(id.to_string());
                (EntityUid::from_type_name_and_id(self.staff.clone(), id), self.in_roles(roles), None)
            }
            ActorFacts::Service { scopes, .. } => {
                let parents = scopes.iter().filter_map(|s| self.scopes.get(*s as usize).cloned()).collect();
                (self.service.clone(), parents, None)
            }
            ActorFacts::Customer { anonymous, .. } => {
                let anonymous = ("anonymous".to_owned(), RestrictedExpression::new_bool(*anonymous));
                (self.customer.clone(), vec![], Some(anonymous))
            }
        };
        let attributes = [tenant].into_iter().chain(more);
        Some((uid.clone(), Entity::new_with_tags(uid, attributes, parents, []).ok()?))
    }

    fn resource(&self, target: &TargetFacts) -> Option<(EntityUid, Entity)> {
        let mut attributes = Vec::with_capacity(4);
        attributes.push(("tenant".to_owned(), string(target.tenant().as_str())));
        let (uid, parents) = match target {
            TargetFacts::Data { own, restricted, class, kind, .. } => {
                attributes.push(("own".to_owned(), RestrictedExpression::new_bool(*own)));
                attributes.push(("restricted".to_owned(), RestrictedExpression::new_bool(*restricted)));
                attributes.extend(kind.iter().map(|kind| ("kind".to_owned(), string(kind.as_str()))));
                let class = class.and_then(|class| self.classes.get(class as usize).cloned());
                (self.data.clone(), class.into_iter().collect())
            }
            TargetFacts::Account { own, roles, granted, .. } => {
                attributes.push(("own".to_owned(), RestrictedExpression::new_bool(*own)));
                let granted = granted.and_then(|role| self.granted.get(role as usize));
                attributes.extend(granted.map(|role| ("granted".to_owned(), role.clone())));
                (self.of_account.clone(), self.in_roles(roles))
            }
            TargetFacts::House { .. } => (self.house.clone(), vec![]),
        };
        Some((uid.clone(), Entity::new_with_tags(uid, attributes, parents, []).ok()?))
    }

    fn in_roles(&self, roles: &BTreeSet<Role>) -> Vec<EntityUid> {
        roles.iter().filter_map(|role| self.roles.get(*role as usize).cloned()).collect()
    }

    fn context(&self, facts: &Facts) -> Option<Context> {
        let purpose = self.purposes.get(facts.purpose.map_or(Purpose::ALL.len(), |p| p as usize))?;
        let flag = RestrictedExpression::new_bool;
        let glass = match &facts.break_glass {
            Some(glass) => broken(glass)?,
            None => self.whole_glass.clone(),
        };
        Context::from_pairs([
            ("purpose".to_owned(), purpose.clone()),
            ("second_factor".to_owned(), flag(facts.second_factor.is_some())),
            ("second_factor_age".to_owned(), age(facts.second_factor)),
            ("reason".to_owned(), flag(facts.reason)),
            ("ticket".to_owned(), flag(facts.ticket)),
            ("break_glass".to_owned(), glass),
        ])
        .ok()
    }
}

fn broken(glass: &BrokenGlass) -> Option<RestrictedExpression> {
    let fields = [
        ("requested".to_owned(), RestrictedExpression::new_bool(glass.requested)),
        ("approved".to_owned(), RestrictedExpression::new_bool(glass.approved)),
        ("age".to_owned(), age(glass.age)),
    ];
    RestrictedExpression::new_record(fields).ok()
}

fn age(seconds: Option<u32>) -> RestrictedExpression {
    RestrictedExpression::new_long(seconds.map_or(NEVER, i64::from))
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

/// Names of policies.
type Ids = Vec<Arc<str>>;

/// Which policies said something.
#[derive(Default)]
struct Said {
    by: Vec<PolicyId>,
    failed: Vec<PolicyId>,
}

impl Words {
    fn ask(&self, request: &Request, entities: &Entities, policies: &PolicySet) -> Said {
        let response = self.authorizer.is_authorized(request, policies, entities);
        let diagnostics = response.diagnostics();
        let by = diagnostics.reason().cloned().collect();
        let failed = diagnostics
            .errors()
            .map(|AuthorizationError::PolicyEvaluationError(error)| error.policy_id().clone());
        let failed = failed.collect();
        Said { by, failed }
    }
}

/// A question, and what is asked.
struct Put<'a> {
    words: &'a Words,
    asked: &'a Asked,
    request: Request,
    entities: Entities,
}

impl<'a> Put<'a> {
    fn new(words: &'a Words, asked: &'a Asked, facts: &Facts) -> Option<Self> {
        let (request, entities) = words.question(facts, asked.groups_of_action)?;
        Some(Self { words, asked, request, entities })
    }

    fn permits(&self) -> Said {
        self.words.ask(&self.request, &self.entities, &self.asked.permits)
    }

    /// Whether anything permits if these facts are given with the question. Actor, action and target are the same.
    fn permits_given(&self, facts: &Facts) -> bool {
        let uid = |uid: Option<&EntityUid>| uid.cloned();
        let request = || {
            let (actor, action) = (uid(self.request.principal())?, uid(self.request.action())?);
            let target = uid(self.request.resource())?;
            Request::new(actor, action, target, self.words.context(facts)?, None).ok()
        };
        request().is_some_and(|request| {
            !self.words.ask(&request, &self.entities, &self.asked.permits).by.is_empty()
        })
    }

    /// Forbids by themselves or in groups: enough to see whether there is any.
    fn forbids_or_groups(&self) -> Said {
        self.words.ask(&self.request, &self.entities, &self.asked.forbids)
    }

    /// Every forbid that is true or fails. Asks a group one by one where one of it must be.
    fn forbids(&self) -> Said {
        let mut said = Said::default();
        let Said { by, failed } = self.forbids_or_groups();
        for (id, is_true) in
            by.into_iter().map(|id| (id, true)).chain(failed.into_iter().map(|id| (id, false)))
        {
            if let Some(group) = self.asked.groups.get(&id) {
                let Said { by, failed } = self.words.ask(&self.request, &self.entities, group);
                said.by.extend(by);
                said.failed.extend(failed);
            } else if is_true {
                said.by.push(id);
            } else {
                said.failed.push(id);
            }
        }
        said
    }
}

impl Rules {
    /// Decides on facts. [`Rules::decide`] is the way to a proof; this is the way to look at policies: to replay, to
    /// review, to test.
    pub fn judge(&self, facts: &Facts) -> Outcome {
        let Some(slice) = self.slice(facts) else {
            return self.refused(vec![Code::RoleMissing]);
        };
        let asked = slice.asked(&self.all, &facts.actor);
        let Some(put) = asked.and_then(|asked| Put::new(&self.words, asked, facts)) else {
            return self.refused(vec![Code::PolicyError]);
        };
        let (permits, forbids) = (put.permits(), put.forbids());
        let mut reasons: BTreeSet<Code> = forbids.by.iter().map(|id| self.code(id, facts)).collect();
        if !forbids.failed.is_empty() {
            reasons.insert(Code::PolicyError);
        }
        if permits.by.is_empty() {
            reasons.extend(Self::what_is_missing(facts, &put));
        }
        let allowed = reasons.is_empty();
        Outcome {
            allowed,
            reasons: reasons.into_iter().collect(),
            by: self.ids(if allowed { permits.by } else { forbids.by }),
            failed: self.ids(permits.failed.into_iter().chain(forbids.failed)),
            policies: Arc::clone(&self.hash),
        }
    }

    fn put(&self, facts: &Facts) -> Option<Put<'_>> {
        Put::new(&self.words, self.slice(facts)?.asked(&self.all, &facts.actor)?, facts)
    }

    /// Whether it would be allowed, without the reasons why not.
    pub(crate) fn allows(&self, facts: &Facts) -> bool {
        let Some(asked) = self.slice(facts).and_then(|slice| slice.asked(&self.all, &facts.actor)) else {
            return false;
        };
        if asked.permits.is_empty() {
            return false;
        }
        let Some(put) = Put::new(&self.words, asked, facts) else { return false };
        if put.permits().by.is_empty() {
            return false;
        }
        let forbids = put.forbids_or_groups();
        forbids.by.is_empty() && forbids.failed.is_empty()
    }

    /// Which permits and which forbids fit these facts, and whether a forbid failed; none where there is no such question.
    pub(crate) fn fitting(&self, facts: &Facts) -> Option<(Ids, Ids, bool)> {
        let put = self.put(facts)?;
        let (permits, forbids) = (put.permits(), put.forbids());
        Some((self.ids(permits.by), self.ids(forbids.by), !forbids.failed.is_empty()))
    }

    /// Whether this set alone permits.
    pub(crate) fn permits(&self, facts: &Facts, set: &PolicySet) -> bool {
        let asked = self.words.question(facts, true);
        asked.is_some_and(|(request, entities)| !self.words.ask(&request, &entities, set).by.is_empty())
    }

    fn refused(&self, reasons: Vec<Code>) -> Outcome {
        let policies = Arc::clone(&self.hash);
        Outcome { allowed: false, reasons, by: vec![], failed: vec![], policies }
    }

    pub(super) fn ids(&self, ids: impl IntoIterator<Item = PolicyId>) -> Vec<Arc<str>> {
        let mut ids: Vec<Arc<str>> =
            ids.into_iter().filter_map(|id| Some(self.rule(&id)?.id.clone())).collect();
        ids.sort();
        ids
    }

    /// The reason a forbid carries. That a factor is too old is said of one that was shown.
    pub(super) fn code(&self, id: &PolicyId, facts: &Facts) -> Code {
        match self.rule(id).and_then(|rule| rule.reason) {
            Some(Code::SecondFactorStale) if facts.second_factor.is_none() => Code::SecondFactorMissing,
            Some(code) => code,
            None => Code::HouseRule,
        }
    }

    /// No permit applies: what the asker could add so that one would. The policies themselves are asked, so the answer is
    /// never a guess.
    fn what_is_missing(facts: &Facts, put: &Put<'_>) -> Vec<Code> {
        // Where no permit is for the asker's roles, nothing that is added helps.
        let none = put.asked.permits.is_empty();
        let found = easier(facts).take_while(|_| !none).find(|(changed, _)| put.permits_given(changed));
        found.map_or_else(|| vec![Code::RoleMissing], |(_, codes)| codes)
    }
}

/// The same facts with more given, least first, and what each change is called. Nothing but what is given with a question
/// changes: actor, action and target stay.
pub(super) fn easier(facts: &Facts) -> impl Iterator<Item = (Facts, Vec<Code>)> {
    let now = facts.purpose;
    let others = Purpose::ALL.iter().copied().map(Some).filter(move |purpose| *purpose != now);
    let purposes: Vec<Option<Purpose>> = [now].into_iter().chain(others).collect();
    let about_data = matches!(facts.target, TargetFacts::Data { .. });
    let glasses: &[bool] = if about_data { &[false, true] } else { &[false] };
    let ways = glasses.iter().flat_map(|glass| More::ALL.map(|more| (*glass, more)));
    let ways = ways.flat_map(move |(glass, more)| {
        purposes.clone().into_iter().map(move |purpose| (glass, more, purpose))
    });
    ways.filter_map(move |(glass, more, purpose)| changed(facts, glass, more, purpose))
}

/// The facts changed in one of the ways; none where they already were so.
fn changed(
    facts: &Facts,
    break_glass: bool,
    more: More,
    purpose: Option<Purpose>,
) -> Option<(Facts, Vec<Code>)> {
    let mut changed = Facts { purpose, ..facts.clone() };
    let mut codes = BTreeSet::new();
    if purpose != facts.purpose {
        codes.insert(if facts.purpose.is_some() { Code::PurposeNotAllowed } else { Code::PurposeMissing });
    }
    codes.extend(more.give(&mut changed));
    if break_glass {
        changed.break_glass = Some(BrokenGlass { requested: true, approved: true, age: Some(0) });
        codes.insert(Code::NeedsSecondPerson);
    }
    (changed != *facts).then(|| (changed, codes.into_iter().collect()))
}

/// One thing more that an asker can give.
#[derive(Clone, Copy)]
enum More {
    Nothing,
    Reason,
    Ticket,
    Factor,
}

impl More {
    const ALL: [Self; 4] = [Self::Nothing, Self::Reason, Self::Ticket, Self::Factor];

    fn give(self, facts: &mut Facts) -> Option<Code> {
        match self {
            Self::Nothing => None,
            Self::Reason => (!std::mem::replace(&mut facts.reason, true)).then_some(Code::ReasonMissing),
            Self::Ticket => (!std::mem::replace(&mut facts.ticket, true)).then_some(Code::TicketMissing),
            Self::Factor => match facts.second_factor.replace(0) {
                None => Some(Code::SecondFactorMissing),
                Some(0) => None,
                Some(_) => Some(Code::SecondFactorStale),
            },
        }
    }
}
