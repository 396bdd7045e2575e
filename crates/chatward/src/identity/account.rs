//! One account: everything Chatward knows of how one person signs in, as one value.
//!
//! The value is sealed and stored whole, under a revision: who changes it writes it back only if nobody else did so in
//! between. So there is no half-changed account, and a code or a try cannot be used twice by being quick.

use std::collections::BTreeSet;

use chatward_message::{AccountId, Action, CustomerId, Event, Facts, Subject, TenantId, UnixMillis};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::app::{App, PendingApp};
use super::ceremony::CeremonyId;
use super::outcome::{Next, Refused, Why};
use super::passkey::PasskeyEntry;
use super::password::PasswordHash;
use super::recovery::RecoveryCodes;
use super::secret::{Random, SecretText, TokenHash, id};
use super::session::Device;
use super::sso::SsoLink;
use super::tries::Tries;
use crate::caller::NoRandom;

/// What a member of staff is there for, in the words of the policies.
pub use chatward_policy::access::Role;

/// Whose account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Holder {
    /// A customer's.
    Customer {
        /// Which customer's.
        customer: CustomerId,
    },
    /// A member of staff's. Any of them may be allowed to reveal data, by a role or by two people in an emergency, so
    /// all of them need a second factor, always.
    Staff {
        /// What for.
        roles: BTreeSet<Role>,
        /// Whether this person keeps keys: needs a passkey that cannot leave its device.
        custodian: bool,
    },
}

/// Where an account is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum State {
    /// Invited; nothing is set up.
    Invited {
        /// The invitation that is open, if none was used yet.
        token: Option<TokenHash>,
        /// Until when it counts.
        until: UnixMillis,
    },
    /// In use.
    Active,
    /// Locked by an administrator.
    Locked,
    /// The person left. There is no way back.
    Closed,
}

impl State {
    /// The word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Invited { .. } => "invited",
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Closed => "closed",
        }
    }
}

/// The account. See the module's documentation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub(super) tenant: TenantId,
    pub(super) id: AccountId,
    pub(super) subject: Subject,
    pub(super) revision: u64,
    pub(super) holder: Holder,
    pub(super) state: State,
    pub(super) name: SecretText,
    pub(super) created: UnixMillis,
    pub(super) passkeys: Vec<PasskeyEntry>,
    pub(super) app: Option<App>,
    pub(super) pending_app: Option<PendingApp>,
    pub(super) recovery: Option<RecoveryCodes>,
    pub(super) password: Option<PasswordHash>,
    pub(super) sso: Option<SsoLink>,
    pub(super) tries: Tries,
    /// Raised by signing out everywhere: older sessions end.
    pub(super) epoch: u64,
    pub(super) devices: Vec<Device>,
    /// Ceremonies that were finished less than five minutes ago: none is finished twice.
    pub(super) used: Vec<(CeremonyId, UnixMillis)>,
}

/// Who is about to get an account.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// In whose house.
    pub tenant: TenantId,
    /// The pseudonym in the audit log.
    pub subject: Subject,
    /// The name to sign in with, and to see in the list of passkeys.
    pub name: SecretText,
}

/// A stored account that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// Written by a newer program.
    #[error("the account was written by a newer version")]
    Newer,
    /// Not an account.
    #[error("this is not an account")]
    NotAnAccount,
    /// Another house's account.
    #[error("the account belongs to another tenant")]
    OtherTenant,
}

/// The version of the stored form.
const VERSION: u16 = 1;

#[derive(Serialize)]
struct StoredOut<'a> {
    version: u16,
    account: &'a Account,
}

