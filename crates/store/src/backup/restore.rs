//! From a backup to a data folder.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chatward_message::UnixMillis;

use super::manifest::{Entry, Manifest};
use super::{
    BackedUp, BackupProgress, CHUNK, DATABASE, SYNC_EVERY, hash, make_private, place, sync_all_under,
    write_new,
};
use crate::log::{root_of, verify};
use crate::{StoreError, folder, sqlite};

/// Says in a restored folder that it was restored, until its first start.
const RESTORED: &str = "restored";

/// What a restored folder was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made.
    pub made: UnixMillis,
    /// Events under the checkpoint that came with it.
    pub events: u64,
}

/// Makes a data folder from a backup, all of it or nothing: it is built beside (`NAME.part`) and gets its name at the end.
/// Every chunk is compared with its hash, the log is verified, and the database must be the one that the log's checkpoint was
/// signed over. Blocks.
///
/// # Errors
/// [`StoreError::BackupPlace`] if the folder holds something already; [`StoreError::BackupDamaged`] if anything is not what was
/// backed up; those of the disk.
pub fn restore(from: &Path, to: &Path, progress: &BackupProgress) -> Result<BackedUp, StoreError> {
    let mark = from.join(place::DATA_MARK);
    if !mark.exists() {
        let why = if from.join(place::DATA_BEGUN).exists() {
            "the backup was not finished: run `chatward backup` with the same folder again"
        } else if from.join(place::KEYRING_MARK).exists() {
            "this is a copy of the keyring: restore it with `--keyring`"
        } else {
            "there is no backup"
        };
        return Err(StoreError::BackupPlace { path: from.to_owned(), why: why.into() });
    }
    let manifest = Manifest::read(&mark)?;
    let part = fresh_part(to)?;
    progress.begin(manifest.entries.iter().map(|entry| entry.size).sum());
    for entry in &manifest.entries {
        copy(entry, from, &part, progress)?;
    }
    agree(&part, &manifest)?;
    write_new(&part.join(RESTORED), format!("{} {}\n", manifest.made.0, manifest.events).as_bytes())?;
    sync_all_under(&part)?;
    std::fs::rename(&part, to).map_err(|e| StoreError::io(to, &e))?;
    if let Some(above) = to.parent().filter(|above| !above.as_os_str().is_empty()) {
        folder::sync_folder(above)?;
    }
    Ok(BackedUp {
        bytes: manifest.entries.iter().map(|entry| entry.size).sum(),
        chunks: manifest.entries.iter().map(|entry| entry.chunks.len() as u64).sum(),
        files: manifest.entries.len() as u64,
        events: manifest.events,
        found: 0,
    })
}

/// A new folder beside the target (`NAME.part`), which gets the target's name when it is whole; what a killed restore left in it
/// goes.
///
/// # Errors
/// [`StoreError::BackupPlace`] if the target holds something already; the disk's.
pub fn fresh_part(to: &Path) -> Result<PathBuf, StoreError> {
    let fail = |e: std::io::Error| StoreError::io(to, &e);
    match std::fs::read_dir(to).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => {
            let why = "it holds something already: restore into a new folder".into();
            return Err(StoreError::BackupPlace { path: to.to_owned(), why });
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(fail(e)),
    }
    let name = to
        .file_name()
        .ok_or_else(|| StoreError::BackupPlace { path: to.to_owned(), why: "it has no name".into() })?;
    let mut part = name.to_owned();
    part.push(".part");
    let part = to.with_file_name(part);
    match std::fs::remove_dir_all(&part) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(StoreError::io(&part, &e)),
        _ => {}
    }
    make_private(&part)?;
    Ok(part)
}

fn copy(entry: &Entry, from: &Path, part: &Path, progress: &BackupProgress) -> Result<(), StoreError> {
    let (source, target) = (from.join(&entry.path), part.join(&entry.path));
    let damaged = |detail: String| StoreError::BackupDamaged { path: source.clone(), detail: detail.into() };
    if let Some(above) = target.parent() {
        make_private(above)?;
    }
    let mut read = File::open(&source).map_err(|e| StoreError::io(&source, &e))?;
    let fail = |e: std::io::Error| StoreError::io(&target, &e);
    let mut write =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target).map_err(fail)?;
    let mut chunk = vec![0; CHUNK];
    let (mut left, mut unsynced) = (entry.size, 0);
    for (number, wanted) in entry.chunks.iter().enumerate() {
        let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let chunk = chunk.get_mut(..length).unwrap_or_default();
        read.read_exact(chunk).map_err(|_| damaged(format!("it ends in chunk {number}")))?;
        if hash(chunk) != *wanted {
            return Err(damaged(format!("chunk {number} has another hash")));
        }
        write.write_all(chunk).map_err(fail)?;
        left -= length as u64;
        unsynced += length as u64;
        if unsynced >= SYNC_EVERY {
            write.sync_data().map_err(fail)?;
            unsynced = 0;
        }
        progress.add(length, false);
    }
    if read.read(&mut [0]).map_err(|e| StoreError::io(&source, &e))? > 0 {
        return Err(damaged("something was added at its end".into()));
    }
    Ok(())
}

/// The log is sound, and the database is the one that it tells of.
fn agree(part: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let damaged = |path: PathBuf, detail: String| StoreError::BackupDamaged { path, detail: detail.into() };
    let log = part.join("log");
    let report = verify::verify(&log, None, &[]).map_err(|e| damaged(log.clone(), e.to_string()))?;
    if !report.is_clean() || report.proven != manifest.events {
        let first = report.faults.first().map_or_else(|| "it is not whole".to_owned(), ToString::to_string);
        return Err(damaged(log, first));
    }
    let read = |name: &str| {
        let path = log.join(name);
        std::fs::read(&path).map_err(|e| StoreError::io(&path, &e))
    };
    let key = String::from_utf8_lossy(&read("vkey")?).parse::<verify::Vkey>();
    let key = key.map_err(|e| damaged(log.join("vkey"), e.to_string()))?;
    let bytes = read("checkpoint")?;
    let signed = verify::Checkpoint::open(&bytes, &key);
    let signed = signed.map_err(|e| damaged(log.join("checkpoint"), e.to_string()))?;
    if bytes != manifest.checkpoint.as_bytes() {
        return Err(damaged(log.join("checkpoint"), "it is not that of the manifest".into()));
    }
    let database = part.join(DATABASE);
    let roots = root_of(&sqlite::open_to_look(&database)?, signed.size)?;
    if roots.earlier != Some(signed.root) {
        return Err(damaged(database, "it is not the one that the log was signed over".into()));
    }
    Ok(())
}

/// What this data folder was restored from, if it was and has not been started since.
///
/// # Errors
/// The disk's.
pub fn restored(data: &Path) -> Result<Option<Restored>, StoreError> {
    let path = data.join(RESTORED);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap_or(0));
            let made = UnixMillis(numbers.next().unwrap_or(0));
            Ok(Some(Restored { made, events: numbers.next().unwrap_or(0) }))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io(&path, &e)),
    }
}

/// Notes that the first start after a restore did what it had to do.
///
/// # Errors
/// The disk's.
pub fn forget_restored(data: &Path) -> Result<(), StoreError> {
    let path = data.join(RESTORED);
    std::fs::remove_file(&path).map_err(|e| StoreError::io(&path, &e))?;
    folder::sync_folder(data)
}
