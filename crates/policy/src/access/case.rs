//! Table tests of policies: facts → expected decision and reason, in files beside the policies.
//!
//! A row lists values for each fact; it stands for every combination of them, so that a grid of role × action × factor ×
//! tenant is a few lines.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chatward_message::{AccountId, Class, Kind, ServiceId, TenantId};
use serde::Deserialize;

use super::facts::{ActorFacts, BrokenGlass, Facts, TargetFacts};
use super::reason::Code;
use super::rules::Rules;
use super::source::PolicySource;
use super::words::{About, Action, Purpose, Role, Scope};

/// A file of table tests as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// The rows.
    #[serde(default)]
    case: Vec<Row>,
}

/// One row. Lists are multiplied out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// What it shows, for people.
    #[serde(default)]
    what: String,
    /// Roles (`analyst`, `analyst+trainer`, `none`), `service:list`, `customer`, `anonymous`.
    actor: Vec<String>,
    action: Vec<Action>,
    #[serde(default = "own_tenant")]
    tenant: Vec<Tenant>,
    #[serde(default = "fresh")]
    factor: Vec<Factor>,
    /// Purposes; `none` for none.
    #[serde(default = "no_purpose")]
    purpose: Vec<String>,
    #[serde(default = "yes")]
    reason: Vec<bool>,
    #[serde(default = "no")]
    ticket: Vec<bool>,
    /// Counts only for actions that are about a value.
    #[serde(default = "identity")]
    class: Vec<Class>,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(default = "no")]
    restricted: Vec<bool>,
    /// Whether data is the customer's own, an account the asker's; by default for customers only.
    #[serde(default)]
    own: Option<bool>,
    #[serde(default = "no_glass")]
    break_glass: Vec<Glass>,
    /// The roles that a managed account holds.
    #[serde(default)]
    holds: BTreeSet<Role>,
    /// The role that is granted; counts only for `grant`.
    #[serde(default = "trainer")]
    granted: Vec<Role>,
    expect: Expect,
    /// With `refused`: a reason that must be given.
    #[serde(default)]
    because: Option<Code>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Tenant {
    Own,
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Factor {
    /// Ten minutes old at most.
    Fresh,
    /// A second older.
    Stale,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Glass {
    None,
    /// The asker's own request, not approved.
    Asked,
    /// Approved by another, an hour ago at most.
    Approved,
    /// A second older.
    Over,
    /// Another's request, approved by a third.
    OfAnother,
    /// Another's request, not approved: what an approver sees.
    AskedByAnother,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Expect {
    Allowed,
    Refused,
}

fn own_tenant() -> Vec<Tenant> {
    vec![Tenant::Own]
}
fn fresh() -> Vec<Factor> {
    vec![Factor::Fresh]
}
fn no_purpose() -> Vec<String> {
    vec!["none".to_owned()]
}
fn yes() -> Vec<bool> {
    vec![true]
}
fn no() -> Vec<bool> {
    vec![false]
}
fn identity() -> Vec<Class> {
    vec![Class::Identity]
}
fn no_glass() -> Vec<Glass> {
    vec![Glass::None]
}
fn trainer() -> Vec<Role> {
    vec![Role::Trainer]
}

/// A file of table tests that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct CaseError {
    /// The file.
    pub file: Arc<str>,
    /// What is wrong, and where.
    pub message: String,
}

/// One combination, with what is expected of it.
#[derive(Debug, Clone)]
struct Case {
    file: Arc<str>,
    row: usize,
    what: Arc<str>,
    facts: Facts,
    expect: Expect,
    because: Option<Code>,
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFault {
    /// The file.
    pub file: Arc<str>,
    /// The row, from 1.
    pub row: usize,
    /// What was asked, expected and decided.
    pub message: String,
}

impl fmt::Display for CaseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, case {}: {}", self.file, self.row, self.message)
    }
}

/// Table tests, multiplied out.
#[derive(Debug, Clone, Default)]
pub struct Cases {
    all: Vec<Case>,
}

impl Cases {
    /// Reads files: JSON where the name ends in `.json`, else TOML.
    pub fn read(files: &[PolicySource<'_>]) -> Result<Self, CaseError> {
        let mut all = Vec::new();
        for PolicySource { name, text } in files {
            let file: Arc<str> = (*name).into();
            let wrong = |message: String| CaseError { file: Arc::clone(&file), message };
            let read: CaseFile = if name.ends_with(".json") {
                serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?
            } else {
                toml::from_str(text).map_err(|error| wrong(error.to_string()))?
            };
            for (at, row) in read.case.iter().enumerate() {
                let wrong = |message| wrong(format!("case {}: {message}", at + 1));
                all.extend(row.multiplied(&file, at + 1).map_err(wrong)?);
            }
        }
        Ok(Self { all })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The facts that are tried.
    pub fn facts(&self) -> impl Iterator<Item = &Facts> {
        self.all.iter().map(|case| &case.facts)
    }

    /// Those whose number (from 0) is wanted.
    #[cfg(test)]
    pub(crate) fn only(&self, wanted: impl Fn(usize) -> bool) -> Self {
        let some = self.all.iter().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, case)| case.clone());
        Self { all: some.collect() }
    }

    /// Asks all of them; what comes back failed.
    pub fn run(&self, rules: &Rules) -> Vec<CaseFault> {
        self.all.iter().filter_map(|case| case.run(rules)).collect()
    }
}

impl Case {
    fn run(&self, rules: &Rules) -> Option<CaseFault> {
        let outcome = rules.judge(&self.facts);
        let because = self.because.is_none_or(|code| outcome.reasons.contains(&code));
        if outcome.allowed == (self.expect == Expect::Allowed) && because {
            return None;
        }
        let expected = match (self.expect, self.because) {
            (Expect::Allowed, _) => "allowed".to_owned(),
            (Expect::Refused, None) => "refused".to_owned(),
            (Expect::Refused, Some(code)) => format!("refused ({})", code.as_str()),
        };
        let codes: Vec<&str> = outcome.reasons.iter().map(|code| code.as_str()).collect();
        let decided =
            if outcome.allowed { "allowed".to_owned() } else { format!("refused ({})", codes.join(", ")) };
        let by = if outcome.by.is_empty() { String::new() } else { format!(" by {}", outcome.by.join(", ")) };
        let what = if self.what.is_empty() { String::new() } else { format!("{}: ", self.what) };
        let message = format!("{what}{}: expected {expected}, was {decided}{by}", self.facts);
        Some(CaseFault { file: Arc::clone(&self.file), row: self.row, message })
    }
}

impl Row {
    fn multiplied(&self, file: &Arc<str>, number: usize) -> Result<Vec<Case>, String> {
        if self.expect == Expect::Allowed && self.because.is_some() {
            return Err("`because` belongs to `refused`".to_owned());
        }
        let what: Arc<str> = self.what.as_str().into();
        let mut all = Vec::new();
        for actor in &self.actor {
            let actor = read_actor(actor)?;
            for action in &self.action {
                for tenant in &self.tenant {
                    for target in self.targets(&actor, *action, *tenant)? {
                        for facts in self.asked(&actor, *action, &target)? {
                            facts.check().map_err(|error| error.to_string())?;
                            let (file, what) = (Arc::clone(file), Arc::clone(&what));
                            let (expect, because) = (self.expect, self.because);
                            all.push(Case { file, row: number, what, facts, expect, because });
                        }
                    }
                }
            }
        }
        if all.is_empty() { Err("a list is empty, so nothing is tried".to_owned()) } else { Ok(all) }
    }

    fn targets(
        &self,
        actor: &ActorFacts,
        action: Action,
        tenant: Tenant,
    ) -> Result<Vec<TargetFacts>, String> {
        let tenant: TenantId = match tenant {
            Tenant::Own => actor.tenant().clone(),
            Tenant::Foreign => "another".parse().map_err(|e: chatward_message::IdError| e.to_string())?,
        };
        let own = self.own.unwrap_or(matches!(actor, ActorFacts::Customer { .. }));
        let classes: Vec<Option<Class>> = match action.about() {
            About::Value => self.class.iter().copied().map(Some).collect(),
            _ => vec![None],
        };
        let granted: Vec<Option<Role>> = match action {
            Action::Grant => self.granted.iter().copied().map(Some).collect(),
            _ => vec![None],
        };
        Ok(match action.about() {
            About::House => vec![TargetFacts::House { tenant }],
            About::Account => {
                let account = |granted| TargetFacts::Account {
                    tenant: tenant.clone(),
                    own,
                    roles: self.holds.clone(),
                    granted,
                };
                granted.into_iter().map(account).collect()
            }
            About::Record | About::Value => {
                let mut all = Vec::new();
                for class in classes {
                    let kind = if class.is_some() { self.kind.clone() } else { None };
                    all.extend(self.restricted.iter().map(|restricted| TargetFacts::Data {
                        tenant: tenant.clone(),
                        own,
                        restricted: *restricted,
                        class,
                        kind: kind.clone(),
                    }));
                }
                all
            }
        })
    }

    fn asked(&self, actor: &ActorFacts, action: Action, target: &TargetFacts) -> Result<Vec<Facts>, String> {
        let mut all = Vec::new();
        for purpose in &self.purpose {
            let purpose = match purpose.as_str() {
                "none" => None,
                word => Some(Purpose::named(word).ok_or_else(|| format!("there is no purpose `{word}`"))?),
            };
            for (factor, reason) in pairs(&self.factor, &self.reason) {
                for (ticket, glass) in pairs(&self.ticket, &self.break_glass) {
                    all.push(Facts {
                        actor: actor.clone(),
                        action,
                        target: target.clone(),
                        purpose,
                        second_factor: match factor {
                            Factor::Fresh => Some(600),
                            Factor::Stale => Some(601),
                            Factor::None => None,
                        },
                        reason,
                        ticket,
                        break_glass: glass.facts(),
                    });
                }
            }
        }
        Ok(all)
    }
}

impl Glass {
    fn facts(self) -> Option<BrokenGlass> {
        let glass =
            |requested, age: Option<u32>| Some(BrokenGlass { requested, approved: age.is_some(), age });
        match self {
            Self::None => None,
            Self::Asked => glass(true, None),
            Self::Approved => glass(true, Some(3600)),
            Self::Over => glass(true, Some(3601)),
            Self::OfAnother => glass(false, Some(0)),
            Self::AskedByAnother => glass(false, None),
        }
    }
}

fn pairs<A: Copy, B: Copy>(one: &[A], other: &[B]) -> Vec<(A, B)> {
    one.iter().flat_map(|a| other.iter().map(|b| (*a, *b))).collect()
}

fn read_actor(word: &str) -> Result<ActorFacts, String> {
    let tenant = TenantId::default_tenant();
    if let Some(scopes) = word.strip_prefix("service:") {
        let scope = |word: &str| Scope::named(word).ok_or_else(|| format!("there is no scope `{word}`"));
        let scopes = scopes.split('+').map(scope).collect::<Result<_, _>>()?;
        return Ok(ActorFacts::Service { id: ServiceId::from_bytes([1; 16]), tenant, scopes });
    }
    match word {
        "customer" => Ok(ActorFacts::Customer { tenant, anonymous: false }),
        "anonymous" => Ok(ActorFacts::Customer { tenant, anonymous: true }),
        roles => {
            let role = |word: &str| Role::named(word).ok_or_else(|| format!("there is no actor `{word}`"));
            let roles =
                if roles == "none" { Ok(BTreeSet::new()) } else { roles.split('+').map(role).collect() };
            Ok(ActorFacts::Staff { id: AccountId::from_bytes([1; 16]), tenant, roles: roles? })
        }
    }
}
