//! Freezing a customer's data, and holding it for a legal reason.

use chatward_message::{
    Action, ConversationId, CustomerId, Event, Facts, KeySlot, Purposes, Standing, UnixMillis,
};
use chatward_policy::access;
use chatward_store::record::{Changes, NewStanding, Put, Record, RecordKind};
use chatward_store::{Rewrite, StoreError};
use chatward_vault::{CustomerKey, Revision, VaultError, random_id};
use serde::{Deserialize, Serialize};

use super::RightsError;
use super::telling::News;
use crate::problem::Code;
use crate::turn::Gate;

const TRIES: usize = 8;
/// Longest value, in characters.
const LONGEST: usize = 500;

/// Why nothing may be deleted, sealed under the customer's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hold {
    pub(crate) at: UnixMillis,
    pub(crate) until: UnixMillis,
    pub(crate) reason: String,
}

/// What is changed.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// The data may only be kept from here on, or may be used again.
    Restrict(bool),
    /// Nothing may be deleted until then, for this reason.
    Hold { until: UnixMillis, reason: String },
    /// It may again.
    Release,
}

impl Gate {
    /// A customer as the policies are asked about them: frozen if they are, or whoever took their conversation over.
    pub(crate) async fn target(&self, customer: CustomerId) -> Result<access::Record, RightsError> {
        let mut restricted = self.store.standing(&self.tenant, customer).await?.restricted;
        if !restricted && let Some(owner) = self.claimed_by(customer).await? {
            restricted = self.store.standing(&self.tenant, owner).await?.restricted;
        }
        Ok(access::Record { tenant: self.tenant.clone(), customer, restricted })
    }

    /// A customer's key, made now if they have none yet: what they decide before their first message is kept under the key
    /// that the message will have.
    pub(crate) async fn key_of(&self, customer: CustomerId) -> Result<(KeySlot, CustomerKey), RightsError> {
        if let Some(slot) = self.store.customer(&self.tenant, customer).await? {
            return Ok((slot, self.vault.customer_key(slot).await?));
        }
        for kind in [RecordKind::Account, RecordKind::Consent, RecordKind::Request] {
            let known = self.store.records_of(&self.tenant, kind, customer).await?;
            if let Some(record) = known.first() {
                return Ok((record.slot, self.vault.customer_key(record.slot).await?));
            }
        }
        Ok(self.conversations.key_for(self, customer).await?)
    }

    /// Changes where a customer stands, with its event.
    ///
    /// # Errors
    /// [`Code::BadRequest`] for a hold that ended before it began.
    pub(crate) async fn restand(&self, customer: CustomerId, change: &Change) -> Result<u64, RightsError> {
        let (slot, key) = self.key_of(customer).await?;
        let subject = self.vault.subject(&key)?;
        for _ in 0..TRIES {
            let (was, at) = (self.store.standing(&self.tenant, customer).await?, self.clock.now());
            let mut to = Standing { revision: was.revision + 1, ..was.clone() };
            let mut puts = Vec::new();
            let action = match change {
                Change::Restrict(on) => {
                    to.restricted = *on;
                    if was.restricted != *on {
                        let news = if *on { News::Restricted } else { News::Unrestricted };
                        let names = self.names_outside(customer).await?;
                        puts.extend(self.notices(news, &names)?.into_iter().map(|(_, put)| put));
                    }
                    if *on { Action::ProcessingRestricted } else { Action::RestrictionLifted }
                }
                Change::Hold { until, reason } => {
                    if *until <= at {
                        return Err(RightsError::Told(Code::BadRequest));
                    }
                    // A hold never shortens another one.
                    to.held_until = Some(to.held_until.map_or(*until, |held| held.max(*until)));
                    let hold = Hold { at, until: *until, reason: reason.clone() };
                    puts.push(self.hold_put((slot, &key), customer, &hold)?);
                    Action::HoldSet
                }
                Change::Release => {
                    to.held_until = None;
                    Action::HoldEnded
                }
            };
            if to.restricted == was.restricted && to.held_until == was.held_until && puts.is_empty() {
                return Ok(was.revision);
            }
            let revision = to.revision;
            let facts = Facts { standing: revision, ..Facts::default() };
            let event =
                Event { at, tenant: self.tenant.clone(), action, turn: None, subject: Some(subject), facts };
            let changes = Changes {
                tenant: self.tenant.clone(),
                removals: Vec::new(),
                puts,
                events: vec![event],
                about: Some(customer),
                standing: Some(NewStanding { customer, to, withdrawn: Purposes::NONE }),
            };
            match self.store.change(changes).await {
                Ok(_) => {
                    self.teller.notify_one();
                    return Ok(revision);
                }
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RightsError::Told(Code::Busy))
    }

    /// Puts the right value in place of a wrong one. The wrong one stays beside it, sealed.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::BadRequest`] for a value that is empty or too long, [`Code::Busy`] if others change it too.
    pub(crate) async fn correct(
        &self,
        customer: CustomerId,
        conversation: ConversationId,
        label: &str,
        value: &str,
    ) -> Result<(), RightsError> {
        if value.trim().is_empty() || value.chars().count() > LONGEST {
            return Err(RightsError::Told(Code::BadRequest));
        }
        let mut noted = false;
        for _ in 0..TRIES {
            let known = self.store.conversation(&self.tenant, conversation).await?;
            let known = known.ok_or(RightsError::Told(Code::NotFound))?;
            let key = self.vault.customer_key(known.slot).await?;
            let change = Revision::Correct { label, value };
            let mut found = None;
            for row in &known.issued {
                if let Some(to) = self.vault.revise(&key, &self.tenant, conversation, row, &change)? {
                    found = Some((row, to));
                    break;
                }
            }
            // It is so already, or there is no such value.
            let Some((row, to)) = found else { return Ok(()) };
            // Before the value: a crash in between would leave recipients untold for good, since it would be so already.
            if !noted {
                let names = self.names_outside(customer).await?;
                self.note_notices(News::Corrected, &names).await?;
                noted = true;
            }
            let event = Event {
                at: self.clock.now(),
                tenant: self.tenant.clone(),
                action: Action::DataCorrected,
                turn: None,
                subject: Some(self.vault.subject(&key)?),
                facts: Facts::default(),
            };
            let rewrite = Rewrite {
                tenant: self.tenant.clone(),
                conversation,
                was: row.sealed.clone(),
                to: Some(to),
                first: row.first,
                purposes: None,
                events: vec![event],
                about: Some(customer),
            };
            match self.store.rewrite(rewrite).await {
                Ok(_) => {
                    self.conversations.forget(known.customer).await;
                    return Ok(());
                }
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RightsError::Told(Code::Busy))
    }

    fn hold_put(
        &self,
        (slot, key): (KeySlot, &CustomerKey),
        customer: CustomerId,
        hold: &Hold,
    ) -> Result<Put, RightsError> {
        let id: [u8; 16] = random_id().map_err(VaultError::from)?;
        let record = Record {
            kind: RecordKind::Hold,
            id: id.into(),
            revision: 1,
            slot,
            customer: Some(customer),
            until: None,
            purposes: Purposes::SERVICE,
            sealed: self.sealed_record(key, (RecordKind::Hold, &id), hold)?,
        };
        Ok(Put { record, was: None, handles: None })
    }
}
