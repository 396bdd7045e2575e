//! A copy of a keyring in one file, outside of the folder of keys.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chatward_message::KeySlot;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::schema;
use crate::{KeyringError, StoreError, WrappedKey};

/// A keyring's file that is not the one in use: a copy, or one that is only looked at.
pub struct KeyringFile {
    db: Connection,
    path: PathBuf,
}

impl std::fmt::Debug for KeyringFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { db: _, path } = self;
        write!(f, "KeyringFile({})", path.display())
    }
}

impl KeyringFile {
    /// Opens a copy to look at it or to add keys to it. What a crash left half-written in it is undone.
    ///
    /// # Errors
    /// There is no such file, or it is damaged.
    pub fn open(path: &Path) -> Result<Self, KeyringError> {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Opens the keyring that a process may be using, to look at it.
    ///
    /// # Errors
    /// As [`KeyringFile::open`].
    pub fn look(path: &Path) -> Result<Self, KeyringError> {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn open_with(path: &Path, flags: OpenFlags) -> Result<Self, KeyringError> {
        let failed = |e: rusqlite::Error| StoreError::sql(path, "open a copy of the keyring", &e);
        let db =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        db.busy_timeout(schema::BUSY).map_err(failed)?;
        db.execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA cache_size = -512")
            .map_err(failed)?;
        let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if verdict != "ok" {
            return Err(StoreError::Damaged { path: path.to_owned(), detail: verdict.into() }.into());
        }
        Ok(Self { db, path: path.to_owned() })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
        |e| StoreError::sql(&self.path, "use a copy of the keyring", &e)
    }

    /// Adds keys; durable on return. Those that are there already are left.
    ///
    /// # Errors
    /// The disk's.
    pub fn add(&mut self, keys: &[(KeySlot, WrappedKey)]) -> Result<(), KeyringError> {
        let path = self.path.clone();
        let failed = |e: rusqlite::Error| StoreError::sql(&path, "add to a copy of the keyring", &e);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        {
            let mut put =
                tx.prepare_cached("INSERT OR IGNORE INTO keys VALUES (?1, ?2, ?3)").map_err(failed)?;
            for (slot, key) in keys {
                put.execute(params![slot.as_bytes(), key.epoch, key.bytes]).map_err(failed)?;
            }
        }
        Ok(tx.commit().map_err(failed)?)
    }

    /// How many keys there are.
    ///
    /// # Errors
    /// The disk's.
    pub fn count(&self) -> Result<u64, KeyringError> {
        let count = self.db.query_row("SELECT count(*) FROM keys", [], |row| row.get(0));
        Ok(count.map_err(self.failed())?)
    }

    /// One of the keys, if there is any.
    ///
    /// # Errors
    /// The disk's.
    pub fn any(&self) -> Result<Option<(KeySlot, WrappedKey)>, KeyringError> {
        let key = self.db.query_row("SELECT slot, epoch, wrapped FROM keys LIMIT 1", [], |row| {
            let bytes = row.get::<_, Vec<u8>>(2)?.into();
            Ok((KeySlot::from_bytes(row.get(0)?), WrappedKey { epoch: row.get(1)?, bytes }))
        });
        Ok(key.optional().map_err(self.failed())?)
    }
}

/// Copies a keyring in use into a new file, as it is at one moment, without anything that was deleted from it.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let fail = |e: std::io::Error| StoreError::io(to, &e);
    // Made here, so that it is never readable by others.
    drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(fail)?);
    let failed = |e: rusqlite::Error| StoreError::sql(from, "copy the keyring", &e);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(from, flags).map_err(failed)?;
    db.busy_timeout(schema::BUSY).map_err(failed)?;
    let name = to.to_str().ok_or_else(|| StoreError::inside("the folder's name is not UTF-8"))?;
    db.execute("VACUUM INTO ?1", [name]).map_err(failed)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(fail)
}
