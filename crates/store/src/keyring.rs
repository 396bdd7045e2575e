//! Wrapped customer keys, in a database of their own.
//!
//! The keyring lies apart from the data and is never in the same backup: an old copy of the data with the newest keyring
//! opens everything but what was erased. Keys come here wrapped and are opaque.
//!
//! It is a file, or a database of a PostgreSQL server that several processes share. Then the number of the epoch under
//! which all keys are wrapped stands beside them: a process that knows another one has to read the seal file again.

use std::fmt;
use std::path::Path;

use chatward_message::KeySlot;

use crate::{KeyringError, Postgres, copy, postgres, sqlite};

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

/// The keyring: a handle, clones share one database.
#[derive(Clone)]
pub struct Keyring(Kind);

#[derive(Clone)]
enum Kind {
    Embedded(sqlite::Keys),
    Server(postgres::Keys),
}

/// Held by the process that changes seal file and keyring together; all others wait. Dropped, it is free.
#[must_use]
pub struct KeyringLock {
    _held: Option<postgres::HeldLock>,
}

/// What other processes did to a keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyringNews {
    /// The epoch under which all keys are wrapped now.
    pub epoch: u64,
    /// Slots whose keys were destroyed since.
    pub destroyed: Vec<KeySlot>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Embedded(keys) => write!(f, "Keyring({})", keys.path().display()),
            Kind::Server(keys) => write!(f, "Keyring({})", keys.server()),
        }
    }
}

impl Keyring {
    /// Opens (or makes) `keyring.db` in this folder and holds its lock.
    ///
    /// # Errors
    /// As [`Store::open`](crate::Store::open).
    pub fn open(dir: &Path) -> Result<Self, KeyringError> {
        Ok(Self(Kind::Embedded(sqlite::Keys::open(dir)?)))
    }

    /// Opens the keyring in a database of its own on a server.
    ///
    /// # Errors
    /// As [`Store::open`](crate::Store::open).
    pub async fn open_postgres(server: Postgres) -> Result<Self, KeyringError> {
        Ok(Self(Kind::Server(postgres::Keys::open(server).await?)))
    }

    /// Copies the keyring in a folder, which no process may have open, into a database that holds nothing else; gives the
    /// number of keys. The file is only read. May be run again after it was stopped.
    ///
    /// # Errors
    /// As [`Store::copy`](crate::Store::copy).
    pub async fn copy(from: &Path, to: &Postgres) -> Result<u64, KeyringError> {
        copy::keyring(from, to).await
    }

