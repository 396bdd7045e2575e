//! Policies put aside for the questions that they can matter to.
//!
//! For an action and a sort of actor only those count whose head leaves room for both; of these, only those that are for
//! a role or scope which the actor has. Any other is false for the question, whatever else it says, and cannot fail: Cedar
//! would not get beyond its head. In doubt a policy is asked.
//!
//! Forbids are asked in groups first. Almost always none of them is true, and then one answer stands for all of a group;
//! where one is true or fails, its group is asked one by one, so that every reason is named.

use std::collections::HashMap;
use std::sync::OnceLock;

use cedar_policy::{Policy, PolicyId, PolicySet};

use super::facts::ActorFacts;
use super::lean;
use super::rules::Rule;
use super::words::{Role, Scope};

/// How many forbids are asked as one. More make an allowed question cheaper, and a refused one dearer.
const GROUP: usize = 4;

/// For whom a policy is, as far as its head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Anyone of the sort of actor that it was put aside for.
    Anyone,
    /// Whoever holds this role.
    Role(Role),
    /// Whoever's key is for this.
    Scope(Scope),
    /// The head has to be asked.
    Unsaid,
}

impl Whom {
    fn may_fit(self, actor: &ActorFacts) -> bool {
        match (self, actor) {
            (Self::Anyone | Self::Unsaid, _) => true,
            (Self::Role(role), ActorFacts::Staff { roles, .. }) => roles.contains(&role),
            (Self::Scope(scope), ActorFacts::Service { scopes, .. }) => scopes.contains(&scope),
            _ => false,
        }
    }
}

/// The policies that can matter for one action and one sort of actor.
#[derive(Debug)]
pub(crate) struct Slice {
    /// Their places in the whole set.
    rules: Vec<usize>,
    /// By what an actor holds, made when somebody first asks who holds just that.
    asked: Vec<OnceLock<Option<Box<Asked>>>>,
}

/// What is asked of Cedar for one action, of somebody with certain roles or scopes.
#[derive(Debug)]
pub(crate) struct Asked {
    pub permits: PolicySet,
    /// Groups of forbids, and those that are in none.
    pub forbids: PolicySet,
    /// The forbids of each group.
    pub groups: HashMap<PolicyId, PolicySet>,
    /// Whether a policy may look at the groups that the action is in.
    pub groups_of_action: bool,
}

impl Slice {
    pub(crate) fn new(rules: Vec<usize>) -> Self {
        let most = 1 << Role::ALL.len().max(Scope::ALL.len());
        Self { rules, asked: std::iter::repeat_with(OnceLock::new).take(most).collect() }
    }

    /// What is asked if this actor asks. None only if Cedar does not take the policies together, which it did before.
    pub(crate) fn asked(&self, all: &[Rule], actor: &ActorFacts) -> Option<&Asked> {
        let asked = self.asked.get(held(actor))?;
        asked.get_or_init(|| self.gather(all, actor).map(Box::new)).as_deref()
    }

    fn gather(&self, all: &[Rule], actor: &ActorFacts) -> Option<Asked> {
        let rules = self.rules.iter().filter_map(|at| all.get(*at));
        let rules: Vec<&Rule> = rules.filter(|rule| rule.whom.may_fit(actor)).collect();
        let (permits, forbids): (Vec<&Rule>, Vec<&Rule>) =
            rules.iter().copied().partition(|rule| rule.permit);
        let (forbids, groups) = grouped(&forbids)?;
        Some(Asked {
            permits: PolicySet::from_policies(permits.into_iter().map(asked_of)).ok()?,
            forbids: PolicySet::from_policies(forbids).ok()?,
            groups,
            groups_of_action: rules
                .iter()
                .any(|rule| rule.lean.is_none() || lean::looks_at_the_action(&rule.json)),
        })
    }
}

/// A number for what an actor holds.
fn held(actor: &ActorFacts) -> usize {
    fn bits(places: impl Iterator<Item = usize>) -> usize {
        places.fold(0, |held, place| held | 1 << place)
    }
    match actor {
        ActorFacts::Staff { roles, .. } => bits(roles.iter().map(|role| *role as usize)),
        ActorFacts::Service { scopes, .. } => bits(scopes.iter().map(|scope| *scope as usize)),
        ActorFacts::Customer { .. } => 0,
    }
}

fn asked_of(rule: &Rule) -> Policy {
    rule.lean.as_ref().map_or_else(|| rule.policy.clone(), |lean| lean.policy.clone())
}

/// The forbids with groups in place of their members, and the members of each group.
fn grouped(forbids: &[&Rule]) -> Option<(Vec<Policy>, HashMap<PolicyId, PolicySet>)> {
    let (lean, other): (Vec<&Rule>, Vec<&Rule>) =
        forbids.iter().copied().partition(|rule| rule.lean.is_some());
    let mut policies: Vec<Policy> = other.into_iter().map(asked_of).collect();
    let mut groups = HashMap::new();
    for (number, group) in lean.chunks(GROUP).enumerate() {
        // Policies are known by a number, so no policy is called this.
        let id = PolicyId::new(format!("group {number}"));
        match lean::any_of(id.clone(), group.iter().filter_map(|rule| rule.lean.as_ref())) {
            Some(one) if group.len() > 1 => {
                policies.push(one);
                groups.insert(id, PolicySet::from_policies(group.iter().copied().map(asked_of)).ok()?);
            }
            _ => policies.extend(group.iter().copied().map(asked_of)),
        }
    }
    Some((policies, groups))
}

#[cfg(test)]
mod tests;
