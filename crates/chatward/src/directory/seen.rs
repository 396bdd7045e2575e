//! When somebody last did what: one small value for each account of staff and each program, written together with the
//! decision that allowed it. An access review shows it beside what the account could do.

use std::collections::BTreeMap;

use chatward_message::{Class, UnixMillis};
use chatward_store::record::{Put, RecordKind};
use serde::{Deserialize, Serialize};

use super::{Directory, Failed};
use crate::identity::account::StoredError;

/// What an account did last, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Of the stored form.
    version: u16,
    last: BTreeMap<String, UnixMillis>,
}

impl Seen {
    /// The word under which something is put down: the action, and the class of data if there is one.
    pub fn named(action: &str, class: Option<Class>) -> String {
        class.map_or_else(|| action.to_owned(), |class| format!("{action} {}", class.name()))
    }

    /// What was done and when it was done last, in order of the words.
    pub fn iter(&self) -> impl Iterator<Item = (&str, UnixMillis)> {
        self.last.iter().map(|(what, at)| (what.as_str(), *at))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let seen: Self = serde_json::from_slice(bytes).map_err(|_| StoredError::NotAnAccount)?;
        if seen.version > 0 { Err(StoredError::Newer) } else { Ok(seen) }
    }
}

impl Directory {
    /// What the account or program of this id did last.
    pub async fn seen(&self, id: [u8; 16]) -> Result<Seen, Failed> {
        match self.0.gate.store.record(self.tenant(), RecordKind::House, &id).await? {
            Some(record) => Ok(Seen::from_bytes(&self.open(&record).await?.plain)?),
            None => Ok(Seen::default()),
        }
    }

    /// What is to be written when this account does this.
    pub(crate) async fn seen_put(&self, id: [u8; 16], what: &str, at: UnixMillis) -> Result<Put, Failed> {
        let (mut seen, was, slot) =
            match self.0.gate.store.record(self.tenant(), RecordKind::House, &id).await? {
                Some(record) => {
                    let opened = self.open(&record).await?;
                    (Seen::from_bytes(&opened.plain)?, Some(opened.revision), opened.slot)
                }
                None => (Seen::default(), None, self.fresh_slot().await?.0),
            };
        seen.last.insert(what.to_owned(), at);
        let plain = serde_json::to_vec(&seen).map_err(|_| StoredError::NotAnAccount)?;
        let key = self.0.gate.vault.customer_key(slot).await?;
        let revision = was.unwrap_or(0).saturating_add(1);
        let record = self.seal(&key, RecordKind::House, id.to_vec(), revision, &plain)?;
        Ok(Put { record, was, handles: None })
    }
}
