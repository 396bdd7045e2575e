//! Decisions that are in the audit log before anything is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use chatward_message::{
    AccountId, Action, Class, CustomerId, Event, Facts, KeySlot, Kind, Place, Purposes, Subject, UnixMillis,
};
use chatward_policy::access::{self, Act, Allowed, Ask, Given, House, Purpose, Record, Value, act};
use chatward_store::record::{Changes, Put, Record as Kept, RecordKind};
use chatward_store::{Receipt, StoreError};
use serde::{Deserialize, Serialize};

use super::call::Stated;
use super::{Api, Who};
use crate::directory::{Failed, Seen};
use crate::problem::{Code, Problem};
use crate::turn::TurnError;

/// A decision of the policies that is durable in the audit log. Only [`note`] makes one, after the commit, and what opens a
/// stored value takes one by value: there is no reveal without its event.
///
/// ```compile_fail,E0451
/// use chatward::api::Noted;
/// use chatward_policy::access::{Allowed, act};
/// fn reveal_unseen(allowed: Allowed<act::Reveal>, receipt: chatward_store::Receipt) -> Noted<act::Reveal> {
///     Noted { allowed, receipt }
/// }
/// ```
///
/// ```compile_fail,E0308
/// use chatward::api::Noted;
/// use chatward_policy::access::act;
/// fn open(_: Noted<act::Reveal>) {}
/// fn only_listed(noted: Noted<act::List>) {
///     open(noted);
/// }
/// ```
#[derive(Debug)]
#[must_use = "nothing was done yet: it only may be"]
pub struct Noted<A: Act> {
    allowed: Allowed<A>,
    receipt: Receipt,
}

impl<A: Act> Noted<A> {
    /// What may be done, by whom, with what.
    pub fn allowed(&self) -> &Allowed<A> {
        &self.allowed
    }

    /// What it is about.
    pub fn target(&self) -> &A::Target {
        self.allowed.target()
    }

    /// Where the event stands in the audit log.
    pub fn index(&self) -> u64 {
        self.receipt.index()
    }
}

/// Whom a decision is about.
pub(crate) trait About: Send + Sync {
    /// The customer whose data it is.
    fn customer(&self) -> Option<CustomerId> {
        None
    }

    /// The class of data.
    fn class(&self) -> Option<Class> {
        None
    }

    /// The kind of data.
    fn kind(&self) -> Option<Kind> {
        None
    }

    /// The account that is managed.
    fn account(&self) -> Option<AccountId> {
        None
    }

    /// The role that is given or taken away.
    fn role(&self) -> Option<access::Role> {
        None
    }
}

impl About for Record {
    fn customer(&self) -> Option<CustomerId> {
        Some(self.customer)
    }
}

impl About for Value {
    fn customer(&self) -> Option<CustomerId> {
        Some(self.of.customer)
    }

    fn class(&self) -> Option<Class> {
        Some(self.class)
    }

    fn kind(&self) -> Option<Kind> {
        self.kind.clone()
    }
}

impl About for access::Account {
    fn account(&self) -> Option<AccountId> {
        Some(self.staff)
    }
}

impl About for access::Grant {
    fn account(&self) -> Option<AccountId> {
        Some(self.to.staff)
    }

    fn role(&self) -> Option<access::Role> {
        Some(self.role)
    }
}

impl About for House {}

/// A look at a customer's data, sealed under that customer's key: who it was, and why. The customer can read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Look {
    /// Where its event stands.
    pub(crate) at: UnixMillis,
    /// What was done.
    pub(crate) action: String,
    /// The account of staff that did it; none if it was the customer.
    pub(crate) by: Option<AccountId>,
    /// What for.
    pub(crate) purpose: Option<Purpose>,
    /// Why, in words.
    pub(crate) reason: Option<String>,
    /// The number of the request.
    pub(crate) ticket: Option<String>,
    /// Which class of data.
    pub(crate) class: Option<Class>,
    /// Which kind of data.
    pub(crate) kind: Option<Kind>,
}

/// The roles that may be given or taken away: about each the policies were asked, and the answers are in the audit log.
/// Routes that change roles take them from here, never from what was sent.
#[derive(Debug, Default)]
pub(crate) struct Granted(Vec<Noted<act::Grant>>);

impl Granted {
    /// These roles, with those that are given and without those that are taken away: whoever has one loses it.
    pub(crate) fn onto(&self, roles: &BTreeSet<access::Role>) -> BTreeSet<access::Role> {
        let mut roles = roles.clone();
        for noted in &self.0 {
            let role = noted.target().role;
            if !roles.remove(&role) {
                roles.insert(role);
            }
        }
        roles
    }
}

