//! Wrapped customer keys, in a file of their own.
//!
//! The keyring lies apart from the data and is never in the same backup: an old copy of the data with the newest keyring
//! opens everything but what was erased. Keys come here wrapped and are opaque.
//!
//! Limits: one process at a time; calls run one after the other on blocking threads. Callers cache.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chatward_message::KeySlot;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::schema::{self, Opening};
use crate::{KeyringError, StoreError};

/// How long a reader (a backup) may keep the write-ahead log from being emptied.
const TRUNCATE_WITHIN: Duration = Duration::from_secs(10);

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
pub struct Keyring(Arc<Inner>);

struct Inner {
    path: PathBuf,
    db: Mutex<Connection>,
    // Last: freed when the file is closed.
    _lock: File,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.0.path.display())
    }
}

impl Keyring {
    /// Opens (or makes) `keyring.db` in this folder and holds its lock.
    ///
    /// # Errors
    /// As [`Store::open`](crate::Store::open).
    pub fn open(dir: &Path) -> Result<Self, KeyringError> {
        schema::make_folder(dir)?;
        let lock = schema::take_lock(&dir.join("keyring.lock"))?;
        let path = dir.join("keyring.db");
        let db = schema::open_writer(&path, Opening { durable: true, migrations: schema::KEYRING })?;
        // Nobody measures commits here, so the usual small checkpoints and a small cache will do.
        db.execute_batch("PRAGMA wal_autocheckpoint = 256; PRAGMA cache_size = -512")
            .map_err(|e| StoreError::sql(&path, "set options", &e))?;
        Ok(Self(Arc::new(Inner { path, db: Mutex::new(db), _lock: lock })))
    }

    /// The key in a slot.
    pub async fn get(&self, slot: KeySlot) -> Result<Option<WrappedKey>, KeyringError> {
        self.run(move |db| {
            Ok(db
                .prepare_cached("SELECT epoch, wrapped FROM keys WHERE slot = ?1")?
                .query_row([slot.as_bytes()], |row| {
                    Ok(WrappedKey { epoch: row.get(0)?, bytes: row.get::<_, Vec<u8>>(1)?.into() })
                })
                .optional()?)
        })
        .await
    }

    /// Puts keys in; durable on return. All or none; a slot that is taken is an error.
    pub async fn insert(&self, keys: Vec<(KeySlot, WrappedKey)>) -> Result<(), KeyringError> {
        self.run(move |db| {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut put = tx.prepare_cached("INSERT OR IGNORE INTO keys VALUES (?1, ?2, ?3)")?;
                for (slot, key) in &keys {
                    if put.execute(params![slot.as_bytes(), key.epoch, key.bytes])? == 0 {
                        return Err(Fail::Keyring(KeyringError::Taken { slot: *slot }));
                    }
                }
            }
            Ok(tx.commit()?)
        })
        .await
    }

    /// Deletes keys; durable on return, but their bytes are gone from the files only after [`Keyring::truncate`].
    /// Returns how many there were.
    pub async fn delete(&self, slots: &[KeySlot]) -> Result<u64, KeyringError> {
        let slots = slots.to_vec();
        self.run(move |db| {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let gone = delete(&tx, &slots)?;
            tx.commit()?;
            Ok(gone)
        })
        .await
    }

    /// Deletes some keys and wraps all others anew, in one transaction. If the closure gives `None`, nothing changes.
    pub async fn replace_all<F>(&self, remove: &[KeySlot], mut wrap: F) -> Result<Replaced, KeyringError>
    where
        F: FnMut(KeySlot, WrappedKey) -> Option<WrappedKey> + Send + 'static,
    {
        /// Keys in memory at once.
        const PAGE: i64 = 4096;
        let remove = remove.to_vec();
        self.run(move |db| {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let deleted = delete(&tx, &remove)?;
            let mut replaced = 0;
            let mut after: Option<[u8; 16]> = None;
            loop {
                let page: Vec<([u8; 16], u64, Vec<u8>)> = tx
                    .prepare_cached("SELECT slot, epoch, wrapped FROM keys WHERE ?1 IS NULL OR slot > ?1 ORDER BY slot LIMIT ?2")?
                    .query_map(params![after, PAGE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                    .collect::<Result<_, _>>()?;
                let Some((last, ..)) = page.last() else { break };
                after = Some(*last);
                let mut put = tx.prepare_cached("UPDATE keys SET epoch = ?2, wrapped = ?3 WHERE slot = ?1")?;
                for (slot, epoch, bytes) in page {
                    let slot = KeySlot::from_bytes(slot);
                    let Some(new) = wrap(slot, WrappedKey { epoch, bytes: bytes.into() }) else {
                        return Err(Fail::Keyring(KeyringError::Refused { slot }));
                    };
                    put.execute(params![slot.as_bytes(), new.epoch, new.bytes])?;
                    replaced += 1;
                }
            }
            tx.commit()?;
            Ok(Replaced { replaced, deleted })
        })
        .await
    }

    /// Empties the write-ahead log, so that deleted and replaced bytes are gone from the files. Tries for ten seconds.
    pub async fn truncate(&self) -> Result<(), KeyringError> {
        self.run(|db| {
            let started = Instant::now();
            while !schema::truncate_wal(db, Duration::from_millis(250))? {
                if started.elapsed() >= TRUNCATE_WITHIN {
                    return Err(Fail::Keyring(StoreError::NotTruncated.into()));
                }
            }
            Ok(())
        })
        .await
    }

    /// How many keys there are.
    pub async fn count(&self) -> Result<u64, KeyringError> {
        self.run(|db| Ok(db.query_row("SELECT count(*) FROM keys", [], |row| row.get(0))?)).await
    }

    /// A small named value (opaque; for the vault's own bookkeeping).
    pub async fn meta(&self, name: &'static str) -> Result<Option<Vec<u8>>, KeyringError> {
        self.run(move |db| {
            Ok(db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Sets a small named value; durable on return.
    pub async fn set_meta(&self, name: &'static str, value: Vec<u8>) -> Result<(), KeyringError> {
        self.run(move |db| {
            Ok(db.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![name, value]).map(|_| ())?)
        })
        .await
    }

    async fn run<T, F>(&self, work: F) -> Result<T, KeyringError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Fail> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let task = tokio::task::spawn_blocking(move || {
            // A panic in a closure left a transaction that was rolled back when it was dropped.
            let mut db = inner.db.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut db).map_err(|fail| match fail {
                Fail::Keyring(error) => error,
                Fail::Sql(error) => StoreError::sql(&inner.path, "use the keyring", &error).into(),
            })
        });
        task.await.unwrap_or_else(|e| Err(StoreError::inside(format_args!("a task ended: {e}")).into()))
    }
}

enum Fail {
    Keyring(KeyringError),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn delete(db: &Connection, slots: &[KeySlot]) -> rusqlite::Result<u64> {
    let mut delete = db.prepare_cached("DELETE FROM keys WHERE slot = ?1")?;
    let mut gone = 0;
    for slot in slots {
        gone += delete.execute([slot.as_bytes()])? as u64;
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let refused = ring.replace_all(&gone, move |_, k| {
            seen += 1;
            (seen < 5000).then_some(WrappedKey { epoch: 2, ..k })
        });
        assert!(matches!(refused.await, Err(KeyringError::Refused { .. })));
        assert_eq!(ring.get(many[0].0).await.unwrap(), Some(key(1, 1)));
        let done = ring
            .replace_all(&gone, |_, k| Some(WrappedKey { epoch: k.epoch + 1, bytes: vec![2; 40].into() }));
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
