//! The handle.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chatward_message::{Clock, ConversationId, CustomerId, Event, KeySlot, SystemClock, TenantId, TurnId};

use crate::log::Signer;
use crate::{
    CloseTurn, Conversation, Deleted, Faults, HistoryMatch, OpenTurn, Recall, Recalled, Receipt, StoreError,
    StoreStats, TurnRow,
};

/// How a store is opened. Start from `StoreOptions::default()`.
#[derive(Clone)]
pub struct StoreOptions {
    /// Who signs checkpoints; without one the log is kept in the database but not published.
    pub signer: Option<Arc<dyn Signer>>,
    /// Where times of the store's own events come from.
    pub clock: Arc<dyn Clock>,
    /// `synchronous=FULL`: each commit is on the disk before it is answered. Off only by an unsafe name.
    pub durable: bool,
    /// Jobs that may wait; more are refused with [`StoreError::Overloaded`].
    pub queue: usize,
    /// Jobs in one commit at most.
    pub batch: usize,
    /// Connections for reading.
    pub readers: usize,
    /// How soon after a commit the log is published.
    pub publish_every: Duration,
    /// How long an erasure may wait for the write-ahead log to be emptied.
    pub truncate_within: Duration,
    /// Failures for tests.
    pub faults: Option<Arc<dyn Faults>>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            signer: None,
            clock: Arc::new(SystemClock),
            durable: true,
            queue: 4096,
            batch: 256,
            readers: 2,
            publish_every: Duration::from_millis(400),
            truncate_within: Duration::from_secs(10),
            faults: None,
        }
    }
}

/// Everything that is kept, save keys. A handle: clones share one database.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens (or makes) the store in this folder.
    pub fn open(_dir: &Path, _options: StoreOptions) -> Result<Self, StoreError> {
        Err(StoreError::Closed)
    }
    /// Commit 1.
    pub async fn open_turn(&self, _turn: OpenTurn) -> Result<Receipt, StoreError> {
        Err(StoreError::Closed)
    }
    /// Commit 2.
    pub async fn close_turn(&self, _turn: CloseTurn) -> Result<Receipt, StoreError> {
        Err(StoreError::Closed)
    }
    /// Events alone. At least one.
    pub async fn append(&self, _events: Vec<Event>) -> Result<Receipt, StoreError> {
        Err(StoreError::Closed)
    }
    /// Several questions in one visit.
    pub async fn recall(&self, _what: Recall) -> Result<Recalled, StoreError> {
        Err(StoreError::Closed)
    }
    /// A conversation with its placeholders.
    pub async fn conversation(
        &self,
        _tenant: &TenantId,
        _id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        Err(StoreError::Closed)
    }
    /// Which conversation has this history.
    pub async fn conversation_by_history(
        &self,
        _tenant: &TenantId,
        _tag: [u8; 16],
    ) -> Result<HistoryMatch, StoreError> {
        Err(StoreError::Closed)
    }
    /// A customer's key slot.
    pub async fn customer(&self, _tenant: &TenantId, _id: CustomerId) -> Result<Option<KeySlot>, StoreError> {
        Err(StoreError::Closed)
    }
    /// One turn.
    pub async fn turn(&self, _tenant: &TenantId, _id: TurnId) -> Result<Option<TurnRow>, StoreError> {
        Err(StoreError::Closed)
    }
    /// All turns of a conversation, oldest first.
    pub async fn turns_of(
        &self,
        _tenant: &TenantId,
        _conversation: ConversationId,
    ) -> Result<Vec<TurnRow>, StoreError> {
        Err(StoreError::Closed)
    }
    /// Deletes every row of a customer.
    pub async fn delete_customer(
        &self,
        _tenant: &TenantId,
        _id: CustomerId,
        _event: Event,
    ) -> Result<Deleted, StoreError> {
        Err(StoreError::Closed)
    }
    /// Figures.
    pub fn stats(&self) -> StoreStats {
        StoreStats::default()
    }
    /// Events under a signed checkpoint.
    pub fn signed_size(&self) -> u64 {
        0
    }
    /// The newest signed checkpoint.
    pub fn checkpoint(&self) -> Option<Arc<[u8]>> {
        None
    }
    /// Flushes, publishes, closes.
    pub async fn close(self) {}
}
