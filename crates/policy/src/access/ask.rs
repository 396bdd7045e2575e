//! The typed question, and the proof that it was answered with yes.
//!
//! Each action has a type of its own ([`act`]) that says what it is about, so that an allowance to list cannot be used
//! to reveal, and a question that makes no sense does not compile.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use chatward_message::{AccountId, Class, CustomerId, Kind, ServiceId, TenantId};

use super::engine::{Outcome, Recorded};
use super::facts::{ActorFacts, BrokenGlass, Facts, TargetFacts};
use super::reason::Code;
use super::rules::Rules;
use super::words::{Action, Purpose, Role, Scope};

/// Who asks. Whoever makes one vouches for it: it comes from a session or a key, never from a request's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A member of staff.
    Staff {
        /// The account.
        id: AccountId,
        /// Of which tenant.
        tenant: TenantId,
        /// The roles it holds now.
        roles: Vec<Role>,
    },
    /// A service account.
    Service {
        /// The account.
        id: ServiceId,
        /// Of which tenant.
        tenant: TenantId,
        /// What the key that was shown may be used for.
        scopes: Vec<Scope>,
    },
    /// A customer.
    Customer {
        /// Which one.
        id: CustomerId,
        /// Of which tenant.
        tenant: TenantId,
        /// Known by nothing but the cookie of the present conversation.
        anonymous: bool,
    },
}

impl Actor {
    fn facts(&self) -> ActorFacts {
        match self {
            Self::Staff { id, tenant, roles } => {
                ActorFacts::Staff { id: *id, tenant: tenant.clone(), roles: roles.iter().copied().collect() }
            }
            Self::Service { id, tenant, scopes } => {
                let scopes = scopes.iter().copied().collect();
                ActorFacts::Service { id: *id, tenant: tenant.clone(), scopes }
            }
            Self::Customer { id: _, tenant, anonymous } => {
                ActorFacts::Customer { tenant: tenant.clone(), anonymous: *anonymous }
            }
        }
    }

    fn staff(&self) -> Option<AccountId> {
        if let Self::Staff { id, .. } = self { Some(*id) } else { None }
    }
}

/// One customer as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Of which tenant.
    pub tenant: TenantId,
    /// Whose data.
    pub customer: CustomerId,
    /// Whether the customer's data is frozen (GDPR article 18).
    pub restricted: bool,
}

/// One value of a customer, or all of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Whose.
    pub of: Record,
    /// Its class.
    pub class: Class,
    /// Its kind, where one value is meant.
    pub kind: Option<Kind>,
}

/// A staff account that is managed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Of which tenant.
    pub tenant: TenantId,
    /// Which one.
    pub staff: AccountId,
    /// The roles it holds now.
    pub roles: Vec<Role>,
}

/// A role that is given or taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub to: Account,
    /// Which role.
    pub role: Role,
}

/// What belongs to the whole house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct House {
    /// Of which tenant.
    pub tenant: TenantId,
}

/// A request to break the glass, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakGlass {
    /// Who made it.
    pub requested_by: AccountId,
    /// Who approved it, and how many seconds ago.
    pub approved: Option<(AccountId, u32)>,
}

impl BreakGlass {
    fn facts(&self, actor: &Actor) -> BrokenGlass {
        let asking = actor.staff();
        let approval = self.approved.filter(|(by, _)| *by != self.requested_by && asking != Some(*by));
        BrokenGlass {
            requested: asking == Some(self.requested_by),
            approved: approval.is_some(),
            age: approval.map(|(_, age)| age),
        }
    }
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given {
    /// For what.
    pub purpose: Option<Purpose>,
    /// Seconds since this session's second factor; none if none was shown.
    pub second_factor: Option<u32>,
    /// Whether a reason was written. The text itself stays outside.
    pub reason: bool,
    /// Whether the number of a request or an incident was given.
    pub ticket: bool,
    /// The request to break the glass that this is done under, or about.
    pub break_glass: Option<BreakGlass>,
}

/// One question.
#[derive(Debug, Clone)]
pub struct Ask<A: Act> {
    /// Who.
    pub actor: Actor,
    /// About what.
    pub target: A::Target,
    /// How.
    pub given: Given,
}

impl<A: Act> Ask<A> {
    /// What the decision depends on.
    pub fn facts(&self) -> Facts {
        let Given { purpose, second_factor, reason, ticket, break_glass } = self.given;
        Facts {
            actor: self.actor.facts(),
            action: A::ACTION,
            target: self.target.facts(&self.actor),
            purpose,
            second_factor,
            reason,
            ticket,
            break_glass: break_glass.map(|request| request.facts(&self.actor)),
        }
    }
}

mod sealed {
    pub trait Act {}

