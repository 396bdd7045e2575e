//! The folder a store works in: made for its user only, held by one process, its names durable.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::StoreError;

/// Makes the folder if it is not there, for this user only.
pub(crate) fn make_folder(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| StoreError::io(dir, &e))
}

/// An error if there is no such file.
pub(crate) fn is_there(path: &Path) -> Result<(), StoreError> {
    std::fs::metadata(path).map(drop).map_err(|e| StoreError::io(path, &e))
}

/// Takes the lock file for as long as the returned file lives.
pub(crate) fn take_lock(path: &Path) -> Result<File, StoreError> {
    let fail = |e: std::io::Error| StoreError::io(path, &e);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // Who holds it is a help for the operator only; an unreadable file changes nothing.
            let mut text = String::new();
            let read = (&mut file).take(20).read_to_string(&mut text);
            let holder = match (read, text.trim().parse::<u32>()) {
                (Ok(_), Ok(process)) => format!(" (process {process})"),
                _ => String::new(),
            };
            return Err(StoreError::InUse { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(e)) => return Err(fail(e)),
    }
    file.set_len(0).map_err(fail)?;
    file.rewind().map_err(fail)?;
    writeln!(file, "{}", std::process::id()).map_err(fail)?;
    Ok(file)
}

/// Makes renames and new files in a folder durable.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| StoreError::io(dir, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_held_and_names_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = take_lock(&path).unwrap();
        let refused = take_lock(&path).unwrap_err();
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        take_lock(&path).unwrap();
    }
}
