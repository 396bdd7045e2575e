//! Erasing a customer: the keys first, then the rows.

use chatward_message::{CustomerId, KeySlot};

use super::{Gate, TurnError};
use crate::rights::erasure::{Begun, Erased};

/// Conversations that are read at once.
const PAGE: usize = 500;

impl Gate {
    /// Destroys the keys, then deletes the rows: if the process dies in between, what is left cannot be opened, and doing
    /// it again finishes the work. What the customer took over from a time without a name goes too.
    ///
    /// The event is that of what was noted before: a key that is gone already names nobody any more.
    pub(crate) async fn erase(&self, customer: CustomerId, begun: &Begun) -> Result<Erased, TurnError> {
        let all = self.selves(customer).await?;
        self.drop_from_memory(&all).await;
        self.forget_behaviour(&all).await?;
        let slots = self.store.slots_of(&self.tenant, customer).await?;
        let forgotten = self.forget_keys(&slots).await?;
        let event = self.erased_event(begun, forgotten.epoch);
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

    /// Forgets what was counted of these customers, on disk too. Comes before their rows go: these name their conversations.
    pub(crate) async fn forget_behaviour(&self, all: &[CustomerId]) -> Result<(), TurnError> {
        for customer in all {
            let (mut ids, mut after) = (Vec::new(), None);
            loop {
                let page = self.store.conversations_of(&self.tenant, *customer, after, PAGE).await?;
                ids.extend(page.iter().map(|row| row.id));
                after = ids.last().copied();
                if page.len() < PAGE {
                    break;
                }
            }
            self.conduct.forget(self, *customer, &ids);
        }
        // A few megabytes at most, and seldom.
        self.conduct.save(&self.vault, self.clock.now()).map_err(|error| {
            tracing::error!(cause = %error, "what was counted of behaviour is not written down: the erasure waits");
            TurnError::Internal("what was counted of behaviour cannot be written down")
        })
    }

    pub(crate) async fn drop_from_memory(&self, all: &[CustomerId]) {
        for customer in all {
            self.conversations.forget(*customer).await;
        }
    }
}
