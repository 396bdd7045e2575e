//! Wrapped customer keys, in a file of their own.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chatward_message::KeySlot;

use crate::KeyringError;

/// A customer's key, wrapped under an epoch key by the vault: opaque here.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Under which epoch key.
    pub epoch: u64,
    /// The wrapped bytes.
    pub bytes: Box<[u8]>,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, bytes: _ } = self;
        write!(f, "WrappedKey(epoch {epoch})")
    }
}

/// What [`Keyring::replace_all`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Keys wrapped anew.
    pub replaced: u64,
    /// Keys deleted.
    pub deleted: u64,
}

/// The keyring: a handle, clones share one file.
#[derive(Clone)]
pub struct Keyring(Arc<()>);

impl Keyring {
    /// Opens (or makes) `keyring.db` in this folder.
    pub fn open(_dir: &Path) -> Result<Self, KeyringError> {
        Ok(Self(Arc::new(())))
    }
    /// The key in a slot.
    pub async fn get(&self, _slot: KeySlot) -> Result<Option<WrappedKey>, KeyringError> {
        Ok(None)
    }
    /// Puts keys in; durable on return. All or none; a slot that is taken is an error.
    pub async fn insert(&self, _keys: Vec<(KeySlot, WrappedKey)>) -> Result<(), KeyringError> {
        Ok(())
    }
    /// Deletes keys; durable on return, but see [`Keyring::truncate`]. Returns how many there were.
    pub async fn delete(&self, _slots: &[KeySlot]) -> Result<u64, KeyringError> {
        Ok(0)
    }
    /// Deletes some keys and wraps all others anew, in one transaction. If the closure gives `None` nothing changes.
    pub async fn replace_all<F>(&self, _delete: &[KeySlot], _f: F) -> Result<Replaced, KeyringError>
    where
        F: FnMut(KeySlot, WrappedKey) -> Option<WrappedKey> + Send + 'static,
    {
        Ok(Replaced { replaced: 0, deleted: 0 })
    }
    /// Empties the write-ahead log, so that deleted bytes are gone from the disk's files.
    pub async fn truncate(&self) -> Result<(), KeyringError> {
        Ok(())
    }
    /// How many keys there are.
    pub async fn count(&self) -> Result<u64, KeyringError> {
        Ok(0)
    }
    /// A small named value (opaque; for the vault's own bookkeeping).
    pub async fn meta(&self, _name: &'static str) -> Result<Option<Vec<u8>>, KeyringError> {
        Ok(None)
    }
    /// Sets a small named value; durable on return.
    pub async fn set_meta(&self, _name: &'static str, _value: Vec<u8>) -> Result<(), KeyringError> {
        Ok(())
    }
}
