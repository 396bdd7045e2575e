//! Requests to break the glass: somebody asks to see what their role does not show, and somebody else agrees or does not.
//!
//! A request is about one customer and sealed under that customer's key: it goes when the customer is erased.

use chatward_message::{AccountId, Action, BreakGlassId, CustomerId, Event, Facts, Subject, UnixMillis};
use chatward_policy::access::{BreakGlass, Purpose};
use chatward_store::StoreError;
use chatward_store::record::{Put, Record, RecordKind};
use chatward_vault::VaultError;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Directory, Failed, PAGE};
use crate::identity::account::StoredError;
use crate::identity::outcome::{Next, Refused, Why};
use crate::identity::secret::SecretText;

/// A request to break the glass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glass {
    /// Whose data it is about.
    pub customer: CustomerId,
    /// What for.
    pub purpose: Purpose,
    /// Why, in words. The customer can read it.
    pub reason: SecretText,
    /// The number of a request or an incident.
    pub ticket: SecretText,
    /// Who asks.
    pub requested_by: AccountId,
    /// Since when.
    pub requested: UnixMillis,
    /// Who agreed, if anybody did.
    pub approved: Option<Approval>,
}

/// Somebody agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who.
    pub by: AccountId,
    /// When.
    pub at: UnixMillis,
}

/// A request as it is kept.
#[derive(Debug, Clone)]
pub struct KeptGlass {
    /// Its id.
    pub id: BreakGlassId,
    /// The request.
    pub glass: Glass,
    record: Record,
}

impl Glass {
    /// As the policies know it.
    pub fn facts(&self, now: UnixMillis) -> BreakGlass {
        let age = |at: UnixMillis| u32::try_from(now.0.saturating_sub(at.0) / 1000).unwrap_or(u32::MAX);
        BreakGlass {
            requested_by: self.requested_by,
            approved: self.approved.map(|approval| (approval.by, age(approval.at))),
        }
    }

    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, StoredError> {
        serde_json::to_vec(self).map(Zeroizing::new).map_err(|_| StoredError::NotAnAccount)
    }
}

impl Directory {
    /// Keeps a request, with its event. `by` is the pseudonym of who asks.
    pub async fn ask_to_break_glass(&self, glass: Glass, by: Subject) -> Result<KeptGlass, Failed> {
        let id = BreakGlassId::from_bytes(super::fresh_id()?);
        let slot = match self.0.gate.store.customer(self.tenant(), glass.customer).await? {
            Some(slot) => slot,
            None => self.account_of(glass.customer).await?.ok_or(Failed::Unknown)?.slot(),
        };
        let key = self.0.gate.vault.customer_key(slot).await?;
        let plain = glass.to_bytes()?;
        let mut record = self.seal(&key, RecordKind::BreakGlass, id.as_bytes().to_vec(), 1, &plain)?;
        record.customer = Some(glass.customer);
        self.put_glass(record.clone(), None, &glass, Action::BreakGlassRequested, by).await?;
        Ok(KeptGlass { id, glass, record })
    }

    /// Agrees to a request. `by` is who agrees, with the pseudonym: never who asked, and never twice.
    pub async fn approve_glass(
        &self,
        kept: KeptGlass,
        by: (AccountId, Subject),
    ) -> Result<KeptGlass, Failed> {
        let KeptGlass { id, mut glass, record: old } = kept;
        if glass.requested_by == by.0 {
            return Err(Refused::new(Why::OwnAccount, Next::AskAnotherAdministrator).into());
        }
        if glass.approved.is_some() {
            return Err(Refused::new(Why::AlreadySetUp, Next::StartOver).into());
        }
        glass.approved = Some(Approval { by: by.0, at: self.now() });
        let key = self.0.gate.vault.customer_key(old.slot).await?;
        let (plain, revision) = (glass.to_bytes()?, old.revision.saturating_add(1));
        let mut record = self.seal(&key, RecordKind::BreakGlass, old.id.to_vec(), revision, &plain)?;
        record.customer = old.customer;
        let was = Some(old.revision);
        self.put_glass(record.clone(), was, &glass, Action::BreakGlassApproved, by.1).await?;
        Ok(KeptGlass { id, glass, record })
    }

    /// The request of this id.
    pub async fn glass(&self, id: BreakGlassId) -> Result<Option<KeptGlass>, Failed> {
        match self.0.gate.store.record(self.tenant(), RecordKind::BreakGlass, id.as_bytes()).await? {
            Some(record) => self.read_glass(record).await,
            None => Ok(None),
        }
    }

    /// Requests, in order of id.
    pub async fn glasses(&self, after: Option<BreakGlassId>, limit: usize) -> Result<Vec<KeptGlass>, Failed> {
        let (mut all, mut from) = (Vec::new(), after.map(|id| id.as_bytes().to_vec()));
        while all.len() < limit {
            let store = &self.0.gate.store;
            let page = store.records(self.tenant(), RecordKind::BreakGlass, from.as_deref(), PAGE).await?;
            let last = page.len() < PAGE;
            from = page.last().map(|record| record.id.to_vec());
            for record in page {
                if all.len() < limit {
                    all.extend(self.read_glass(record).await?);
                }
            }
            if last {
                break;
            }
        }
        Ok(all)
    }

    async fn read_glass(&self, record: Record) -> Result<Option<KeptGlass>, Failed> {
        let opened = match self.open(&record).await {
            Ok(opened) => opened,
            // Its customer was erased.
            Err(Failed::Vault(VaultError::NoKey { .. })) => return Ok(None),
            Err(failed) => return Err(failed),
        };
        let wrong = || Failed::from(StoredError::NotAnAccount);
        let glass: Glass = serde_json::from_slice(&opened.plain).map_err(|_| wrong())?;
        let id = <[u8; 16]>::try_from(&*record.id).map_err(|_| wrong())?;
        Ok(Some(KeptGlass { id: BreakGlassId::from_bytes(id), glass, record }))
    }

    async fn put_glass(
        &self,
        record: Record,
        was: Option<u64>,
        glass: &Glass,
        action: Action,
        by: Subject,
    ) -> Result<(), Failed> {
        let subject = Some(self.subject(record.slot).await?);
        let facts = Facts { actor: Some(by), ..Facts::default() };
        let (at, tenant) = (self.now(), self.tenant().clone());
        let event = Event { at, tenant, action, turn: None, subject, facts };
        let mut changes = self.changes(vec![Put { record, was, handles: None }], vec![event]);
        changes.about = Some(glass.customer);
        match self.0.gate.store.change(changes).await {
            Ok(_) => Ok(()),
            Err(StoreError::Overtaken) => Err(Failed::Busy),
            Err(error) => Err(error.into()),
        }
    }
}