#[derive(Deserialize)]
struct StoredVersion {
    version: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredIn {
    #[serde(rename = "version")]
    _version: u16,
    account: Account,
}

impl Account {
    /// A customer's account, with nothing set up yet, and the event to write with it.
    ///
    /// # Errors
    ///
    /// [`NoRandom`] if there are no random numbers.
    pub fn open(
        newcomer: Newcomer,
        customer: CustomerId,
        random: &mut dyn Random,
        now: UnixMillis,
    ) -> Result<(Self, Event), NoRandom> {
        let account = Self::new(newcomer, Holder::Customer { customer }, State::Active, random, now)?;
        let event = account.event(now, Action::AccountOpened, Facts::default());
        Ok((account, event))
    }

    pub(super) fn new(
        newcomer: Newcomer,
        holder: Holder,
        state: State,
        random: &mut dyn Random,
        now: UnixMillis,
    ) -> Result<Self, NoRandom> {
        let Newcomer { tenant, subject, name } = newcomer;
        Ok(Self {
            tenant,
            id: AccountId::from_bytes(id(random)?),
            subject,
            revision: 1,
            holder,
            state,
            name,
            created: now,
            passkeys: Vec::new(),
            app: None,
            pending_app: None,
            recovery: None,
            password: None,
            sso: None,
            tries: Tries::default(),
            epoch: 0,
            devices: Vec::new(),
            used: Vec::new(),
        })
    }

    /// In whose house.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The account's id.
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The pseudonym in the audit log.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// How often the account was changed: what is stored is replaced only at the revision it was read at.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whose it is.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Where it is in its life.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The name to sign in with.
    pub fn name(&self) -> &SecretText {
        &self.name
    }

    /// The customer, of a customer's account.
    pub fn customer(&self) -> Option<CustomerId> {
        match self.holder {
            Holder::Customer { customer } => Some(customer),
            Holder::Staff { .. } => None,
        }
    }

    /// Whether it is a member of staff's.
    pub fn is_staff(&self) -> bool {
        matches!(self.holder, Holder::Staff { .. })
    }

    /// Whether this member of staff has this role.
    pub fn has_role(&self, role: Role) -> bool {
        matches!(&self.holder, Holder::Staff { roles, .. } if roles.contains(&role))
    }

    /// Whether this person keeps keys.
    pub fn is_custodian(&self) -> bool {
        matches!(self.holder, Holder::Staff { custodian: true, .. })
    }

    /// Whether the account must have a second factor: every member of staff may be given rights to reveal.
    pub fn must_have_second_factor(&self) -> bool {
        self.is_staff()
    }

    /// Whether a second factor is set up: a passkey, or an authenticator app.
    pub fn has_second_factor(&self) -> bool {
        self.app.is_some() || !self.passkeys.is_empty()
    }

    /// The passkeys.
    pub fn passkeys(&self) -> &[PasskeyEntry] {
        &self.passkeys
    }

    /// The authenticator app, if one is set up.
    pub fn app(&self) -> Option<&App> {
        self.app.as_ref()
    }

    /// How many recovery codes are left, if any were made.
    pub fn recovery_codes_left(&self) -> Option<usize> {
        self.recovery.as_ref().map(RecoveryCodes::left)
    }

    /// Whether a password is set.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// The account at the identity provider, if one is linked.
    pub fn sso(&self) -> Option<&SsoLink> {
        self.sso.as_ref()
    }

    /// The browsers that are signed in.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// Failed tries.
    pub fn tries(&self) -> &Tries {
        &self.tries
    }

    /// The stored form, in clear: for the vault to seal.
    ///
    /// # Errors
    ///
    /// [`StoredError::NotAnAccount`] if it cannot be written, which no account can bring about.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, StoredError> {
        let stored = StoredOut { version: VERSION, account: self };
        serde_json::to_vec(&stored).map(Zeroizing::new).map_err(|_| StoredError::NotAnAccount)
    }