    pub trait Target {
        fn facts(&self, actor: &super::Actor) -> super::TargetFacts;
    }
}
use sealed::Target as _;

/// Something that can be asked for; the types in [`act`].
pub trait Act: sealed::Act {
    /// Its word.
    const ACTION: Action;
    /// What it is about.
    type Target: sealed::Target + fmt::Debug + Clone;
}

macro_rules! acts {
    ($($name:ident: $target:ty,)+) => {
        /// The actions as types.
        pub mod act {
            $(
                #[doc = concat!("[`Action::", stringify!($name), "`](super::Action::", stringify!($name), ")")]
                #[derive(Debug, Clone, Copy)]
                pub enum $name {}
            )+
        }
        $(
            impl sealed::Act for act::$name {}
            impl Act for act::$name {
                const ACTION: Action = Action::$name;
                type Target = $target;
            }
        )+
        #[cfg(test)]
        const ACTS: &[Action] = &[$(<act::$name as Act>::ACTION,)+];
    };
}

acts! {
    List: Record,
    ReadReceived: Record,
    Search: Value,
    Reveal: Value,
    Export: Value,
    Correct: Value,
    Restrict: Record,
    Erase: Record,
    BreakGlass: Record,
    ApproveBreakGlass: Record,
    Rotate: House,
    ManageStaff: Account,
    Grant: Grant,
    PolicyRead: House,
    PolicyEdit: House,
    AuditRead: House,
    AccessReview: House,
    Consent: Record,
    Request: Record,
    Fulfil: Record,
    Hold: Record,
    HandOver: Record,
    IncidentRead: House,
    IncidentHandle: House,
    Statistics: House,
    ExportAnalytics: House,
}

impl Record {
    fn data(&self, actor: &Actor, class: Option<Class>, kind: Option<Kind>) -> TargetFacts {
        let own = matches!(actor, Actor::Customer { id, .. } if *id == self.customer);
        TargetFacts::Data { tenant: self.tenant.clone(), own, restricted: self.restricted, class, kind }
    }
}

impl Account {
    fn account(&self, actor: &Actor, granted: Option<Role>) -> TargetFacts {
        let own = actor.staff() == Some(self.staff);
        let roles = self.roles.iter().copied().collect();
        TargetFacts::Account { tenant: self.tenant.clone(), own, roles, granted }
    }
}

impl sealed::Target for Record {
    fn facts(&self, actor: &Actor) -> TargetFacts {
        self.data(actor, None, None)
    }
}

impl sealed::Target for Value {
    fn facts(&self, actor: &Actor) -> TargetFacts {
        self.of.data(actor, Some(self.class), self.kind.clone())
    }
}

impl sealed::Target for Account {
    fn facts(&self, actor: &Actor) -> TargetFacts {
        self.account(actor, None)
    }
}

impl sealed::Target for Grant {
    fn facts(&self, actor: &Actor) -> TargetFacts {
        self.to.account(actor, Some(self.role))
    }
}

impl sealed::Target for House {
    fn facts(&self, _: &Actor) -> TargetFacts {
        TargetFacts::House { tenant: self.tenant.clone() }
    }
}

impl Rules {
    /// Decides. Whoever wants to open, change or destroy something takes the [`Allowed`] and nothing else.
    pub fn decide<A: Act>(&self, ask: Ask<A>) -> Result<Allowed<A>, Refused> {
        let facts = ask.facts();
        let outcome = self.judge(&facts);
        let recorded = Recorded { facts, outcome };
        if recorded.outcome.allowed {
            let Ask { actor, target, given } = ask;
            Ok(Allowed { actor, target, purpose: given.purpose, recorded, act: PhantomData })
        } else {
            Err(Refused { recorded: Box::new(recorded) })
        }
    }
}

/// Proof that the policies allow this actor this action on this target. Only [`Rules::decide`] makes it, and it is used
/// up by what it allows: it cannot be copied.
///
/// ```compile_fail,E0451
/// use chatward_policy::access::{Actor, Allowed, Record, Recorded, act};
/// fn forge(actor: Actor, target: Record, recorded: Recorded) -> Allowed<act::List> {
///     Allowed { actor, target, purpose: None, recorded, act: std::marker::PhantomData }
/// }
/// ```
///
/// ```compile_fail,E0308
/// use chatward_policy::access::{Allowed, act};
/// fn reveal(_: Allowed<act::Reveal>) {}
/// fn only_listed(allowed: Allowed<act::List>) {
///     reveal(allowed);
/// }
/// ```
///
/// ```compile_fail,E0599
/// use chatward_policy::access::{Allowed, act};
/// fn twice(allowed: &Allowed<act::Reveal>) -> Allowed<act::Reveal> {
///     Allowed::clone(allowed)
/// }
/// ```
///
/// ```compile_fail,E0277
/// struct Mine;
/// fn ask(_: chatward_policy::access::Ask<Mine>) {}
/// ```
#[derive(Debug)]
#[must_use = "nothing was done yet: it only may be"]
pub struct Allowed<A: Act> {
    actor: Actor,
    target: A::Target,
    purpose: Option<Purpose>,
    recorded: Recorded,
    act: PhantomData<A>,
}

impl<A: Act> Allowed<A> {
    /// Who may.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What may be done.
    pub fn action(&self) -> Action {
        A::ACTION
    }

