//! Erasing a customer: the keys first, then the rows.

use chatward_message::{Action, CustomerId, Event, Facts, KeySlot};
use chatward_store::record::RecordKind;
use chatward_vault::VaultError;

use super::{Gate, TurnError};
use crate::rights::erasure::Erased;

impl Gate {
    /// Destroys the keys, then deletes the rows: if the process dies in between, what is left cannot be opened, and doing
    /// it again finishes the work. What the customer took over from a time without a name goes too.
    pub(crate) async fn erase(&self, customer: CustomerId, slot: KeySlot) -> Result<Erased, TurnError> {
        let (subject, key) = match self.vault.customer_key(slot).await {
            Ok(key) => (Some(self.vault.subject(&key)?), Some(self.vault.fingerprint(&key)?)),
            // Erased halfway before: the key is gone already.
            Err(VaultError::NoKey { .. }) => (None, None),
            Err(error) => return Err(error.into()),
        };
        let claims = self.store.records_of(&self.tenant, RecordKind::Claim, customer).await?;
        let nameless = claims.iter().filter_map(|claim| <[u8; 16]>::try_from(&*claim.id).ok());
        let all: Vec<CustomerId> =
            std::iter::once(customer).chain(nameless.map(CustomerId::from_bytes)).collect();
        self.drop_from_memory(&all).await;
        let slots = self.store.slots_of(&self.tenant, customer).await?;
        let forgotten = self.forget_keys(&slots).await?;
        let event = Event {
            at: self.clock.now(),
            tenant: self.tenant.clone(),
            action: Action::CustomerErased,
            turn: None,
            subject,
            facts: Facts { key, epoch: forgotten.epoch, ..Facts::default() },
        };
        let deleted = self.store.delete_customer(&self.tenant, customer, event).await?;
        // What came to be the customer's in between.
        let late: Vec<KeySlot> = deleted.slots.iter().filter(|slot| !slots.contains(slot)).copied().collect();
        if !late.is_empty() {
            self.forget_keys(&late).await?;
        }
        // A turn that was under way may have come back in between: its key no longer seals anything.
        self.drop_from_memory(&all).await;
        Ok(Erased { deleted, epoch: forgotten.epoch })
    }

    pub(crate) async fn drop_from_memory(&self, all: &[CustomerId]) {
        for customer in all {
            self.conversations.forget(*customer).await;
        }
    }
}
