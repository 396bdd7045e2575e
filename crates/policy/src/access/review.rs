//! Who could see what, and under which conditions: the answer that a look at policies cannot give and asking can.

use std::collections::BTreeSet;
use std::fmt;

use chatward_message::{AccountId, Class, ServiceId, TenantId};
use serde::Deserialize;

use super::engine::Sort;
use super::facts::{ActorFacts, BrokenGlass, Facts, TargetFacts};
use super::rules::Rules;
use super::words::{About, Action, Purpose, Role, Scope};

/// A member of staff, for a review.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffEntry {
    /// The account.
    pub id: AccountId,
    /// Of which tenant; `default` if not said.
    #[serde(default = "TenantId::default_tenant")]
    pub tenant: TenantId,
    /// The roles it holds.
    pub roles: BTreeSet<Role>,
}

/// A service account, for a review.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// The account.
    pub id: ServiceId,
    /// Of which tenant; `default` if not said.
    #[serde(default = "TenantId::default_tenant")]
    pub tenant: TenantId,
    /// What its key is for.
    pub scopes: BTreeSet<Scope>,
}

/// Whose rights are looked at: the form of a file of staff (`[[staff]]`, `[[service]]`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StaffList {
    /// People.
    pub staff: Vec<StaffEntry>,
    /// Programs.
    pub service: Vec<ServiceEntry>,
}

impl StaffList {
    /// One of each role and scope: what the policies say, whoever holds the roles.
    pub fn one_of_each() -> Self {
        let entry = |role: &Role| StaffEntry {
            id: AccountId::from_bytes([0; 16]),
            tenant: TenantId::default_tenant(),
            roles: [*role].into(),
        };
        let service = |scope: &Scope| ServiceEntry {
            id: ServiceId::from_bytes([0; 16]),
            tenant: TenantId::default_tenant(),
            scopes: [*scope].into(),
        };
        Self {
            staff: Role::ALL.iter().map(entry).collect(),
            service: Scope::ALL.iter().map(service).collect(),
        }
    }

    /// Everybody, by name, as the policies see them.
    pub fn actors(&self) -> Vec<(String, ActorFacts)> {
        let staff = self.staff.iter().map(|StaffEntry { id, tenant, roles }| {
            let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
            let actor = ActorFacts::Staff { id: *id, tenant: tenant.clone(), roles: roles.clone() };
            (format!("{id} ({})", names.join(", ")), actor)
        });
        let services = self.service.iter().map(|ServiceEntry { id, tenant, scopes }| {
            let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
            let actor = ActorFacts::Service { id: *id, tenant: tenant.clone(), scopes: scopes.clone() };
            (format!("{id} ({})", names.join(", ")), actor)
        });
        staff.chain(services).collect()
    }
}

/// How fresh a second factor must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Factor {
    /// None is needed.
    None,
    /// Any of this session.
    Any,
    /// One shown just now.
    Fresh,
}

