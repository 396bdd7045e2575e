//! Backups of an embedded store: a folder that holds the database, the published log and a manifest.
//!
//! The database file is copied in chunks while it is held still (`sqlite::still`); a chunk that is in the target already is
//! left as it is, so that an interrupted backup goes on where it was, and one that was overtaken by an erasure copies only what
//! changed. The log is copied as it stands under one checkpoint, and files that the house keeps beside the database as they are.
//! The manifest is written last: without it the backup is not finished. It names every file with the SHA-256 of its chunks, and
//! its last line is its own hash.
//!
//! A backup and a keyring's copy are never in one place: [`fit_place`] refuses folders that are, lie in or hold the other.
//!
//! Hashes find what changed by accident. Against somebody who rewrites the manifest, too, there are the signature over the log
//! and the seal of every value.

mod manifest;
mod place;
mod restore;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use chatward_message::UnixMillis;

use self::manifest::{Entry, Manifest};
use crate::log;
use crate::sqlite::Still;
use crate::{StoreError, folder};

pub use place::{BackupKind, KEYRING_BEGUN, KEYRING_MARK, apart, fit_place};
pub use restore::{Restored, forget_restored, fresh_part, restore, restored};

/// Bytes copied and hashed at once: so much memory a backup takes.
pub(crate) const CHUNK: usize = 4 << 20;
/// After so many bytes what was written is on the disk, so that a commit never waits for much of it.
const SYNC_EVERY: u64 = 32 << 20;
/// The database in the backup.
pub(crate) const DATABASE: &str = "chatward.db";

/// How far a backup or a restore is. Shared by the one who works and the one who looks.
#[derive(Debug, Default)]
pub struct BackupProgress {
    done: AtomicU64,
    all: AtomicU64,
    found: AtomicU64,
}

impl BackupProgress {
    /// Bytes done, of how many, and how many of those were in the target already.
    pub fn bytes(&self) -> (u64, u64, u64) {
        let at = |n: &AtomicU64| n.load(Ordering::Relaxed);
        (at(&self.done), at(&self.all), at(&self.found))
    }

