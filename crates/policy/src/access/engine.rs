//! Facts put to Cedar, and its answer read strictly.
//!
//! Cedar skips a policy that fails to evaluate. For a permit that is safe and only noted; a forbid that fails refuses.
//!
//! Only policies that can matter for the action and the sort of actor are asked (they are put aside when the set is
//! loaded), and the store of entities holds just the actor, the target and the action.

use std::collections::{BTreeSet, HashMap, HashSet};
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

/// The policies that can matter for one action and one sort of actor.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    pub permits: PolicySet,
    pub forbids: PolicySet,
    /// For whom the permits are.
    pub whom: Vec<Whom>,
}

/// For whom a permit is, as far as its head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    Anyone,
    Role(Role),
    Scope(Scope),
}

impl Whom {
    fn fits(self, actor: &ActorFacts) -> bool {
        match (self, actor) {
            (Self::Anyone, _) => true,
            (Self::Role(role), ActorFacts::Staff { roles, .. }) => roles.contains(&role),
            (Self::Scope(scope), ActorFacts::Service { scopes, .. }) => scopes.contains(&scope),
            _ => false,
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
            roles,
            actions,
        })
    }

    /// The facts as Cedar wants them. Fails only if this program and the schema have grown apart.
    pub(crate) fn question(&self, facts: &Facts) -> Option<(Request, Entities)> {
        let (actor, principal) = self.principal(&facts.actor)?;
        let (target, resource) = self.resource(&facts.target)?;
        let (uid, action) = self.actions.get(facts.action as usize)?;
        let request = Request::new(actor, uid.clone(), target, self.context(facts)?, None).ok()?;
        let entities = Entities::from_entities([principal, resource, action.clone()], None).ok()?;
        Some((request, entities))
    }

    fn principal(&self, actor: &ActorFacts) -> Option<(EntityUid, Entity)> {
        let mut attributes = HashMap::with_capacity(2);
        attributes.insert("tenant".to_owned(), string(actor.tenant().as_str()));
        let (uid, parents) = match actor {
            ActorFacts::Staff { id, roles, .. } => {
                let id = EntityId::new(id.to_string());
                (EntityUid::from_type_name_and_id(self.staff.clone(), id), self.in_roles(roles))
            }
            ActorFacts::Service { scopes, .. } => {
                let parents = scopes.iter().filter_map(|s| self.scopes.get(*s as usize).cloned()).collect();
                (self.service.clone(), parents)
            }
            ActorFacts::Customer { anonymous, .. } => {
                attributes.insert("anonymous".to_owned(), RestrictedExpression::new_bool(*anonymous));
                (self.customer.clone(), HashSet::new())
            }
        };
        Some((uid.clone(), Entity::new(uid, attributes, parents).ok()?))
    }

    fn resource(&self, target: &TargetFacts) -> Option<(EntityUid, Entity)> {
        let mut attributes = HashMap::with_capacity(4);
        attributes.insert("tenant".to_owned(), string(target.tenant().as_str()));
        let (uid, parents) = match target {
            TargetFacts::Data { own, restricted, class, kind, .. } => {
                attributes.insert("own".to_owned(), RestrictedExpression::new_bool(*own));
                attributes.insert("restricted".to_owned(), RestrictedExpression::new_bool(*restricted));
                if let Some(kind) = kind {
                    attributes.insert("kind".to_owned(), string(kind.as_str()));
                }
                let class = class.and_then(|class| self.classes.get(class as usize).cloned());
                (self.data.clone(), class.into_iter().collect())
            }
            TargetFacts::Account { own, roles, granted, .. } => {
                attributes.insert("own".to_owned(), RestrictedExpression::new_bool(*own));
                if let Some(granted) = granted.and_then(|role| self.granted.get(role as usize)) {
                    attributes.insert("granted".to_owned(), granted.clone());
                }
                (self.of_account.clone(), self.in_roles(roles))
            }
            TargetFacts::House { .. } => (self.house.clone(), HashSet::new()),
        };
        Some((uid.clone(), Entity::new(uid, attributes, parents).ok()?))
    }

    fn in_roles(&self, roles: &BTreeSet<Role>) -> HashSet<EntityUid> {
        roles.iter().filter_map(|role| self.roles.get(*role as usize).cloned()).collect()
    }

    fn context(&self, facts: &Facts) -> Option<Context> {
        let purpose = self.purposes.get(facts.purpose.map_or(Purpose::ALL.len(), |p| p as usize))?;
        let glass = facts.break_glass.unwrap_or(BrokenGlass { requested: false, approved: false, age: None });
        let flag = RestrictedExpression::new_bool;
        let age = |seconds: Option<u32>| RestrictedExpression::new_long(seconds.map_or(NEVER, i64::from));
        let glass = RestrictedExpression::new_record([
            ("requested".to_owned(), flag(glass.requested)),
            ("approved".to_owned(), flag(glass.approved)),
            ("age".to_owned(), age(glass.age)),
        ]);
        Context::from_pairs([
            ("purpose".to_owned(), purpose.clone()),
            ("second_factor".to_owned(), flag(facts.second_factor.is_some())),
            ("second_factor_age".to_owned(), age(facts.second_factor)),
            ("reason".to_owned(), flag(facts.reason)),
            ("ticket".to_owned(), flag(facts.ticket)),
            ("break_glass".to_owned(), glass.ok()?),
        ])
        .ok()
    }
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

