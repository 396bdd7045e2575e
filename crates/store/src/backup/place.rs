//! Where a backup may be: never where the other kind is.

use std::path::{Path, PathBuf};

use crate::StoreError;

/// A finished backup of the data holds this file: its manifest.
pub(crate) const DATA_MARK: &str = "data-backup";
/// An unfinished one holds this.
pub(crate) const DATA_BEGUN: &str = "data-backup.begun";
/// A copy of the keyring holds this, from its beginning.
pub const KEYRING_MARK: &str = "keyring-pair";
/// An unfinished one holds this.
pub const KEYRING_BEGUN: &str = "keyring-pair.begun";

/// What is backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupKind {
    /// The data folder: the database, the log, and these files of it, by their paths in it.
    Data(&'static [&'static str]),
    /// The keyring and its seal file.
    Keyring,
}

impl BackupKind {
    /// Names in a folder that say that the other kind, or a folder in use, is there.
    fn others(self) -> &'static [&'static str] {
        match self {
            Self::Data(_) => &[
                KEYRING_MARK,
                KEYRING_BEGUN,
                "keyring.db",
                "keyring.lock",
                "seal",
                "operator.key",
                "chatward.db-wal",
                "lock",
            ],
            Self::Keyring => {
                &[DATA_MARK, DATA_BEGUN, "chatward.db", "lock", "keyring.db", "seal", "operator.key"]
            }
        }
    }

    /// Whether something of this name belongs to such a backup.
    fn is_own(self, name: &str, begun: bool) -> bool {
        match self {
            Self::Data(beside) => {
                let top = |path: &&str| path.split('/').next() == Some(name);
                let known = ["chatward.db", "log", DATA_BEGUN, "data-backup.new"].contains(&name);
                // Others may call something so: only in a backup that was begun it is ours.
                known || begun && beside.iter().any(top)
            }
            Self::Keyring => name == KEYRING_BEGUN || name.starts_with("pair-"),
        }
    }
}

/// Refuses a folder that may not hold a backup of this kind: one that holds the other kind or anything else, lies in it, or
/// lies in (or around) one of the folders `in_use`.
///
/// # Errors
/// [`StoreError::BackupPlace`], which says why.
pub fn fit_place(to: &Path, kind: BackupKind, in_use: &[&Path]) -> Result<(), StoreError> {
    let refused = |why: String| StoreError::BackupPlace { path: to.to_owned(), why: why.into() };
    for folder in in_use {
        apart(to, folder)
            .map_err(|_| refused(format!("it lies in, or around, {}, which is in use", folder.display())))?;
    }
    let whole = resolved(to)?;
    for above in whole.ancestors() {
        for name in kind.others() {
            if above.join(name).is_file() {
                let what = match kind {
                    BackupKind::Data(_) => "keys",
                    BackupKind::Keyring => "data",
                };
                return Err(refused(format!(
                    "{} holds {name}: a copy of data and a copy of keys must lie apart, and not in a folder of {what}",
                    above.display()
                )));
            }
        }
    }
    let entries = match std::fs::read_dir(to) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(StoreError::io(to, &e)),
    };
    let begun = to.join(DATA_BEGUN).is_file();
    let mark = match kind {
        BackupKind::Data(_) => DATA_MARK,
        BackupKind::Keyring => KEYRING_MARK,
    };
    for entry in entries {
        let name = entry.map_err(|e| StoreError::io(to, &e))?.file_name();
        let name = name.to_string_lossy();
        if name == mark {
            return Err(refused("it holds a finished backup already: choose another folder".into()));
        }
        if !kind.is_own(&name, begun) {
            return Err(refused(format!("it holds something else ({name}): choose an empty folder")));
        }
    }
    Ok(())
}

/// Refuses two folders of which one is, or lies in, the other.
///
/// # Errors
/// [`StoreError::BackupPlace`].
pub fn apart(one: &Path, other: &Path) -> Result<(), StoreError> {
    let (a, b) = (resolved(one)?, resolved(other)?);
    if a.starts_with(&b) || b.starts_with(&a) {
        let why = format!("it and {} must lie apart", other.display()).into();
        return Err(StoreError::BackupPlace { path: one.to_owned(), why });
    }
    Ok(())
}

/// The path with all links followed, as far as it exists.
fn resolved(path: &Path) -> Result<PathBuf, StoreError> {
    let fail = |e: std::io::Error| StoreError::io(path, &e);
    let path = std::path::absolute(path).map_err(fail)?;
    for above in path.ancestors() {
        if let Ok(real) = above.canonicalize() {
            return Ok(real.join(path.strip_prefix(above).unwrap_or(Path::new(""))));
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_keys_are_never_in_one_place() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["data", "keys", "keys-copy", "data-copy", "empty", "other"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("keys-copy").join(KEYRING_MARK), "").unwrap();
        std::fs::write(at("data-copy").join(DATA_MARK), "").unwrap();
        std::fs::write(at("other").join("letter.txt"), "").unwrap();
        std::os::unix::fs::symlink(at("data"), at("link")).unwrap();
        let (data, keys) = (at("data"), at("keys"));
        let fits = |to: &str, kind| fit_place(&at(to), kind, &[&data, &keys]).is_ok();
        for to in [
            "data",
            "data/backup",
            "keys/x",
            "link/x",
            ".",
            "other",
            "keys-copy",
            "keys-copy/x/y",
            "data-copy",
        ] {
            assert!(!fits(to, BackupKind::Data(&[])), "{to}");
        }
        for to in ["data", "keys", "keys/x", "link", "other", "data-copy", "data-copy/x", "keys-copy"] {
            assert!(!fits(to, BackupKind::Keyring), "{to}");
        }
        for to in ["empty", "new/folder"] {
            assert!(fits(to, BackupKind::Data(&[])) && fits(to, BackupKind::Keyring), "{to}");
        }
        std::fs::write(at("empty").join(DATA_BEGUN), "").unwrap();
        assert!(fits("empty", BackupKind::Data(&[])) && !fits("empty", BackupKind::Keyring));
    }
}
