//! What gateways on one server share of the encrypted channel: the sealed seeds of its keys, and which requests were seen.

use chatward_message::UnixMillis;

use crate::StoreError;
use crate::store::{Rows, Store};

/// The seed of a key, sealed by the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSeed {
    /// The key's number.
    pub number: u64,
    /// The seed, sealed for that number.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub made: UnixMillis,
    /// When the key ends, and the row goes.
    pub ends: UnixMillis,
}

/// Whether something is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelSeen {
    /// It is, and from now on it is known.
    New,
    /// It was there before.
    Repeated,
    /// The seed of its key is not there (any more): nobody may rely on what is noted about it.
    NoKey,
}

impl Store {
    /// Drops what has ended, puts this seed where none of its number is, and gives all that there are, oldest first.
    ///
    /// # Errors
    /// The server's; an embedded store shares nothing.
    pub async fn channel_seeds(
        &self,
        now: UnixMillis,
        offer: Option<ChannelSeed>,
    ) -> Result<Vec<ChannelSeed>, StoreError> {
        match self.rows() {
            Rows::Embedded(_) => Err(alone()),
            Rows::Server(rows) => rows.channel_seeds(now, offer).await,
        }
    }

    /// Notes a tag until it ends. With the number of a key and when its seed was made, only while that seed is there.
    ///
    /// # Errors
    /// The server's; an embedded store shares nothing.
    pub async fn channel_seen(
        &self,
        key: Option<(u64, UnixMillis)>,
        tag: &[u8; 32],
        ends: UnixMillis,
    ) -> Result<ChannelSeen, StoreError> {
        match self.rows() {
            Rows::Embedded(_) => Err(alone()),
            Rows::Server(rows) => rows.channel_seen(key, *tag, ends).await,
        }
    }
}

fn alone() -> StoreError {
    StoreError::inside("only gateways on one server share keys of the channel")
}
