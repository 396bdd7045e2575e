//! Erasing a customer: the key first, then the rows.

use chatward_message::{Action, CustomerId, Event, Facts, KeySlot};
use chatward_store::StoreError;
use chatward_store::record::RecordKind;
use chatward_vault::VaultError;

use super::{Gate, TurnError};

impl Gate {
    /// Destroys the key, then deletes the rows: if the process dies in between, what is left cannot be opened, and doing
    /// it again finishes the work. What the customer took over from a time without a name goes too. How many rows.
    pub(crate) async fn erase(&self, customer: CustomerId, slot: KeySlot) -> Result<u64, TurnError> {
        let mut rows = 0;
        for claim in self.store.records_of(&self.tenant, RecordKind::Claim, customer).await? {
            let Ok(id) = <[u8; 16]>::try_from(&*claim.id) else { continue };
            let nameless = CustomerId::from_bytes(id);
            if self.store.customer(&self.tenant, nameless).await?.is_some() {
                rows += self.erase_one(nameless, claim.slot).await?;
            }
        }
        Ok(rows + self.erase_one(customer, slot).await?)
    }

    async fn erase_one(&self, customer: CustomerId, slot: KeySlot) -> Result<u64, TurnError> {
        let (subject, key) = match self.vault.customer_key(slot).await {
            Ok(key) => (Some(self.vault.subject(&key)?), Some(self.vault.fingerprint(&key)?)),
            // Erased halfway before: the key is gone already.
            Err(VaultError::NoKey { .. }) => (None, None),
            Err(error) => return Err(error.into()),
        };
        self.conversations.forget(customer).await;
        self.vault.forget(&[slot]).await?;
        let event = Event {
            at: self.clock.now(),
            tenant: self.tenant.clone(),
            action: Action::CustomerErased,
            turn: None,
            subject,
            facts: Facts { key, ..Facts::default() },
        };
        let deleted = self.store.delete_customer(&self.tenant, customer, event).await;
        // A turn that was under way may have come back in between: its key no longer seals anything.
        self.conversations.forget(customer).await;
        match deleted {
            Ok(deleted) => Ok(deleted.rows.iter().map(|(_, n)| n).sum()),
            // Deleted together with the customer who had taken it over.
            Err(StoreError::NoCustomer) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