    pub(crate) fn begin(&self, all: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.found.store(0, Ordering::Relaxed);
        self.all.store(all, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: usize, found: bool) {
        self.done.fetch_add(bytes as u64, Ordering::Relaxed);
        if found {
            self.found.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// Bytes of all files.
    pub bytes: u64,
    /// Chunks of all files.
    pub chunks: u64,
    /// Files.
    pub files: u64,
    /// Events of the log under the checkpoint that came along.
    pub events: u64,
    /// Bytes that an earlier, interrupted run had copied already.
    pub found: u64,
}

/// A backup that is being made.
pub(crate) struct Making {
    to: PathBuf,
    log: PathBuf,
    checkpoint: Arc<[u8]>,
    events: u64,
    /// Log files, once they are copied.
    entries: Vec<Entry>,
}

impl Making {
    /// Begins in this folder, or goes on with what an interrupted run of the same log left there.
    pub(crate) fn begin(
        to: &Path,
        log: &Path,
        checkpoint: Option<Arc<[u8]>>,
        events: u64,
    ) -> Result<Self, StoreError> {
        let Some(checkpoint) = checkpoint else {
            return Err(StoreError::BackupPlace {
                path: to.to_owned(),
                why: "the log has no checkpoint yet: try again in a moment".into(),
            });
        };
        make_private(to)?;
        let origin = checkpoint.split(|b| *b == b'\n').next().unwrap_or_default();
        let begun = to.join(place::DATA_BEGUN);
        match std::fs::read(&begun) {
            Ok(found) if found == origin => {}
            Ok(_) => {
                let why = "an unfinished backup of another house lies there".into();
                return Err(StoreError::BackupPlace { path: to.to_owned(), why });
            }
            Err(_) => write_new(&begun, origin)?,
        }
        folder::sync_folder(to)?;
        Ok(Self { to: to.to_owned(), log: log.to_owned(), checkpoint, events, entries: Vec::new() })
    }

    /// Copies the log as it stands under the checkpoint. A publisher may be at work: tiles it has widened are cut.
    pub(crate) fn copy_log(&mut self) -> Result<(), StoreError> {
        let mut wanted = BTreeSet::new();
        let mut names = log::files_under(self.events);
        names.extend(["vkey".to_owned(), "checkpoint".to_owned()]);
        for name in names {
            let bytes = if name == "checkpoint" {
                self.checkpoint.to_vec()
            } else {
                log::served(&self.log, &name)?.ok_or_else(|| StoreError::LogUnusable {
                    path: self.log.clone(),
                    detail: format!("{name} is missing").into(),
                })?
            };
            let path = format!("log/{name}");
            let full = self.to.join(&path);
            if std::fs::read(&full).ok().as_deref() != Some(&bytes[..]) {
                if let Some(parent) = full.parent() {
                    make_private(parent)?;
                }
                write_new(&full, &bytes)?;
            }
            self.entries.push(Entry::of_bytes(&path, &bytes));
            wanted.insert(full);
        }
        prune(&self.to.join("log"), &wanted)?;
        sync_all_under(&self.to)
    }

    /// Copies files of the data folder that lie beside the database. Their owners replace them whole, so that each is of one moment.
    /// One that is not there is left out. They are on the disk once the log is ([`copy_log`](Self::copy_log)).
    pub(crate) fn copy_beside(&mut self, data: &Path, beside: &[&str]) -> Result<(), StoreError> {
        for path in beside {
            let (source, target) = (data.join(path), self.to.join(path));
            let file = match File::open(&source) {
                Ok(file) => file,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    // What an interrupted run copied.
                    let _ = std::fs::remove_file(&target);
                    continue;
                }
                Err(e) => return Err(StoreError::io(&source, &e)),
            };
            if let Some(above) = target.parent() {
                make_private(above)?;
            }
            let entry = copy_file(path, (file, &source), &target)?;
            self.entries.push(entry);
        }
        Ok(())
    }

    /// Copies the database while it is held still; nothing if it was not still to the end.
    pub(crate) fn copy_database(
        &self,
        file: &File,
        still: &Still,
        number: u64,
        progress: &BackupProgress,
    ) -> Result<Option<Entry>, StoreError> {
        let path = self.to.join(DATABASE);
        let fail = |e: std::io::Error| StoreError::io(&path, &e);
        let size = file.metadata().map_err(fail)?.len();
        let target = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        let there = target.metadata().map_err(fail)?.len();
        progress.begin(size);
        let (mut chunks, mut at, mut unsynced) = (Vec::new(), 0, 0);
        let (mut chunk, mut old) = (vec![0; CHUNK], vec![0; CHUNK]);
        while at < size {
            let length = usize::try_from(size - at).unwrap_or(CHUNK).min(CHUNK);
            let chunk = chunk.get_mut(..length).unwrap_or_default();
            if file.read_exact_at(chunk, at).is_err() || !still.holds(number) {
                return Ok(None);
            }
            let old = old.get_mut(..length).unwrap_or_default();
            let found = at + length as u64 <= there && target.read_exact_at(old, at).is_ok() && old == chunk;
            if !found {
                target.write_all_at(chunk, at).map_err(fail)?;
                unsynced += length as u64;
                if unsynced >= SYNC_EVERY {
                    target.sync_data().map_err(fail)?;
                    unsynced = 0;
                }
            }
            chunks.push(hash(chunk));
            at += length as u64;
            progress.add(length, found);
        }
        target.set_len(size).and_then(|()| target.sync_all()).map_err(fail)?;
        Ok(still.holds(number).then(|| Entry { path: DATABASE.to_owned(), size, chunks }))
    }

    /// The manifest makes it whole.
    pub(crate) fn finish(
        mut self,
        database: Entry,
        at: UnixMillis,
        progress: &BackupProgress,
    ) -> Result<BackedUp, StoreError> {
        self.entries.push(database);
        let manifest = Manifest {
            made: at,
            events: self.events,
            checkpoint: String::from_utf8_lossy(&self.checkpoint).into_owned(),
            entries: self.entries,
        };
        let beside = self.to.join("data-backup.new");
        write_new(&beside, manifest.text().as_bytes())?;
        let whole = self.to.join(place::DATA_MARK);
        std::fs::rename(&beside, &whole).map_err(|e| StoreError::io(&whole, &e))?;
        folder::sync_folder(&self.to)?;
        let begun = self.to.join(place::DATA_BEGUN);
        std::fs::remove_file(&begun).map_err(|e| StoreError::io(&begun, &e))?;
        let (_, _, found) = progress.bytes();
        Ok(BackedUp {
            bytes: manifest.entries.iter().map(|entry| entry.size).sum(),
            chunks: manifest.entries.iter().map(|entry| entry.chunks.len() as u64).sum(),
            files: manifest.entries.len() as u64,
            events: self.events,
            found,
        })
    }
}

pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// Copies a file, for this user only.
fn copy_file(name: &str, (mut source, from): (File, &Path), to: &Path) -> Result<Entry, StoreError> {
    let fail = |e: std::io::Error| StoreError::io(to, &e);
    let mut target =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to).map_err(fail)?;
    let (mut size, mut chunks, mut chunk) = (0, Vec::new(), Vec::new());
    loop {
        chunk.clear();
        let read = (&mut source).take(CHUNK as u64).read_to_end(&mut chunk);
        let read = read.map_err(|e| StoreError::io(from, &e))?;
        if read == 0 {
            break;
        }
        target.write_all(&chunk).map_err(fail)?;
        chunks.push(hash(&chunk));
        size += read as u64;
    }
    Ok(Entry { path: name.to_owned(), size, chunks })
}

/// Makes a folder, and those above it, for this user only.
fn make_private(dir: &Path) -> Result<(), StoreError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| StoreError::io(dir, &e))
}

