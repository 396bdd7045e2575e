//! The questions that can be asked, as far as policies can tell them apart.
//!
//! Everything a policy can look at is a flag or a word of a closed list, but for four: the age of a factor, the age of an
//! approval, a kind and a tenant. Of these only the values count that policies name (and those on either side of a
//! number). So the space is finite, and "is there any question to which this policy matters" can be answered by asking.

use std::collections::BTreeSet;

use chatward_message::{AccountId, Class, Kind, ServiceId, TenantId};
use serde_json::Value;

use super::facts::{ActorFacts, BrokenGlass, Facts, TargetFacts};
use super::rules::Rule;
use super::words::{About, Action, Purpose, Role, Scope};

/// The questions for one action. What is most likely to be allowed comes first.
pub(crate) struct Space {
    action: Action,
    actors: Vec<ActorFacts>,
    targets: Vec<TargetFacts>,
    purposes: Vec<Option<Purpose>>,
    factors: Vec<Option<u32>>,
    given: Vec<(bool, bool)>,
    glasses: Vec<Option<BrokenGlass>>,
}

impl Space {
    /// Everything that these policies can tell apart.
    pub(crate) fn of(action: Action, rules: &[&Rule]) -> Self {
        let named = Named::by(rules);
        let tenants = named.tenants();
        let ages = named.ages();
        Self {
            action,
            actors: named.actors(&tenants),
            targets: named.targets(action, &tenants),
            purposes: Purpose::ALL.iter().copied().map(Some).chain([None]).collect(),
            factors: if named.has("second_factor") || named.has("second_factor_age") {
                ages.iter().copied().map(Some).chain([None]).collect()
            } else {
                vec![Some(0)]
            },
            given: if named.has("reason") || named.has("ticket") {
                vec![(true, true), (true, false), (false, true), (false, false)]
            } else {
                vec![(true, true)]
            },
            glasses: named.glasses(action, &ages),
        }
    }

    /// All questions.
    pub(crate) fn questions(&self) -> impl Iterator<Item = Facts> + '_ {
        let sizes = [
            self.actors.len(),
            self.targets.len(),
            self.purposes.len(),
            self.glasses.len(),
            self.given.len(),
            self.factors.len(),
        ];
        (0..sizes.iter().product()).filter_map(move |mut at| {
            let mut next = |size: usize| {
                let here = at % size;
                at /= size;
                here
            };
            let [actor, target, purpose, glass, given, factor] = sizes.map(&mut next);
            let (reason, ticket) = *self.given.get(given)?;
            Some(Facts {
                actor: self.actors.get(actor)?.clone(),
                action: self.action,
                target: self.targets.get(target)?.clone(),
                purpose: *self.purposes.get(purpose)?,
                second_factor: *self.factors.get(factor)?,
                reason,
                ticket,
                break_glass: *self.glasses.get(glass)?,
            })
        })
    }
}

/// What policies name.
#[derive(Default)]
struct Named {
    attributes: BTreeSet<String>,
    texts: BTreeSet<String>,
    numbers: BTreeSet<i64>,
    staff: BTreeSet<AccountId>,
}

impl Named {
    fn by(rules: &[&Rule]) -> Self {
        let mut named = Self::default();
        for rule in rules {
            walk(&rule.json, &mut |value| named.note(value));
        }
        named
    }

    fn note(&mut self, value: &Value) {
        if let Some(attribute) = value.get("attr").and_then(Value::as_str) {
            self.attributes.insert(attribute.to_owned());
        }
        match value.get("Value") {
            Some(Value::String(text)) => {
                self.texts.insert(text.clone());
            }
            Some(Value::Number(number)) => self.numbers.extend(number.as_i64()),
            _ => {}
        }
        for (kind, id) in entity(value) {
            if kind == "Staff" {
                self.staff.extend(id.parse::<AccountId>());
            }
        }
    }

    fn has(&self, attribute: &str) -> bool {
        self.attributes.contains(attribute)
    }

    /// Ages in seconds: none, just over the shipped limits, and on either side of every number that is named.
    fn ages(&self) -> Vec<u32> {
        let sides = self.numbers.iter().flat_map(|n| [n.saturating_sub(1), *n, n.saturating_add(1)]);
        let ages: BTreeSet<u32> = sides.filter_map(|n| u32::try_from(n).ok()).chain([0, 601, 3601]).collect();
        ages.into_iter().collect()
    }

    /// The asker's and the target's.
    fn tenants(&self) -> Vec<(TenantId, TenantId)> {
        let mut all = Vec::new();
        let home = TenantId::default_tenant();
        if self.has("tenant") {
            let named = self.texts.iter().filter_map(|text| text.parse::<TenantId>().ok());
            all.extend(named.map(|tenant| (tenant.clone(), tenant)));
            all.extend("another".parse().ok().map(|other| (home.clone(), other)));
        }
        all.insert(0, (home.clone(), home));
        all
    }

