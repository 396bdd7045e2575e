//! An erasure: every row of a customer goes, and with them the conversations that the customer claimed.

use std::collections::HashSet;
use std::sync::Arc;

use chatward_message::{ConversationId, CustomerId, Event, KeySlot, TenantId, UnixMillis};
use rusqlite::{Connection, params};

use super::schema::{
    CONVERSATIONS_OF_CUSTOMER, HAS_TRAIL, OF_CUSTOMERS, RECORDS_OF_CUSTOMER, TURNS_OF_CONVERSATION,
};
use super::standing::standing_of;
use super::writer::{Batch, Fail};
use super::{Readers, slot_of};
use crate::StoreError;
use crate::log::leaf;
use crate::queue::Done;
use crate::record::RecordKind;
use crate::rows::{Deleted, Receipt};

/// What an erasure has to know before it deletes.
pub(super) struct Doomed {
    /// The customer, then everybody without a name whose conversation the customer claimed.
    who: Vec<CustomerId>,
    /// Of all of them, each once.
    pub(super) slots: Vec<KeySlot>,
    /// Kinds and ids of their records.
    records: Vec<(i64, Vec<u8>)>,
    has_trail: bool,
}

impl Doomed {
    pub(super) fn find(db: &Connection, tenant: &TenantId, customer: CustomerId) -> rusqlite::Result<Self> {
        let id = params![tenant.as_str(), customer.as_bytes()];
        let has_trail = db.prepare_cached(HAS_TRAIL)?.query_row(id, |row| row.get(0))?;
        let mut this = Self { who: vec![customer], slots: Vec::new(), records: Vec::new(), has_trail };
        this.add(db, tenant, customer)?;
        let claimed: Vec<CustomerId> = (this.records.iter())
            .filter(|(kind, _)| *kind == RecordKind::Claim.code())
            .filter_map(|(_, id)| id.as_slice().try_into().ok().map(CustomerId::from_bytes))
            .filter(|id| *id != customer)
            .collect();
        for nameless in claimed {
            this.who.push(nameless);
            this.add(db, tenant, nameless)?;
        }
        // Whoever claimed a conversation of theirs claims it no more: the key of that claim is not theirs.
        for id in &this.who {
            let claim = (RecordKind::Claim.code(), id.as_bytes().to_vec());
            if !this.records.contains(&claim) {
                this.records.push(claim);
            }
        }
        Ok(this)
    }

    /// Slots and records of one of them.
    fn add(&mut self, db: &Connection, tenant: &TenantId, id: CustomerId) -> rusqlite::Result<()> {
        let mut slots: Vec<KeySlot> = slot_of(db, tenant, id)?.into_iter().collect();
        let mut ask = db.prepare_cached(RECORDS_OF_CUSTOMER)?;
        let mut rows = ask.query(params![tenant.as_str(), id.as_bytes()])?;
        while let Some(row) = rows.next()? {
            self.records.push((row.get(0)?, row.get(1)?));
            slots.push(KeySlot::from_bytes(row.get(2)?));
        }
        for slot in slots {
            if !self.slots.contains(&slot) {
                self.slots.push(slot);
            }
        }
        Ok(())
    }
}

/// Their conversations, and the history tags of those: tags in one piece, with the conversation.
type Said = (HashSet<ConversationId>, Vec<(Vec<u8>, [u8; 16])>);

impl Batch<'_> {
    pub(super) fn delete(
        &mut self,
        tenant: &TenantId,
        customer: CustomerId,
        event: &Event,
    ) -> Result<Done, Fail> {
        let doomed = Doomed::find(self.db, tenant, customer)?;
        if doomed.slots.is_empty() && !doomed.has_trail {
            return Err(Fail::Refused(StoreError::NoCustomer));
        }
        if self.is_held(tenant, &doomed.who, event.at)? {
            return Err(Fail::Refused(StoreError::Held));
        }
        // Those of earlier batches were put into the index when this batch began.
        for (tag, tenant, conversation) in &self.memory.fresh {
            self.with.tag.execute(params![tenant.as_str(), tag, conversation.as_bytes()])?;
        }
        let rows = self.wipe(tenant, &doomed)?;
        let mut event = event.clone();
        event.facts.rows = u32::try_from(rows.iter().map(|(_, n)| n).sum::<u64>()).unwrap_or(u32::MAX);
        let index = self.append(&leaf(&event).map_err(Fail::Refused)?)?;
        let receipt = Receipt::new(u64::try_from(index).unwrap_or(0));
        Ok(Done::Deleted(Deleted { receipt, slots: doomed.slots, rows }))
    }

    fn is_held(&self, tenant: &TenantId, who: &[CustomerId], now: UnixMillis) -> rusqlite::Result<bool> {
        for id in who {
            if standing_of(self.db, tenant, *id)?.is_held(now) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes all rows of these customers, and forgets them. History tags have to be in their index.
    pub(super) fn wipe(
        &mut self,
        tenant: &TenantId,
        doomed: &Doomed,
    ) -> rusqlite::Result<Vec<(&'static str, u64)>> {
        let (conversations, tags) = self.said_by(tenant, &doomed.who)?;
        let mut rows = Vec::with_capacity(OF_CUSTOMERS.len());
        for table in OF_CUSTOMERS {
            let mut gone = 0;
            let mut delete = self.db.prepare_cached(table.delete)?;
            match table.name {
                "history_tags" => {
                    for (list, conversation) in &tags {
                        for tag in list.chunks_exact(16) {
                            gone += delete.execute(params![tenant.as_str(), tag, conversation])?;
                        }
                    }
                }
                "handles" | "records" => {
                    for (kind, id) in &doomed.records {
                        gone += delete.execute(params![tenant.as_str(), kind, id])?;
                    }
                }
                _ => {
                    for id in &doomed.who {
                        gone += delete.execute(params![tenant.as_str(), id.as_bytes()])?;
                    }
                }
            }
            rows.push((table.name, gone as u64));
        }
        self.memory.known.clear();
        self.memory
            .fresh
            .retain(|(_, of, conversation)| of != tenant || !conversations.contains(conversation));
        // A turn of theirs that is still under way finds no place for its answer any more.
        self.memory.open.retain(|(of, _), row| of != tenant || !conversations.contains(&row.conversation));
        Ok(rows)
    }

    fn said_by(&self, tenant: &TenantId, who: &[CustomerId]) -> rusqlite::Result<Said> {
        let (mut conversations, mut tags) = (HashSet::new(), Vec::new());
        let mut ask = self.db.prepare_cached(CONVERSATIONS_OF_CUSTOMER)?;
        for id in who {
            for id in ask.query_map(params![tenant.as_str(), id.as_bytes()], |row| row.get(0))? {
                conversations.insert(ConversationId::from_bytes(id?));
            }
        }
        let mut ask = self.db.prepare(&format!(
            "SELECT tags FROM closings WHERE turn IN ({TURNS_OF_CONVERSATION}) AND length(tags) > 0"
        ))?;
        for id in &conversations {
            for row in ask.query_map(params![tenant.as_str(), id.as_bytes()], |row| row.get(0))? {
                tags.push((row?, *id.as_bytes()));
            }
        }
        Ok((conversations, tags))
    }
}

impl Readers {
    pub(crate) async fn slots_of(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: CustomerId,
    ) -> Result<Vec<KeySlot>, StoreError> {
        let tenant = tenant.clone();
        self.in_turn(move |db| Doomed::find(db, &tenant, id).map(|doomed| doomed.slots)).await
    }
}