/// One set of conditions under which something is allowed; with less it is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Demand {
    /// The second factor.
    pub factor: Factor,
    /// One of these purposes; any, or none, if empty.
    pub purposes: BTreeSet<Purpose>,
    /// A reason, or a ticket; both flags: either of them will do.
    pub reason: bool,
    /// See `reason`.
    pub ticket: bool,
    /// Whether another person must have approved.
    pub second_person: bool,
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match self.factor {
            Factor::None => {}
            Factor::Any => parts.push("second factor".to_owned()),
            Factor::Fresh => parts.push("fresh factor".to_owned()),
        }
        if !self.purposes.is_empty() {
            let names: Vec<&str> = self.purposes.iter().map(|purpose| purpose.name()).collect();
            let any = names.len() == Purpose::ALL.len();
            parts.push(if any { "any purpose".to_owned() } else { format!("for {}", names.join(" or ")) });
        }
        match (self.reason, self.ticket) {
            (true, true) => parts.push("reason or ticket".to_owned()),
            (true, false) => parts.push("reason".to_owned()),
            (false, true) => parts.push("ticket".to_owned()),
            (false, false) => {}
        }
        if self.second_person {
            parts.push("second person".to_owned());
        }
        f.write_str(if parts.is_empty() { "always" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// What one actor could do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// What.
    pub action: Action,
    /// With data of which class, where that matters.
    pub class: Option<Class>,
    /// Under which conditions: any one of these.
    pub demands: Vec<Demand>,
}

/// What this actor could do with data of this class (of every class if none is named), under the policies in force. Data is
/// of the actor's own tenant, a customer's own, and not frozen; a staff account is another's and holds no role yet.
pub fn rights(rules: &Rules, actor: &ActorFacts, action: Option<Action>, class: Option<Class>) -> Vec<Right> {
    let mut all = Vec::new();
    for action in Action::ALL.iter().copied().filter(|a| action.is_none_or(|wanted| wanted == *a)) {
        if !rules.asks(action, actor.sort()) {
            continue;
        }
        let classes: Vec<Option<Class>> = match (action.about(), class) {
            (About::Value, Some(class)) => vec![Some(class)],
            (About::Value, None) => Class::ALL.into_iter().map(Some).collect(),
            // Whoever asks for a class does not ask for what concerns none.
            (About::Record, _) => vec![None],
            (About::Account | About::House, Some(_)) => continue,
            (About::Account | About::House, None) => vec![None],
        };
        for class in classes {
            let demands = demands(rules, actor, action, class);
            if !demands.is_empty() {
                all.push(Right { action, class, demands });
            }
        }
    }
    all
}

/// One way to ask, from nothing given to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    factor: Factor,
    purpose: Option<Purpose>,
    reason: bool,
    ticket: bool,
    glass: bool,
}

impl Way {
    fn weight(self) -> usize {
        let flags = [self.purpose.is_some(), self.reason, self.ticket, self.glass];
        self.factor as usize + flags.into_iter().filter(|flag| *flag).count()
    }

    /// Whether everything that `less` gives is given here too.
    fn includes(self, less: Self) -> bool {
        less.factor <= self.factor
            && (less.purpose.is_none() || less.purpose == self.purpose)
            && less.reason <= self.reason
            && less.ticket <= self.ticket
            && less.glass <= self.glass
    }

    fn all(about: About) -> Vec<Self> {
        let glasses =
            if matches!(about, About::Record | About::Value) { vec![false, true] } else { vec![false] };
        let mut all = Vec::new();
        for factor in [Factor::None, Factor::Any, Factor::Fresh] {
            for purpose in [None].into_iter().chain(Purpose::ALL.iter().copied().map(Some)) {
                for (reason, ticket) in [(false, false), (true, false), (false, true), (true, true)] {
                    all.extend(glasses.iter().map(|glass| Self {
                        factor,
                        purpose,
                        reason,
                        ticket,
                        glass: *glass,
                    }));
                }
            }
        }
        all.sort_by_key(|way| way.weight());
        all
    }
}

fn demands(rules: &Rules, actor: &ActorFacts, action: Action, class: Option<Class>) -> Vec<Demand> {
    let mut least: Vec<Way> = Vec::new();
    for way in Way::all(action.about()) {
        if !least.iter().any(|less| way.includes(*less)) && rules.allows(&facts(actor, action, class, way)) {
            least.push(way);
        }
    }
    let mut demands: Vec<Demand> = Vec::new();
    for Way { factor, purpose, reason, ticket, glass } in least {
        let purposes = purpose.into_iter().collect();
        let demand = Demand { factor, purposes, reason, ticket, second_person: glass };
        let same = |d: &&mut Demand| {
            (d.factor, d.reason, d.ticket, d.second_person) == (factor, reason, ticket, glass)
                && d.purposes.is_empty() == demand.purposes.is_empty()
        };
        match demands.iter_mut().find(same) {
            Some(known) => known.purposes.extend(purpose),
            None => demands.push(demand),
        }
    }
    either(demands)
}