    fn actors(&self, tenants: &[(TenantId, TenantId)]) -> Vec<ActorFacts> {
        let one = |role: &Role| BTreeSet::from([*role]);
        let all_but_admin = Role::ALL.iter().copied().filter(|role| *role != Role::Admin);
        let mut held: Vec<BTreeSet<Role>> = Role::ALL.iter().map(one).collect();
        held.extend([all_but_admin.collect(), Role::ALL.iter().copied().collect(), BTreeSet::new()]);
        let mut ids: Vec<AccountId> = vec![AccountId::from_bytes([0; 16])];
        ids.extend(&self.staff);
        let mut all = Vec::new();
        let homes: BTreeSet<&TenantId> = tenants.iter().map(|(home, _)| home).collect();
        for tenant in homes {
            for roles in &held {
                let staff = |id: &AccountId| ActorFacts::Staff {
                    id: *id,
                    tenant: tenant.clone(),
                    roles: roles.clone(),
                };
                all.extend(ids.iter().map(staff));
            }
            for scope in Scope::ALL {
                let id = ServiceId::from_bytes([0; 16]);
                all.push(ActorFacts::Service { id, tenant: tenant.clone(), scopes: [*scope].into() });
            }
            for anonymous in [false, true] {
                all.push(ActorFacts::Customer { tenant: tenant.clone(), anonymous });
            }
        }
        all
    }

    fn targets(&self, action: Action, tenants: &[(TenantId, TenantId)]) -> Vec<TargetFacts> {
        let tenants: BTreeSet<&TenantId> = tenants.iter().map(|(_, target)| target).collect();
        let both = |vary: bool, first: bool| if vary { vec![first, !first] } else { vec![first] };
        let mut all = Vec::new();
        for tenant in tenants {
            match action.about() {
                About::House => all.push(TargetFacts::House { tenant: tenant.clone() }),
                About::Account => {
                    let mut held: Vec<BTreeSet<Role>> = vec![BTreeSet::new()];
                    held.extend(Role::ALL.iter().map(|role| BTreeSet::from([*role])));
                    for roles in held {
                        for own in both(self.has("own"), false) {
                            all.extend(self.granted(action).into_iter().map(|granted| {
                                TargetFacts::Account {
                                    tenant: tenant.clone(),
                                    own,
                                    roles: roles.clone(),
                                    granted,
                                }
                            }));
                        }
                    }
                }
                about @ (About::Record | About::Value) => {
                    let classes: Vec<Option<Class>> = match about {
                        About::Value => Class::ALL.into_iter().map(Some).collect(),
                        _ => vec![None],
                    };
                    for (class, own) in classes.iter().flat_map(|class| [(class, true), (class, false)]) {
                        for restricted in both(self.has("restricted"), false) {
                            all.extend(self.kinds(about).into_iter().map(|kind| TargetFacts::Data {
                                tenant: tenant.clone(),
                                own,
                                restricted,
                                class: *class,
                                kind,
                            }));
                        }
                    }
                }
            }
        }
        all
    }

    fn granted(&self, action: Action) -> Vec<Option<Role>> {
        if action == Action::Grant { Role::ALL.iter().copied().map(Some).collect() } else { vec![None] }
    }

    fn kinds(&self, about: About) -> Vec<Option<Kind>> {
        let mut all = vec![None];
        if about == About::Value && self.has("kind") {
            all.extend(self.texts.iter().map(|text| Some(Kind::new(text))));
            all.push(Some(Kind::new("some_other_kind")));
        }
        all
    }

    fn glasses(&self, action: Action, ages: &[u32]) -> Vec<Option<BrokenGlass>> {
        if matches!(action.about(), About::Account | About::House) {
            return vec![None];
        }
        let glass = |requested, approved, age| Some(BrokenGlass { requested, approved, age });
        let mut all = vec![None, glass(true, true, Some(0)), glass(false, false, None)];
        if self.has("break_glass") {
            all.extend(ages.iter().map(|age| glass(true, true, Some(*age))));
            all.extend([glass(true, false, None), glass(false, true, Some(0))]);
        }
        all
    }
}

/// Calls `f` on this value and everything inside it.
pub(crate) fn walk<'a>(value: &'a Value, f: &mut impl FnMut(&'a Value)) {
    f(value);
    match value {
        Value::Array(all) => all.iter().for_each(|inner| walk(inner, f)),
        Value::Object(all) => all.values().for_each(|inner| walk(inner, f)),
        _ => {}
    }
}

/// Type and id of the entities that this value itself names: `{"entity": {…}}`, `{"entities": […]}` in a head,
/// `{"__entity": {…}}` in a condition.
pub(crate) fn entity(value: &Value) -> Vec<(&str, &str)> {
    let mut all = Vec::new();
    for key in ["entity", "__entity"] {
        if let Some(pair) = value.get(key).and_then(pair) {
            all.push(pair);
        }
    }
    let several = value.get("entities").and_then(Value::as_array);
    all.extend(several.into_iter().flatten().filter_map(pair));
    all
}

fn pair(entity: &Value) -> Option<(&str, &str)> {
    Some((entity.get("type")?.as_str()?, entity.get("id")?.as_str()?))
}
