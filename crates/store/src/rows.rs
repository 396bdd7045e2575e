//! What callers hand over and get back. No row holds text in clear.

use std::sync::Arc;

use chatward_message::{
    Classes, ConversationId, CustomerId, Event, KeySlot, Kind, Purposes, Sealed, Standing, Subject, TenantId,
    TurnId, UnixMillis,
};

/// Everything that must be durable before anything goes to the bot (commit 1).
#[derive(Debug, Clone)]
pub struct OpenTurn {
    /// Whose house.
    pub tenant: TenantId,
    /// The new turn. Ids that begin with the time of their making (like UUID version 7) keep the indexes compact and
    /// the commits cheap; any id works.
    pub turn: TurnId,
    /// Its conversation; made if new.
    pub conversation: ConversationId,
    /// Its customer; made if new. Somebody of whom nothing but this conversation is known has the conversation's id, and
    /// is kept in one row with it.
    pub customer: CustomerId,
    /// The customer's key slot. If the customer has another one, the call fails with
    /// [`StoreError::SlotTaken`](crate::StoreError::SlotTaken).
    pub slot: KeySlot,
    /// Name of the upstream in the configuration.
    pub upstream: Arc<str>,
    /// When.
    pub at: UnixMillis,
    /// What it is kept for. Without a purpose nothing is kept: [`StoreError::NoPurpose`](crate::StoreError::NoPurpose).
    pub purposes: Purposes,
    /// The revision of the customer's standing under which the message was taken. If it is another one by now, the call
    /// fails with [`StoreError::StandingChanged`](crate::StoreError::StandingChanged), and nothing is kept.
    pub standing: u64,
    /// Placeholders issued in this turn, if any.
    pub issued: Option<IssuedRow>,
    /// What the bot receives, sealed.
    pub received: Sealed,
    /// The opening event.
    pub event: Event,
}

/// The placeholders that one turn issued, sealed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedRow {
    /// How many the conversation had before. Two turns that were made from the same table have the same number here, and
    /// the second is refused: so no label is ever given to two values.
    pub first: u32,
    /// The classes of the values.
    pub classes: Classes,
    /// Labels, kinds, tokens and values.
    pub sealed: Sealed,
}

/// One placeholder as it was kept up to schema version 2, in a row of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// The placeholder's label, unique in its conversation: `CARD_1`.
    pub label: Box<str>,
    /// The value, sealed.
    pub value: Sealed,
    /// What it is.
    pub kind: Kind,
}

/// What is known of a turn without opening anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnSummary {
    /// Its id.
    pub id: TurnId,
    /// Name of the upstream.
    pub upstream: Box<str>,
    /// When it was opened.
    pub opened: UnixMillis,
    /// What it is kept for.
    pub purposes: Purposes,
}

/// How a turn ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TurnState {
    /// Under way.
    Open,
    /// Ended well.
    Closed,
    /// The bot failed or broke off.
    Failed,
    /// The client left.
    Abandoned,
    /// Refused before anything went to the bot.
    Refused,
    /// Found half-made at a start.
    Interrupted,
}

impl TurnState {
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Open => 0,
            Self::Closed => 1,
            Self::Failed => 2,
            Self::Abandoned => 3,
            Self::Refused => 4,
            Self::Interrupted => 5,
        }
    }

    pub(crate) const fn of_code(code: i64) -> Option<Self> {
        Some(match code {
            0 => Self::Open,
            1 => Self::Closed,
            2 => Self::Failed,
            3 => Self::Abandoned,
            4 => Self::Refused,
            5 => Self::Interrupted,
            _ => return None,
        })
    }
}

/// The end of a turn (commit 2).
#[derive(Debug, Clone)]
pub struct CloseTurn {
    /// Whose house.
    pub tenant: TenantId,
    /// Which turn; it must be open.
    pub turn: TurnId,
    /// When.
    pub at: UnixMillis,
    /// How it ended. [`TurnState::Open`] is refused.
    pub state: TurnState,
    /// What the customer was answered, sealed.
    pub reply: Option<Sealed>,
    /// Keyed hashes by which the next request's history is recognised.
    pub history_tags: Vec<[u8; 16]>,
    /// The closing event.
    pub event: Event,
}

