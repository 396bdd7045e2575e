//! Who is on the staff, in one value: so that the last administrator cannot leave by two doors at once.

use std::collections::{BTreeMap, BTreeSet};

use chatward_message::AccountId;
use serde::{Deserialize, Serialize};

use crate::identity::account::StoredError;
use crate::identity::{Account, Holder, Role, State};

/// The staff of a house: who has which role, and whether they can sign in. It is written in the same transaction as the
/// accounts, and only if nobody else wrote it in between.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// Of the stored form.
    version: u16,
    people: BTreeMap<AccountId, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    roles: BTreeSet<Role>,
    active: bool,
}

impl Roster {
    /// Puts down how an account of staff is now.
    pub(super) fn enter(&mut self, account: &Account) {
        let Holder::Staff { roles, .. } = account.holder() else { return };
        match account.state() {
            State::Closed => self.people.remove(&account.id()),
            state => {
                let entry = Entry { roles: roles.clone(), active: *state == State::Active };
                self.people.insert(account.id(), entry)
            }
        };
    }

    /// Whether anybody can administer the house by signing in. From then on the token of the first start opens nothing.
    pub fn has_admin(&self) -> bool {
        self.people.values().any(Entry::is_admin)
    }

    /// How many others than this one can administer the house.
    pub fn other_admins(&self, than: AccountId) -> u32 {
        let others = self.people.iter().filter(|(id, entry)| **id != than && entry.is_admin());
        u32::try_from(others.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoredError> {
        serde_json::to_vec(self).map_err(|_| StoredError::NotAnAccount)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let roster: Self = serde_json::from_slice(bytes).map_err(|_| StoredError::NotAnAccount)?;
        if roster.version > 0 { Err(StoredError::Newer) } else { Ok(roster) }
    }
}

impl Entry {
    fn is_admin(&self) -> bool {
        self.active && self.roles.contains(&Role::Admin)
    }
}