/// Names of policies.
type Ids = Vec<Arc<str>>;

/// Which policies said something.
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

impl Rules {
    /// Decides on facts. [`Rules::decide`] is the way to a proof; this is the way to look at policies: to replay, to
    /// review, to test.
    pub fn judge(&self, facts: &Facts) -> Outcome {
        let Some(slice) = self.slice(facts) else {
            return self.refused(vec![Code::RoleMissing]);
        };
        let Some((request, entities)) = self.words.question(facts) else {
            return self.refused(vec![Code::PolicyError]);
        };
        let permits = self.words.ask(&request, &entities, &slice.permits);
        let forbids = self.words.ask(&request, &entities, &slice.forbids);
        let mut reasons: BTreeSet<Code> = forbids.by.iter().map(|id| self.code(id, facts)).collect();
        if !forbids.failed.is_empty() {
            reasons.insert(Code::PolicyError);
        }
        if permits.by.is_empty() {
            reasons.extend(self.what_is_missing(facts, slice));
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

    /// Whether it would be allowed, without the reasons why not.
    pub(crate) fn allows(&self, facts: &Facts) -> bool {
        let Some(slice) = self.slice(facts) else { return false };
        if !slice.whom.iter().any(|whom| whom.fits(&facts.actor)) {
            return false;
        }
        let Some((request, entities)) = self.words.question(facts) else { return false };
        if self.words.ask(&request, &entities, &slice.permits).by.is_empty() {
            return false;
        }
        let forbids = self.words.ask(&request, &entities, &slice.forbids);
        forbids.by.is_empty() && forbids.failed.is_empty()
    }

    /// Which permits and which forbids fit these facts, and whether a forbid failed; none where there is no such question.
    pub(crate) fn fitting(&self, facts: &Facts) -> Option<(Ids, Ids, bool)> {
        let slice = self.slice(facts)?;
        let (request, entities) = self.words.question(facts)?;
        let permits = self.words.ask(&request, &entities, &slice.permits);
        let forbids = self.words.ask(&request, &entities, &slice.forbids);
        Some((self.ids(permits.by), self.ids(forbids.by), !forbids.failed.is_empty()))
    }

    /// Whether this set alone permits.
    pub(crate) fn permits(&self, facts: &Facts, set: &PolicySet) -> bool {
        let asked = self.words.question(facts);
        asked.is_some_and(|(request, entities)| !self.words.ask(&request, &entities, set).by.is_empty())
    }

    fn refused(&self, reasons: Vec<Code>) -> Outcome {
        let policies = Arc::clone(&self.hash);
        Outcome { allowed: false, reasons, by: vec![], failed: vec![], policies }
    }

    fn ids(&self, ids: impl IntoIterator<Item = PolicyId>) -> Vec<Arc<str>> {
        let mut ids: Vec<Arc<str>> =
            ids.into_iter().filter_map(|id| Some(self.rule(&id)?.id.clone())).collect();
        ids.sort();
        ids
    }

    /// The reason a forbid carries. That a factor is too old is said of one that was shown.
    fn code(&self, id: &PolicyId, facts: &Facts) -> Code {
        match self.rule(id).and_then(|rule| rule.reason) {
            Some(Code::SecondFactorStale) if facts.second_factor.is_none() => Code::SecondFactorMissing,
            Some(code) => code,
            None => Code::HouseRule,
        }
    }

    /// No permit applies: what the asker could add so that one would. The policies themselves are asked, so the answer is
    /// never a guess.
    fn what_is_missing(&self, facts: &Facts, slice: &Slice) -> Vec<Code> {
        if !slice.whom.iter().any(|whom| whom.fits(&facts.actor)) {
            return vec![Code::RoleMissing];
        }
        for (changed, codes) in easier(facts) {
            if self.permits(&changed, &slice.permits) {
                return codes;
            }
        }
        vec![Code::RoleMissing]
    }
}

/// The same facts with more given, least first, and what each change is called.
fn easier(facts: &Facts) -> Vec<(Facts, Vec<Code>)> {
    let now = facts.purpose;
    let others = Purpose::ALL.iter().copied().map(Some).filter(|purpose| *purpose != now);
    let purposes: Vec<Option<Purpose>> = [now].into_iter().chain(others).collect();
    let about_data = matches!(facts.target, TargetFacts::Data { .. });
    let mut all = Vec::new();
    for break_glass in [false, true] {
        if break_glass && !about_data {
            break;
        }
        for more in [More::Nothing, More::Reason, More::Ticket, More::Factor] {
            for purpose in &purposes {
                let mut changed = Facts { purpose: *purpose, ..facts.clone() };
                let mut codes = BTreeSet::new();
                if *purpose != now {
                    codes.insert(if now.is_some() { Code::PurposeNotAllowed } else { Code::PurposeMissing });
                }
                codes.extend(more.give(&mut changed));
                if break_glass {
                    changed.break_glass = Some(BrokenGlass { requested: true, approved: true, age: Some(0) });
                    codes.insert(Code::NeedsSecondPerson);
                }
                if changed != *facts {
                    all.push((changed, codes.into_iter().collect()));
                }
            }
        }
    }
    all
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