/// Proof that something is durable, with its event in the audit log. Only the store makes one, after the commit. It does
/// not say that a signed checkpoint covers the event yet: see [`Store::signed_size`](crate::Store::signed_size).
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    index: u64,
}

impl Receipt {
    pub(crate) const fn new(index: u64) -> Self {
        Self { index }
    }

    /// Index of the (last) event in the audit log.
    pub const fn index(&self) -> u64 {
        self.index
    }
}

/// A conversation with its placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Its customer.
    pub customer: CustomerId,
    /// That customer's key slot.
    pub slot: KeySlot,
    /// When it began.
    pub opened: UnixMillis,
    /// Its oldest placeholders, in order of their making, if they are of schema version 2.
    pub entries: Vec<EntryRow>,
    /// All others, in order of their making.
    pub issued: Vec<IssuedRow>,
}

/// What a history tag is known as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryMatch {
    /// Never seen.
    None,
    /// Seen in exactly this conversation.
    One(ConversationId),
    /// Seen in several: nobody can say which.
    Many,
}

/// Questions at the start of a turn, answered in one visit to the database.
#[derive(Debug, Clone)]
pub struct Recall {
    /// Whose house.
    pub tenant: TenantId,
    /// Does this customer exist?
    pub customer: Option<CustomerId>,
    /// Does this conversation exist?
    pub conversation: Option<ConversationId>,
    /// Whose history has this tag?
    pub history: Option<[u8; 16]>,
}

/// The answers to a [`Recall`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// The customer's slot, if asked for and known.
    pub slot: Option<KeySlot>,
    /// The conversation asked for, or else the one recognised by its history.
    pub conversation: Option<Conversation>,
    /// What the tag is known as.
    pub history: HistoryMatch,
    /// Where the customer stands: that of the conversation, or else the one asked for.
    pub standing: Standing,
}

/// A turn as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnRow {
    /// Its id.
    pub id: TurnId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its customer.
    pub customer: CustomerId,
    /// That customer's key slot.
    pub slot: KeySlot,
    /// The customer's pseudonym in the log, as the opening event had it.
    pub subject: Option<Subject>,
    /// Name of the upstream.
    pub upstream: Box<str>,
    /// How it ended.
    pub state: TurnState,
    /// What it is kept for.
    pub purposes: Purposes,
    /// When it was opened.
    pub opened: UnixMillis,
    /// When it ended.
    pub closed: Option<UnixMillis>,
    /// What the bot received, sealed.
    pub received: Sealed,
    /// What the customer was answered, sealed.
    pub reply: Option<Sealed>,
    /// Index of the opening event in the audit log.
    pub opened_index: u64,
    /// Index of the closing event.
    pub closed_index: Option<u64>,
    /// The opening event as written (JSON): counts per kind, operator, rules.
    pub opened_event: Box<str>,
    /// The closing event as written (JSON).
    pub closed_event: Option<Box<str>>,
}

/// What an erasure removed.
#[derive(Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Where the event stands.
    pub receipt: Receipt,
    /// The slots of keys that nothing is left for: the customer's, those of conversations that were claimed, and those of
    /// the customer's records, each once. The keys are to be destroyed next.
    pub slots: Vec<KeySlot>,
    /// Rows removed, per table.
    pub rows: Vec<(&'static str, u64)>,
}

/// Figures of the running store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStats {
    /// Batches committed.
    pub commits: u64,
    /// Jobs committed: `jobs / commits` is the mean batch.
    pub jobs: u64,
    /// Batches that failed.
    pub failed: u64,
    /// Jobs waiting now.
    pub waiting: usize,
    /// Median of the last 256 commits (`COMMIT`, `fsync` included), microseconds.
    pub commit_median_us: u64,
    /// The slowest of the last 256 commits, microseconds.
    pub commit_max_us: u64,
    /// Events in the log.
    pub log_size: u64,
    /// Events under a signed checkpoint.
    pub signed_size: u64,
    /// Whether the last publication of the log failed.
    pub publish_failing: bool,
}
