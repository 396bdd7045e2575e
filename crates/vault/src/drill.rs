//! The recovery drill: does a key that was typed in open what is there? In memory only, nothing is changed.

use std::path::Path;

use chatward_store::KeyringFile;

use crate::keep::SealFile;
use crate::key::unwrap;
use crate::pair::{self, KEYRING};
use crate::seal::{OperatorKey, SealError};
use crate::vault::VaultError;

/// What a key opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drilled {
    /// Keys in the keyring, one of which was opened; none if the keyring is on a server, where it was not looked at.
    pub keys: Option<u64>,
    /// The same of the mirror, if there is one.
    pub mirrored: Option<u64>,
}

/// Whether this operator key opens the seal file of a folder of keys.
///
/// # Errors
/// [`SealError::WrongKey`] if it is another one, [`SealError::SealFileMissing`], and the disk's.
pub fn fits(keys_dir: &Path, key: &OperatorKey) -> Result<(), SealError> {
    let file = SealFile::new(keys_dir, &key.root()?)?;
    let path = file.path().to_owned();
    file.read()?.map(drop).ok_or(SealError::SealFileMissing { path })
}

/// Opens the seal file and one key of the keyring with this key, and the same in the mirror. Blocks.
///
/// # Errors
/// [`SealError::WrongKey`] if the key is another one; [`VaultError::OtherEpoch`] if keyring and seal file are not of one pair;
/// [`VaultError::BadPair`] if the mirror does not hold what the folder of keys holds; the disk's.
pub fn drill(keys_dir: &Path, key: &OperatorKey, mirror: Option<&Path>) -> Result<Drilled, VaultError> {
    fits(keys_dir, key)?;
    let ours = keys_dir.join(KEYRING);
    let keys = if ours.exists() { Some(open_one(keys_dir, key)?) } else { None };
    let mirrored = mirror.map(|mirror| {
        let pair = pair::current(mirror)?;
        let count = open_one(&pair, key)?;
        let read = |dir: &Path| {
            let path = dir.join(crate::keep::FILE);
            std::fs::read(&path).map_err(SealError::io("cannot read", &path))
        };
        if read(&pair)? != read(keys_dir)? {
            let why =
                "the seal file of the mirror is not the one in use: start the gateway, which makes it anew";
            return Err(VaultError::BadPair { path: pair, why });
        }
        Ok(count)
    });
    Ok(Drilled { keys, mirrored: mirrored.transpose()? })
}

/// Opens one key of this folder; gives how many there are.
fn open_one(dir: &Path, key: &OperatorKey) -> Result<u64, VaultError> {
    let file = SealFile::new(dir, &key.root()?)?;
    let kept = file.read()?.ok_or_else(|| SealError::SealFileMissing { path: file.path().to_owned() })?;
    let ring = KeyringFile::look(&dir.join(KEYRING))?;
    if let Some((slot, wrapped)) = ring.any()? {
        let epochs = [Some(&kept.current), kept.next.as_ref()];
        let epoch = epochs.into_iter().flatten().find(|epoch| epoch.number == wrapped.epoch);
        let epoch = epoch.ok_or(VaultError::OtherEpoch { slot, epoch: wrapped.epoch })?;
        unwrap(&epoch.key, &wrapped.bytes)?;
    }
    Ok(ring.count()?)
}
