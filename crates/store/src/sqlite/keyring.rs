//! The keyring as a file of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chatward_message::KeySlot;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::keyring_file;
use super::schema::{self, Opening};
use crate::folder::{make_folder, take_lock};
use crate::{KeyringError, Replaced, StoreError, WrappedKey};

/// How long a reader (a backup) may keep the write-ahead log from being emptied.
const TRUNCATE_WITHIN: Duration = Duration::from_secs(10);

/// One file; calls run one after the other on blocking threads.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Inner>);

struct Inner {
    path: PathBuf,
    db: Mutex<Connection>,
    // Last: freed when the file is closed.
    _lock: File,
}

impl Keys {
    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    pub(crate) fn open(dir: &Path) -> Result<Self, KeyringError> {
        make_folder(dir)?;
        let lock = take_lock(&dir.join("keyring.lock"))?;
        let path = dir.join("keyring.db");
        let db = schema::open_writer(&path, Opening { durable: true, migrations: schema::KEYRING })?;
        // Nobody measures commits here, so the usual small checkpoints and a small cache will do.
        db.execute_batch("PRAGMA wal_autocheckpoint = 256; PRAGMA cache_size = -512")
            .map_err(|e| StoreError::sql(&path, "set options", &e))?;
        Ok(Self(Arc::new(Inner { path, db: Mutex::new(db), _lock: lock })))
    }

    /// The key in a slot.
    pub(crate) async fn get(&self, slot: KeySlot) -> Result<Option<WrappedKey>, KeyringError> {
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
    pub(crate) async fn insert(&self, keys: Vec<(KeySlot, WrappedKey)>) -> Result<(), KeyringError> {
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
    pub(crate) async fn delete(&self, slots: &[KeySlot]) -> Result<u64, KeyringError> {
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
    pub(crate) async fn replace_all<F>(
        &self,
        remove: &[KeySlot],
        mut wrap: F,
    ) -> Result<Replaced, KeyringError>
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
    pub(crate) async fn truncate(&self) -> Result<(), KeyringError> {
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

    /// A key that is wrapped under none of these epochs.
    pub(crate) async fn stranger(&self, epochs: &[u64]) -> Result<Option<(KeySlot, u64)>, KeyringError> {
        let (one, two) = (epochs.first().copied(), epochs.get(1).or(epochs.first()).copied());
        self.run(move |db| {
            let ask = "SELECT slot, epoch FROM keys WHERE epoch NOT IN (?1, ?2) LIMIT 1";
            Ok(db
                .query_row(ask, params![one, two], |row| Ok((KeySlot::from_bytes(row.get(0)?), row.get(1)?)))
                .optional()?)
        })
        .await
    }

    /// Copies the file as it is at one moment.
    pub(crate) async fn copy_file(&self, to: &Path) -> Result<(), KeyringError> {
        let (inner, to) = (Arc::clone(&self.0), to.to_owned());
        // On a connection of its own: nobody waits for it.
        let task = tokio::task::spawn_blocking(move || keyring_file::copy(&inner.path, &to));
        task.await
            .unwrap_or_else(|e| Err(StoreError::inside(format_args!("a task ended: {e}"))))
            .map_err(Into::into)
    }

    /// How many keys there are.
    pub(crate) async fn count(&self) -> Result<u64, KeyringError> {
        self.run(|db| Ok(db.query_row("SELECT count(*) FROM keys", [], |row| row.get(0))?)).await
    }

    /// A small named value (opaque; for the vault's own bookkeeping).
    pub(crate) async fn meta(&self, name: &'static str) -> Result<Option<Vec<u8>>, KeyringError> {
        self.run(move |db| {
            Ok(db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Sets a small named value; durable on return.
    pub(crate) async fn set_meta(&self, name: &'static str, value: Vec<u8>) -> Result<(), KeyringError> {
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
