//! What a decision depends on, and nothing else: the form in which questions are recorded.
//!
//! No customer's id is in here: whose data it is counts only as "the asker's own" or not. So policies cannot single out a
//! customer, recorded facts hold no customer's data, and what is replayed is exactly what was decided.

use std::collections::BTreeSet;
use std::fmt;

use chatward_message::{AccountId, Class, Kind, ServiceId, TenantId};
use serde::{Deserialize, Serialize};

use super::words::{About, Action, Purpose, Role, Scope};

/// Facts that do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// The target is not what the action is about.
    #[error("`{}` is not about such a target: list, read-received, restrict, erase and break-glass take `data` without a class, search, reveal, export and correct `data` with one, grant and manage-staff an `account`, everything else the `house`", .0.name())]
    OtherTarget(Action),
    /// A grant without a role, or a role without a grant.
    #[error("`granted` belongs to `grant`, and to nothing else")]
    Granted,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ActorFacts {
    /// A member of staff.
    Staff {
        /// The account.
        id: AccountId,
        /// Of which tenant.
        tenant: TenantId,
        /// The roles it holds.
        roles: BTreeSet<Role>,
    },
    /// A service account.
    Service {
        /// The account.
        id: ServiceId,
        /// Of which tenant.
        tenant: TenantId,
        /// What its key was made for.
        scopes: BTreeSet<Scope>,
    },
    /// A customer; which one does not matter.
    Customer {
        /// Of which tenant.
        tenant: TenantId,
        /// Known by nothing but the cookie of the present conversation.
        anonymous: bool,
    },
}

impl ActorFacts {
    /// The actor's tenant.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Staff { tenant, .. } | Self::Service { tenant, .. } | Self::Customer { tenant, .. } => {
                tenant
            }
        }
    }
}

/// About what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TargetFacts {
    /// Stored data of a customer.
    Data {
        /// Of which tenant.
        tenant: TenantId,
        /// Whether it is the asking customer's own.
        own: bool,
        /// Whether the customer's data is frozen.
        restricted: bool,
        /// The class of the value; none where the whole customer is meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<Class>,
        /// The kind of the value, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<Kind>,
    },
    /// A staff account.
    Account {
        /// Of which tenant.
        tenant: TenantId,
        /// Whether it is the asker's.
        own: bool,
        /// The roles it holds.
        roles: BTreeSet<Role>,
        /// The role it would get or lose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        granted: Option<Role>,
    },
    /// The house.
    House {
        /// Of which tenant.
        tenant: TenantId,
    },
}

impl TargetFacts {
    /// The target's tenant.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Data { tenant, .. } | Self::Account { tenant, .. } | Self::House { tenant } => tenant,
        }
    }
}

/// A request to break the glass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokenGlass {
    /// Whether whoever asks now made it.
    pub requested: bool,
    /// Whether a person approved it who is neither the one that made it nor the one that asks now.
    pub approved: bool,
    /// Seconds since the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u32>,
}

/// All that a decision depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Facts {
    /// Who.
    pub actor: ActorFacts,
    /// To do what.
    pub action: Action,
    /// About what.
    pub target: TargetFacts,
    /// For what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// Seconds since the second factor; none if none was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<u32>,
    /// Whether a reason was written.
    pub reason: bool,
    /// Whether the number of a request or an incident was given.
    pub ticket: bool,
    /// The request to break the glass that this is done under, or about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BrokenGlass>,
}

impl Facts {
    /// Whether they fit together. What comes from a typed question always does.
    pub fn check(&self) -> Result<(), FactsError> {
        let fits = matches!(
            (self.action.about(), &self.target),
            (About::Record, TargetFacts::Data { class: None, kind: None, .. })
                | (About::Value, TargetFacts::Data { class: Some(_), .. })
                | (About::Account, TargetFacts::Account { .. })
                | (About::House, TargetFacts::House { .. })
        );
        if !fits {
            return Err(FactsError::OtherTarget(self.action));
        }
        let granted = matches!(&self.target, TargetFacts::Account { granted: Some(_), .. });
        if granted == (self.action == Action::Grant) { Ok(()) } else { Err(FactsError::Granted) }
    }
}

impl fmt::Display for ActorFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Staff { tenant, roles, .. } => {
                let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
                let roles = if roles.is_empty() { "staff".to_owned() } else { roles.join("+") };
                write!(f, "{roles} of {tenant}")
            }
            Self::Service { tenant, scopes, .. } => {
                let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
                write!(f, "service:{} of {tenant}", scopes.join("+"))
            }
            Self::Customer { tenant, anonymous } => {
                write!(f, "{} of {tenant}", if *anonymous { "anonymous customer" } else { "customer" })
            }
        }
    }
}

impl fmt::Display for TargetFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data { tenant, own, restricted, class, kind } => {
                f.write_str(if *own { "own data" } else { "data" })?;
                if let Some(class) = class {
                    write!(f, " {}", class.name())?;
                }
                if let Some(kind) = kind {
                    write!(f, "/{kind}")?;
                }
                write!(f, " of {tenant}{}", if *restricted { ", frozen" } else { "" })
            }
            Self::Account { tenant, own, roles, granted } => {
                let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
                write!(
                    f,
                    "{} ({}) of {tenant}",
                    if *own { "own account" } else { "account" },
                    roles.join("+")
                )?;
                if let Some(role) = granted {
                    write!(f, ", role {}", role.name())?;
                }
                Ok(())
            }
            Self::House { tenant } => write!(f, "house {tenant}"),
        }
    }
}

/// One line for people. No id of anybody is in it.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { actor, action, target, purpose, second_factor, reason, ticket, break_glass } = self;
        write!(f, "{actor}: {} {target}", action.name())?;
        if let Some(purpose) = purpose {
            write!(f, ", for {}", purpose.name())?;
        }
        match second_factor {
            Some(age) => write!(f, ", factor {age} s ago")?,
            None => f.write_str(", no factor")?,
        }
        if *reason {
            f.write_str(", reason")?;
        }
        if *ticket {
            f.write_str(", ticket")?;
        }
        if let Some(BrokenGlass { requested, approved, age }) = break_glass {
            let whose = if *requested { "own" } else { "another's" };
            write!(f, ", {whose} request to break the glass")?;
            match (approved, age) {
                (true, Some(age)) => write!(f, " approved {age} s ago")?,
                (true, None) => f.write_str(" approved")?,
                (false, _) => f.write_str(" not approved")?,
            }
        }
        Ok(())
    }
}

/// Facts as read, before they are known to fit together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    actor: ActorFacts,
    action: Action,
    target: TargetFacts,
    #[serde(default)]
    purpose: Option<Purpose>,
    #[serde(default)]
    second_factor: Option<u32>,
    reason: bool,
    ticket: bool,
    #[serde(default)]
    break_glass: Option<BrokenGlass>,
}

impl TryFrom<Unchecked> for Facts {
    type Error = FactsError;

    fn try_from(raw: Unchecked) -> Result<Self, FactsError> {
        let Unchecked { actor, action, target, purpose, second_factor, reason, ticket, break_glass } = raw;
        let facts = Self { actor, action, target, purpose, second_factor, reason, ticket, break_glass };
        facts.check().map(|()| facts)
    }
}
