//! Service accounts: programs of the house, with keys that are scoped and expire.
//!
//! A program cannot show a second factor, so there is no scope in the list that shows personal data in clear.

use std::collections::BTreeSet;

use chatward_message::{Action, Event, Facts, ServiceId, TenantId, UnixMillis};
use serde::{Deserialize, Serialize};

use super::account::StoredError;
use super::outcome::{Next, Refused, Why};
use super::rules::{With, after};
use super::secret::{SecretText, Token, TokenHash, TokenKind, id};
use super::staff::Administrator;

/// A key lives this long at most.
pub const KEY_LIFE_MAX: u64 = 366 * 24 * 60 * 60_000;
/// So many keys a service account may have: one in use, one that takes over, and some.
pub const KEYS_MAX: usize = 8;

/// What a key is for, in the words of the policies.
pub use chatward_policy::access::Scope;

/// A service account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    version: u16,
    tenant: TenantId,
    id: ServiceId,
    revision: u64,
    name: SecretText,
    keys: Vec<ServiceKey>,
}

/// One key of a service account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceKey {
    hash: TokenHash,
    scopes: BTreeSet<Scope>,
    made: UnixMillis,
    expires: UnixMillis,
}

impl ServiceKey {
    /// The hash under which the account is found.
    pub fn hash(&self) -> &TokenHash {
        &self.hash
    }

    /// What it may be used for.
    pub fn scopes(&self) -> &BTreeSet<Scope> {
        &self.scopes
    }

    /// When it was made.
    pub fn made(&self) -> UnixMillis {
        self.made
    }

    /// When it ends.
    pub fn expires(&self) -> UnixMillis {
        self.expires
    }
}

/// A program that showed a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCaller {
    tenant: TenantId,
    id: ServiceId,
    scopes: BTreeSet<Scope>,
}

impl ServiceCaller {
    /// In whose house.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Which service account.
    pub fn id(&self) -> ServiceId {
        self.id
    }

    /// What the key was made for.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.scopes.iter().copied()
    }

    /// Whether the key was made for this.
    ///
    /// # Errors
    ///
    /// [`Why::ServiceScope`] if not.
    pub fn may(&self, scope: Scope) -> Result<(), Refused> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        Err(Refused::new(Why::ServiceScope, Next::AskForKey))
    }
}

impl Service {
    /// A service account without a key.
    ///
    /// # Errors
    ///
    /// [`Refused`] if something on our side does not work.
    pub fn new(name: SecretText, by: &Administrator, with: &mut With<'_>) -> Result<(Self, Event), Refused> {
        let service = Self {
            version: 1,
            tenant: by.tenant().clone(),
            id: ServiceId::from_bytes(id(with.random)?),
            revision: 1,
            name,
            keys: Vec::new(),
        };
        let event = service.event(Action::ServiceMade, by, with.now);
        Ok((service, event))
    }

    /// Its id.
    pub fn id(&self) -> ServiceId {
        self.id
    }

    /// What it is called.
    pub fn name(&self) -> &SecretText {
        &self.name
    }

    /// How often it was changed.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The stored form, in clear: for the vault to seal.
    ///
    /// # Errors
    ///
    /// [`StoredError::NotAnAccount`] if it cannot be written, which no account can bring about.
    pub fn to_bytes(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, StoredError> {
        serde_json::to_vec(self).map(zeroize::Zeroizing::new).map_err(|_| StoredError::NotAnAccount)
    }

    /// Reads the stored form, of this house.
    ///
    /// # Errors
    ///
    /// [`StoredError`] for anything but an account of this house in a version that is known.
    pub fn from_bytes(bytes: &[u8], tenant: &TenantId) -> Result<Self, StoredError> {
        let service: Self = serde_json::from_slice(bytes).map_err(|_| StoredError::NotAnAccount)?;
        if service.version > 1 {
            return Err(StoredError::Newer);
        }
        if service.tenant != *tenant {
            return Err(StoredError::OtherTenant);
        }
        Ok(service)
    }

    /// Its keys.
    pub fn keys(&self) -> &[ServiceKey] {
        &self.keys
    }

    /// Makes a key for these scopes that lives so long, in milliseconds. It is shown once.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it is to live too long, or there are too many.
    pub fn make_key(
        mut self,
        scopes: BTreeSet<Scope>,
        life: u64,
        by: &Administrator,
        with: &mut With<'_>,
    ) -> Result<(Self, Token, Event), Refused> {
        self.same_house(by)?;
        if life == 0 || life > KEY_LIFE_MAX {
            return Err(Refused::new(Why::ServiceLifetime, Next::TryAgain));
        }
        self.keys.retain(|key| key.expires > with.now);
        if self.keys.len() >= KEYS_MAX {
            return Err(Refused::new(Why::TooMany, Next::RemoveOne));
        }
        let (token, hash) = Token::new(TokenKind::Service, with.random)?;
        let expires = after(with.now, life);
        self.keys.push(ServiceKey { hash, scopes, made: with.now, expires });
        self.revision = self.revision.saturating_add(1);
        let event = self.event(Action::ServiceKeyMade, by, with.now);
        Ok((self, token, event))
    }

    /// Withdraws a key, or all of them.
    ///
    /// # Errors
    ///
    /// [`Refused`] if there is no such key.
    pub fn revoke(
        mut self,
        key: Option<&TokenHash>,
        by: &Administrator,
        now: UnixMillis,
    ) -> Result<(Self, Event), Refused> {
        self.same_house(by)?;
        let before = self.keys.len();
        self.keys.retain(|kept| key.is_some_and(|key| kept.hash != *key));
        if self.keys.len() == before {
            return Err(Refused::new(Why::ServiceKeyUnknown, Next::StartOver));
        }
        self.revision = self.revision.saturating_add(1);
        let event = self.event(Action::ServiceKeyRevoked, by, now);
        Ok((self, event))
    }

    /// Whether this key is one of the account's, now. The account was found by the key's hash.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it is not, or has expired.
    pub fn caller(&self, token: &str, now: UnixMillis) -> Result<ServiceCaller, Refused> {
        let hash = TokenHash::of(TokenKind::Service, token);
        let key = self.keys.iter().find(|key| key.hash == hash);
        let key = key.ok_or_else(|| Refused::new(Why::ServiceKeyUnknown, Next::AskForKey))?;
        if now >= key.expires {
            return Err(Refused::new(Why::ServiceKeyExpired, Next::AskForKey));
        }
        Ok(ServiceCaller { tenant: self.tenant.clone(), id: self.id, scopes: key.scopes.clone() })
    }

    fn same_house(&self, by: &Administrator) -> Result<(), Refused> {
        if self.tenant == *by.tenant() {
            return Ok(());
        }
        Err(Refused::new(Why::OtherTenant, Next::StartOver))
    }

    fn event(&self, action: Action, by: &Administrator, now: UnixMillis) -> Event {
        let key = Some(Box::from(self.id.to_string()));
        let facts = Facts { actor: Some(by.subject()), key, ..Facts::default() };
        Event { at: now, tenant: self.tenant.clone(), action, turn: None, subject: None, facts }
    }
}