/// Asks about each role that a request gives or takes away. One that may not be refuses them all.
pub(super) async fn grant(
    api: &Api,
    who: &Who,
    grants: Vec<access::Grant>,
    stated: &Stated,
) -> Result<Granted, Problem> {
    let mut all = Vec::new();
    for grant in grants {
        all.push(note::<act::Grant>(api, who, grant, stated.clone()).await?);
    }
    Ok(Granted(all))
}

impl Look {
    /// Opens one.
    pub(super) async fn open(api: &Api, record: &Kept) -> Result<Self, Problem> {
        let gate = &api.gate;
        let key = gate.vault.customer_key(record.slot).await.map_err(Failed::from)?;
        let place = Place {
            tenant: &gate.tenant,
            table: "records",
            column: RecordKind::Look.name(),
            row: &record.id,
        };
        let plain = gate.vault.open_sealed(&key, place, &record.sealed).map_err(Failed::from)?;
        serde_json::from_slice(&plain).map_err(|_| Problem::new(Code::Internal))
    }
}

/// Asks the policies, writes down what they said, and only then gives leave. A refusal is written down too.
pub(super) async fn note<A>(
    api: &Api,
    who: &Who,
    target: A::Target,
    stated: Stated,
) -> Result<Noted<A>, Problem>
where
    A: Act<Target: About>,
{
    let facts = Whose {
        customer: target.customer(),
        class: target.class(),
        kind: target.kind(),
        account: target.account(),
        role: target.role(),
    };
    let given = Given {
        purpose: stated.purpose,
        second_factor: who.second_factor(api),
        reason: stated.reason.as_deref().is_some_and(|reason| !reason.trim().is_empty()),
        ticket: stated.ticket.as_deref().is_some_and(|ticket| !ticket.trim().is_empty()),
        break_glass: stated.break_glass,
    };
    let actor = who.actor(api, A::ACTION);
    let by = match &actor {
        access::Actor::Staff { .. } => "staff",
        access::Actor::Service { .. } => "service",
        access::Actor::Customer { .. } => "customer",
    };
    let policies = api.policies();
    let decided = policies.decide(Ask::<A> { actor, target, given });
    let noted = |policies: &Arc<str>| chatward_message::Access {
        action: A::ACTION.name(),
        by,
        purpose: given.purpose.map(Purpose::name),
        class: facts.class,
        kind: facts.kind.clone(),
        reasoned: given.reason,
        ticket: given.ticket,
        policies: Arc::clone(policies),
    };
    match decided {
        Ok(allowed) => {
            let access = noted(allowed.policies());
            let receipt =
                written(api, who, Action::AccessAllowed, access, None, &facts, Some(&stated)).await?;
            Ok(Noted { allowed, receipt })
        }
        Err(refused) => {
            let access = noted(&refused.recorded().outcome.policies);
            let reason = Some(refused.code().as_str());
            let _written = written(api, who, Action::AccessRefused, access, reason, &facts, None).await?;
            Err(super::refusal::of_policies(api, who, refused.code()))
        }
    }
}

/// How often it is tried to write a decision down when others write at the same moment.
const TRIES: u32 = 8;

/// What the target says, before it is moved into the question.
struct Whose {
    customer: Option<CustomerId>,
    class: Option<Class>,
    kind: Option<Kind>,
    account: Option<AccountId>,
    role: Option<access::Role>,
}

async fn written(
    api: &Api,
    who: &Who,
    action: Action,
    access: chatward_message::Access,
    reason: Option<&'static str>,
    about: &Whose,
    stated: Option<&Stated>,
) -> Result<Receipt, Problem> {
    let gate = &api.gate;
    let whose = match about.customer {
        Some(customer) => pseudonym(api, customer).await?.map(|(slot, subject)| (customer, slot, subject)),
        None => None,
    };
    let subject = match (whose, about.account) {
        (Some((_, _, subject)), _) => Some(subject),
        (None, Some(account)) => api.directory.account(account).await?.map(|held| held.account.subject()),
        (None, None) => None,
    };
    let action_name = access.action;
    let (purpose, class, kind) = (stated.and_then(|s| s.purpose), access.class, access.kind.clone());
    let actor = who.pseudonym().filter(|actor| Some(*actor) != subject);
    let roles = about.role.map(access::Role::name).into_iter().collect();
    let facts = Facts { access: Some(access), reason, actor, roles, ..Facts::default() };
    let at = gate.clock.now();
    let event = Event { at, tenant: gate.tenant.clone(), action, turn: None, subject, facts };
    // Customers who look at their own data leave no trail: it shows who else did.
    let others = !matches!(who, Who::Customer(_) | Who::Nameless { .. });
    let mut puts = Vec::new();
    if let (Some((customer, slot, _)), Some(stated), true) = (whose, stated, others) {
        let look = Look {
            at,
            action: action_name.to_owned(),
            by: match who {
                Who::Staff(present) => Some(present.account.id()),
                _ => None,
            },
            purpose,
            reason: stated.reason.clone(),
            ticket: stated.ticket.clone(),
            class,
            kind,
        };
        puts.push(look_put(api, customer, slot, &look).await?);
    }
    let about = whose.map(|(customer, _, _)| customer).filter(|_| others);
    let (tenant, removals, events, standing) = (gate.tenant.clone(), Vec::new(), vec![event], None);
    let changes = Changes { tenant, removals, puts, events, about, standing };
    let asker = stated.and_then(|_| who.account_bytes());
    committed(api, changes, asker.map(|id| (id, Seen::named(action_name, class), at))).await
}

