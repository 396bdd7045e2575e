//! What is kept, and the log that proves it.
//!
//! All SQL of the house lives here. [`Store`] keeps customers, conversations, turns, placeholders, [records](record)
//! and the audit log in one SQLite file, or on a PostgreSQL server that several processes share; everything of value in it was
//! sealed by the vault before it came. One writer thread commits many turns with one `fsync`, and a [`Receipt`] exists only for what is
//! durable. [`Keyring`] is a database of its own for wrapped customer keys, which must never be in the same backup. [`log`] publishes the audit log as a Merkle tree in
//! files anybody can check offline with [`log::verify`].
//!
//! Limits: this room knows no cipher and no private key. It hashes, and it verifies signatures; it signs only through
//! [`log::Signer`].

mod backup;
mod change;
mod channel;
mod copy;
mod error;
mod fault;
mod folder;
pub mod kept;
mod keyring;
pub mod log;
mod postgres;
mod queue;
pub mod record;
mod retention;
mod rows;
mod sqlite;
mod store;

pub use backup::{
    BackedUp, BackupKind, BackupProgress, KEYRING_BEGUN, KEYRING_MARK, Restored, apart, fit_place,
    forget_restored, fresh_part, restore, restored,
};
pub use channel::{ChannelSeed, ChannelSeen};
pub use copy::{Copied, Progress};
pub use error::{KeyringError, StoreError};
pub use fault::{Fault, FaultPoint, Faults};
pub use keyring::{Keyring, KeyringLock, KeyringNews, Replaced, WrappedKey};
pub use postgres::{Encrypt, Encrypting, Postgres, Wire};
pub use record::{
    Changes, ConversationRow, CustomerRow, Handle, HandleKind, NewStanding, Put, Record, RecordKind, Removal,
    Trace,
};
pub use retention::{End, Rewrite, Sweep, Swept, Values};
pub use rows::{
    CloseTurn, Conversation, Deleted, EntryRow, HistoryMatch, IssuedRow, OpenTurn, Recall, Recalled, Receipt,
    StoreStats, TurnRow, TurnState, TurnSummary,
};
pub use sqlite::KeyringFile;
pub use store::{Store, StoreOptions};