    /// Whether other processes change this keyring too.
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Kind::Server(_))
    }

    /// Whether the keyring could be reached when it was last needed. A file always can.
    pub fn is_reachable(&self) -> bool {
        match &self.0 {
            Kind::Embedded(_) => true,
            Kind::Server(keys) => keys.is_reachable(),
        }
    }

    /// Keeps all other processes from changing seal file and keyring, and waits until none of them does. A file has one
    /// process only.
    pub async fn lock(&self) -> Result<KeyringLock, KeyringError> {
        let held = match &self.0 {
            Kind::Embedded(_) => None,
            Kind::Server(keys) => Some(keys.lock().await?),
        };
        Ok(KeyringLock { _held: held })
    }

    /// What happened since all keys were wrapped under this epoch; nothing if they still are.
    pub async fn news_since(&self, epoch: u64) -> Result<Option<KeyringNews>, KeyringError> {
        match &self.0 {
            Kind::Embedded(_) => Ok(None),
            Kind::Server(keys) => keys.news_since(epoch).await,
        }
    }

    /// The key in a slot.
    pub async fn get(&self, slot: KeySlot) -> Result<Option<WrappedKey>, KeyringError> {
        match &self.0 {
            Kind::Embedded(keys) => keys.get(slot).await,
            Kind::Server(keys) => keys.get(slot).await,
        }
    }

    /// Puts keys in; durable on return. All or none; a slot that is taken is an error, and so are keys that are wrapped
    /// under another epoch than those of a shared keyring ([`KeyringError::OldEpoch`]).
    pub async fn insert(&self, new: Vec<(KeySlot, WrappedKey)>) -> Result<(), KeyringError> {
        match &self.0 {
            Kind::Embedded(keys) => keys.insert(new).await,
            Kind::Server(keys) => keys.insert(new).await,
        }
    }

    /// Deletes keys; durable on return, but their bytes are gone from the files only after [`Keyring::truncate`].
    /// Returns how many there were.
    pub async fn delete(&self, slots: &[KeySlot]) -> Result<u64, KeyringError> {
        match &self.0 {
            Kind::Embedded(keys) => keys.delete(slots).await,
            Kind::Server(keys) => keys.delete(slots).await,
        }
    }

    /// Deletes some keys and wraps all others anew under this epoch, in one transaction. If the closure gives `None`,
    /// nothing changes.
    pub async fn replace_all<F>(
        &self,
        remove: &[KeySlot],
        epoch: u64,
        wrap: F,
    ) -> Result<Replaced, KeyringError>
    where
        F: FnMut(KeySlot, WrappedKey) -> Option<WrappedKey> + Send + 'static,
    {
        match &self.0 {
            Kind::Embedded(keys) => keys.replace_all(remove, wrap).await,
            Kind::Server(keys) => keys.replace_all(remove, epoch, wrap).await,
        }
    }

    /// Empties the write-ahead log, so that deleted and replaced bytes are gone from the files. Tries for ten seconds. On a
    /// server they go when it cleans up; until then they are wrapped under an epoch key that is destroyed.
    pub async fn truncate(&self) -> Result<(), KeyringError> {
        match &self.0 {
            Kind::Embedded(keys) => keys.truncate().await,
            Kind::Server(_) => Ok(()),
        }
    }

    /// A key that is wrapped under none of these epochs, if there is one. A keyring on a server keeps its own epoch.
    ///
    /// # Errors
    /// The disk's.
    pub async fn stranger(&self, epochs: &[u64]) -> Result<Option<(KeySlot, u64)>, KeyringError> {
        match &self.0 {
            Kind::Embedded(keys) => keys.stranger(epochs).await,
            Kind::Server(_) => Ok(None),
        }
    }

    /// Copies all keys into a new file, as they are at one moment, with nothing in it that was deleted. Not of a keyring on a
    /// server.
    ///
    /// # Errors
    /// [`StoreError::BackupOnServer`](crate::StoreError::BackupOnServer), and the disk's.
    pub async fn copy_file(&self, to: &Path) -> Result<(), KeyringError> {
        match &self.0 {
            Kind::Embedded(keys) => keys.copy_file(to).await,
            Kind::Server(_) => Err(crate::StoreError::BackupOnServer.into()),
        }
    }

    /// How many keys there are.
    pub async fn count(&self) -> Result<u64, KeyringError> {
        match &self.0 {
            Kind::Embedded(keys) => keys.count().await,
            Kind::Server(keys) => keys.count().await,
        }
    }

    /// A small named value (opaque; for the vault's own bookkeeping).
    pub async fn meta(&self, name: &'static str) -> Result<Option<Vec<u8>>, KeyringError> {
        match &self.0 {
            Kind::Embedded(keys) => keys.meta(name).await,
            Kind::Server(keys) => keys.meta(name).await,
        }
    }

    /// Sets a small named value; durable on return.
    pub async fn set_meta(&self, name: &'static str, value: Vec<u8>) -> Result<(), KeyringError> {
        match &self.0 {
            Kind::Embedded(keys) => keys.set_meta(name, value).await,
            Kind::Server(keys) => keys.set_meta(name, value).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreError;

    fn slot(n: u8) -> KeySlot {
        KeySlot::from_bytes([n; 16])
    }

    fn key(epoch: u64, n: u8) -> WrappedKey {
        WrappedKey { epoch, bytes: vec![n; 40].into() }
    }

    #[tokio::test]
    async fn keys_stay_and_slots_are_never_reused() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Keyring::open(dir.path()).unwrap();
        ring.insert((1..=3).map(|n| (slot(n), key(7, n))).collect()).await.unwrap();
        assert!(matches!(Keyring::open(dir.path()), Err(KeyringError::Store(StoreError::InUse { .. }))));
        // All or none.
        let taken = ring.insert(vec![(slot(9), key(7, 9)), (slot(2), key(7, 8))]).await;
        assert!(matches!(taken, Err(KeyringError::Taken { slot: s }) if s == slot(2)));
        drop(ring);
        let ring = Keyring::open(dir.path()).unwrap();
        assert_eq!(ring.get(slot(2)).await.unwrap(), Some(key(7, 2)));
        assert_eq!(ring.get(slot(9)).await.unwrap(), None);
        assert_eq!(ring.count().await.unwrap(), 3);
        ring.set_meta("x", vec![1, 2]).await.unwrap();
        assert_eq!(ring.meta("x").await.unwrap(), Some(vec![1, 2]));
        assert_eq!(ring.meta("y").await.unwrap(), None);
    }

    #[tokio::test]
    async fn all_are_replaced_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Keyring::open(dir.path()).unwrap();
        let many: Vec<_> = (0..9000u32)
            .map(|n| {
                let mut id = [0; 16];
                id[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
                (KeySlot::from_bytes(id), key(1, 1))
            })
            .collect();
        ring.insert(many.clone()).await.unwrap();
        let mut seen = 0;
        let gone = [many[0].0];
        let refused = ring.replace_all(&gone, 2, move |_, k| {
            seen += 1;
            (seen < 5000).then_some(WrappedKey { epoch: 2, ..k })
        });
        assert!(matches!(refused.await, Err(KeyringError::Refused { .. })));
        assert_eq!(ring.get(many[0].0).await.unwrap(), Some(key(1, 1)));
        let done = ring
            .replace_all(&gone, 2, |_, k| Some(WrappedKey { epoch: k.epoch + 1, bytes: vec![2; 40].into() }));
        assert_eq!(done.await.unwrap(), Replaced { replaced: 8999, deleted: 1 });
        assert_eq!(ring.get(many[0].0).await.unwrap(), None);
        for (slot, _) in &many[1..] {
            assert_eq!(ring.get(*slot).await.unwrap(), Some(key(2, 2)));
        }
    }

    #[tokio::test]
    async fn deleted_keys_are_gone_from_every_file() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Keyring::open(dir.path()).unwrap();
        let canary = b"canary-wrapped-key-0123456789abcdef".as_slice();
        ring.insert(vec![(slot(1), WrappedKey { epoch: 1, bytes: canary.into() }), (slot(2), key(1, 2))])
            .await
            .unwrap();
        assert!(found(dir.path(), canary));
        assert_eq!(ring.delete(&[slot(1), slot(5)]).await.unwrap(), 1);
        ring.truncate().await.unwrap();
        assert!(!found(dir.path(), canary));
        assert_eq!(ring.get(slot(2)).await.unwrap(), Some(key(1, 2)));
    }

    fn found(dir: &Path, canary: &[u8]) -> bool {
        std::fs::read_dir(dir)
            .unwrap()
            .any(|e| std::fs::read(e.unwrap().path()).unwrap().windows(canary.len()).any(|w| w == canary))
    }
}