/// Writes the event, and with it that this account did this just now. Two looks of one account at the same moment are no
/// reason to refuse one of them.
async fn committed(
    api: &Api,
    changes: Changes,
    seen: Option<([u8; 16], String, UnixMillis)>,
) -> Result<Receipt, Problem> {
    for _ in 0..TRIES {
        let mut changes = changes.clone();
        if let Some((id, what, at)) = &seen {
            changes.puts.push(api.directory.seen_put(*id, what, *at).await?);
        }
        match api.gate.store.change(changes).await {
            Ok(receipt) => return receipt.ok_or_else(|| Problem::new(Code::Internal)),
            Err(StoreError::Overtaken) => {}
            Err(error) => return Err(Failed::from(error).into()),
        }
    }
    Err(Code::Busy.into())
}

/// The looks at a customer's data that were allowed, newest first.
pub(super) async fn looks(api: &Api, customer: CustomerId) -> Result<Vec<Look>, Problem> {
    let gate = &api.gate;
    let records =
        gate.store.records_of(&gate.tenant, RecordKind::Look, customer).await.map_err(Failed::from)?;
    let mut looks = Vec::new();
    for record in &records {
        looks.push(Look::open(api, record).await?);
    }
    looks.sort_by_key(|look| std::cmp::Reverse(look.at));
    Ok(looks)
}

async fn look_put(api: &Api, customer: CustomerId, slot: KeySlot, look: &Look) -> Result<Put, Problem> {
    let gate = &api.gate;
    let key = gate.vault.customer_key(slot).await.map_err(Failed::from)?;
    let id = crate::caller::random::<16>().map_err(Failed::from)?;
    let place = Place { tenant: &gate.tenant, table: "records", column: RecordKind::Look.name(), row: &id };
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(look).map_err(|_| Problem::new(Code::Internal))?);
    let sealed = gate.vault.seal(&key, place, &plain).map_err(Failed::from)?;
    let record = Kept {
        kind: RecordKind::Look,
        id: id.to_vec().into(),
        revision: 1,
        slot,
        customer: Some(customer),
        until: None,
        purposes: Purposes::SERVICE,
        sealed,
    };
    Ok(Put { record, was: None, handles: None })
}

/// A customer's key slot and pseudonym; none if nothing of theirs can be read.
async fn pseudonym(api: &Api, customer: CustomerId) -> Result<Option<(KeySlot, Subject)>, Problem> {
    let gate = &api.gate;
    let kept = gate.store.customer(&gate.tenant, customer).await.map_err(Failed::from)?;
    let Some(slot) = kept else {
        // Somebody with an account who never wrote, or whose erasing was cut short.
        return match api.directory.account_of(customer).await {
            Ok(held) => Ok(held.map(|held| (held.slot(), held.account.subject()))),
            Err(Failed::Vault(chatward_vault::VaultError::NoKey { .. })) => Ok(None),
            Err(failed) => Err(failed.into()),
        };
    };
    match gate.vault.customer_key(slot).await {
        Ok(key) => Ok(Some((slot, gate.vault.subject(&key).map_err(Failed::from)?))),
        Err(chatward_vault::VaultError::NoKey { .. }) => Ok(None),
        Err(error) => Err(Failed::from(error).into()),
    }
}

/// What went wrong inside a turn, for our own routes.
impl From<TurnError> for Problem {
    fn from(error: TurnError) -> Self {
        if !matches!(error, TurnError::Told(_)) {
            tracing::warn!(cause = %error, "what is kept cannot be shown");
        }
        error.code().into()
    }
}

/// The actions that open stored values: what takes one of these has its event in the log.
pub(crate) type Revealing = Noted<act::Reveal>;