/// Writes a file anew, for this user only, and onto the disk.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let fail = |e: std::io::Error| StoreError::io(path, &e);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    // Files of the log are many: they are synced together.
    if path.components().any(|part| part.as_os_str() == "log") {
        Ok(())
    } else {
        file.sync_all().map_err(fail)
    }
}

/// Removes files that are not wanted: what an interrupted run copied under an older checkpoint.
fn prune(dir: &Path, wanted: &BTreeSet<PathBuf>) -> Result<(), StoreError> {
    let fail = |e: std::io::Error| StoreError::io(dir, &e);
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        if entry.file_type().map_err(fail)?.is_dir() {
            prune(&path, wanted)?;
            // A folder that still holds something stays.
            let _ = std::fs::remove_dir(&path);
        } else if !wanted.contains(&path) {
            std::fs::remove_file(&path).map_err(fail)?;
        }
    }
    Ok(())
}

/// Everything that was written on the file system of this folder is on the disk on return.
#[cfg(target_os = "linux")]
fn sync_all_under(dir: &Path) -> Result<(), StoreError> {
    let fail = |e: std::io::Error| StoreError::io(dir, &e);
    let file = File::open(dir).map_err(fail)?;
    rustix::fs::syncfs(&file).map_err(|e| fail(e.into()))
}

/// Everything under this folder is on the disk on return.
#[cfg(not(target_os = "linux"))]
fn sync_all_under(dir: &Path) -> Result<(), StoreError> {
    let fail = |e: std::io::Error| StoreError::io(dir, &e);
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_type().map_err(fail)?.is_dir() {
            sync_all_under(&entry.path())?;
        } else {
            File::open(entry.path()).and_then(|file| file.sync_all()).map_err(fail)?;
        }
    }
    folder::sync_folder(dir)
}