    /// Reads the stored form, of this house.
    ///
    /// # Errors
    ///
    /// [`StoredError`] for anything but an account of this house in a version that is known.
    pub fn from_bytes(bytes: &[u8], tenant: &TenantId) -> Result<Self, StoredError> {
        let StoredVersion { version } =
            serde_json::from_slice(bytes).map_err(|_| StoredError::NotAnAccount)?;
        if version > VERSION {
            return Err(StoredError::Newer);
        }
        let stored: StoredIn = serde_json::from_slice(bytes).map_err(|_| StoredError::NotAnAccount)?;
        if stored.account.tenant != *tenant {
            return Err(StoredError::OtherTenant);
        }
        Ok(stored.account)
    }

    pub(super) fn event(&self, now: UnixMillis, action: Action, facts: Facts) -> Event {
        Event { at: now, tenant: self.tenant.clone(), action, turn: None, subject: Some(self.subject), facts }
    }

    /// Whether somebody may sign in to it at all.
    pub(super) fn open_for_sign_in(&self) -> Result<(), Refused> {
        match self.state {
            State::Active => Ok(()),
            State::Invited { .. } => Err(Refused::new(Why::NotActive, Next::AskAdministrator)),
            State::Locked => Err(Refused::new(Why::Locked, Next::AskAdministrator)),
            State::Closed => Err(Refused::new(Why::Closed, Next::AskAdministrator)),
        }
    }

    /// Ends every session.
    pub(super) fn end_sessions(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        self.devices.clear();
    }

    /// Takes away everything that signs in.
    pub(super) fn wipe_factors(&mut self) {
        self.passkeys.clear();
        self.app = None;
        self.pending_app = None;
        self.recovery = None;
        self.password = None;
        self.sso = None;
    }

    /// Whether everything is set up that the account must have: of staff a second factor and a first to stand beside it
    /// (a passkey is both), of who keeps keys a passkey that cannot leave its device.
    pub fn is_complete(&self, now: UnixMillis) -> bool {
        let Holder::Staff { custodian, .. } = self.holder else { return true };
        let passkey = |device_bound: bool| {
            let counts = |entry: &PasskeyEntry| entry.works() && entry.trust.holds(now);
            self.passkeys.iter().any(|entry| counts(entry) && (entry.is_device_bound() || !device_bound))
        };
        let app = self.app.as_ref().is_some_and(|app| app.trust().holds(now));
        let first = self.password.is_some() || self.sso.is_some();
        passkey(custodian) || (app && first && !custodian)
    }

    /// Refuses what would leave the account without something that it must have.
    pub(super) fn still_complete(&self, now: UnixMillis) -> Result<(), Refused> {
        if self.is_complete(now) {
            return Ok(());
        }
        Err(Refused::new(Why::LastSecondFactor, Next::AddAnother))
    }

    /// Remembers that a ceremony is finished; refuses if it was before.
    pub(super) fn use_up(&mut self, ceremony: CeremonyId, until: UnixMillis) -> Result<(), Refused> {
        if self.used.iter().any(|(used, _)| *used == ceremony) {
            return Err(Refused::new(Why::CeremonyUsed, Next::StartOver));
        }
        if self.used.len() >= USED_MAX {
            return Err(Refused::new(Why::TooMany, Next::TryLater));
        }
        self.used.push((ceremony, until));
        Ok(())
    }

    /// Forgets ceremonies that no longer open anyway.
    pub(super) fn forget_used(&mut self, now: UnixMillis) {
        self.used.retain(|(_, until)| *until >= now);
    }
}

/// So many ceremonies are finished in five minutes at most.
const USED_MAX: usize = 64;

/// From when on something that was set up counts as a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// At once.
    Now,
    /// From then on: it was set up by a customer who came in with a recovery code alone.
    From(UnixMillis),
    /// Once an administrator has confirmed it: it was set up by staff who came in with a recovery code.
    Unconfirmed,
}

impl Trust {
    /// Whether it counts now.
    pub fn holds(self, now: UnixMillis) -> bool {
        match self {
            Self::Now => true,
            Self::From(then) => now >= then,
            Self::Unconfirmed => false,
        }
    }
}