    /// With what.
    pub fn target(&self) -> &A::Target {
        &self.target
    }

    /// For what.
    pub fn purpose(&self) -> Option<Purpose> {
        self.purpose
    }

    /// The hash of the policies that said so.
    pub fn policies(&self) -> &Arc<str> {
        &self.recorded.outcome.policies
    }

    /// The question and the decision, to be written down before anything is done.
    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }
}

/// A decision against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    recorded: Box<Recorded>,
}

impl Refused {
    /// The reason to act on.
    pub fn code(&self) -> Code {
        self.codes().first().copied().unwrap_or(Code::PolicyError)
    }

    /// Every reason, the one to act on first.
    pub fn codes(&self) -> &[Code] {
        &self.outcome().reasons
    }

    /// The question and the decision, to be written down.
    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    fn outcome(&self) -> &Outcome {
        &self.recorded.outcome
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<&str> = self.codes().iter().map(|code| code.as_str()).collect();
        write!(f, "refused: {}", codes.join(", "))
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_type() {
        assert_eq!(ACTS, Action::ALL);
    }

    #[test]
    fn an_approval_counts_only_from_a_third_person() {
        let id = |n| AccountId::from_bytes([n; 16]);
        let actor = |n| Actor::Staff { id: id(n), tenant: TenantId::default_tenant(), roles: vec![] };
        let request = |by| BreakGlass { requested_by: id(1), approved: Some((id(by), 5)) };
        assert_eq!(
            request(2).facts(&actor(1)),
            BrokenGlass { requested: true, approved: true, age: Some(5) }
        );
        // Approved by whoever asked for it, or used by whoever approved it, or used by somebody else.
        assert!(!request(1).facts(&actor(1)).approved);
        assert!(!request(2).facts(&actor(2)).approved && !request(2).facts(&actor(2)).requested);
        assert!(!request(2).facts(&actor(3)).requested);
    }

    #[test]
    fn data_is_a_customers_own_only_by_the_id() {
        let id = |n| CustomerId::from_bytes([n; 16]);
        let tenant = TenantId::default_tenant();
        let actor = Actor::Customer { id: id(1), tenant: tenant.clone(), anonymous: false };
        let own = |n| {
            let target = Record { tenant: tenant.clone(), customer: id(n), restricted: false };
            let ask = Ask::<act::List> { actor: actor.clone(), target, given: Given::default() };
            matches!(ask.facts().target, TargetFacts::Data { own: true, .. })
        };
        assert!(own(1) && !own(2));
    }
}