/// Puts "with a reason" and "with a ticket" together where all else is the same.
fn either(demands: Vec<Demand>) -> Vec<Demand> {
    let mut all: Vec<Demand> = Vec::new();
    for demand in demands {
        let other = Demand { reason: demand.ticket, ticket: demand.reason, ..demand.clone() };
        match all.iter_mut().find(|known| demand.reason != demand.ticket && **known == other) {
            Some(known) => (known.reason, known.ticket) = (true, true),
            None => all.push(demand),
        }
    }
    all
}

fn facts(actor: &ActorFacts, action: Action, class: Option<Class>, way: Way) -> Facts {
    let tenant = actor.tenant().clone();
    let target = match action.about() {
        About::House => TargetFacts::House { tenant },
        About::Account => {
            let granted = (action == Action::Grant).then_some(Role::Trainer);
            TargetFacts::Account { tenant, own: false, roles: BTreeSet::new(), granted }
        }
        About::Record | About::Value => {
            let own = actor.sort() == Sort::Customer;
            TargetFacts::Data { tenant, own, restricted: false, class, kind: None }
        }
    };
    // Who approves looks at another's request; who acts, at an own one that was approved.
    let glass = BrokenGlass { requested: true, approved: true, age: Some(0) };
    Facts {
        actor: actor.clone(),
        action,
        target,
        purpose: way.purpose,
        second_factor: match way.factor {
            Factor::None => None,
            Factor::Any => Some(8 * 3600),
            Factor::Fresh => Some(0),
        },
        reason: way.reason,
        ticket: way.ticket,
        break_glass: way.glass.then_some(glass),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(role: Role, action: Action, class: Option<Class>) -> Vec<String> {
        let rules = Rules::shipped().rules.unwrap();
        let staff = ActorFacts::Staff {
            id: AccountId::from_bytes([1; 16]),
            tenant: TenantId::default_tenant(),
            roles: [role].into(),
        };
        let rights = rights(&rules, &staff, Some(action), class);
        rights.iter().flat_map(|right| right.demands.iter().map(ToString::to_string)).collect()
    }

    #[test]
    fn the_least_conditions_are_named_and_no_others() {
        assert_eq!(
            of(Role::Analyst, Action::Reveal, Some(Class::Identity)),
            [
                "fresh factor, for support or security, reason or ticket",
                "fresh factor, for privacy-request or training or audit or operation or analytics, reason or ticket, second person",
            ]
        );
        assert_eq!(
            of(Role::Analyst, Action::Reveal, Some(Class::Payment)),
            ["fresh factor, any purpose, reason or ticket, second person"]
        );
        assert_eq!(of(Role::Analyst, Action::Reveal, Some(Class::Secret)), [""; 0]);
        assert_eq!(
            of(Role::PrivacyOfficer, Action::Erase, None),
            ["fresh factor, for privacy-request, ticket"]
        );
        assert_eq!(of(Role::Trainer, Action::List, None), ["second factor, for training"]);
        assert_eq!(of(Role::Auditor, Action::AuditRead, None), ["second factor"]);
        assert_eq!(of(Role::Admin, Action::Reveal, Some(Class::Identity)), [""; 0]);
    }

    #[test]
    fn staff_lists_are_read_and_unknown_roles_are_not() {
        let text = "[[staff]]\nid = \"acct_00000000000000000000000000000001\"\nroles = [\"analyst\", \"trainer\"]\n[[service]]\nid = \"svc_00000000000000000000000000000002\"\nscopes = [\"audit-read\"]\n";
        let list: StaffList = toml::from_str(text).unwrap();
        assert_eq!((list.staff.len(), list.service.len()), (1, 1));
        assert!(list.actors()[0].0.ends_with("(analyst, trainer)"));
        assert!(toml::from_str::<StaffList>(&text.replace("trainer", "boss")).is_err());
    }
}
