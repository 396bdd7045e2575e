//! The live mirror of keyring and seal file: what a lost disk does not take along.
//!
//! It holds every key that a customer may have been given, and after a renewal nothing of the epoch before. New keys are added to
//! its keyring before they are used; at every renewal the pair is replaced as a pair. A mirror that cannot be written to stops
//! what would be lost with it: no new keys are made, and a renewal (an erasure) does not end well.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use chatward_message::KeySlot;
use chatward_store::{KEYRING_MARK, Keyring, KeyringFile, WrappedKey};

use crate::pair::{self, KEYRING, Kind};
use crate::vault::VaultError;

pub(crate) struct Mirror {
    dir: PathBuf,
    /// The keyring of the pair that counts; none: it has to be made anew.
    copy: tokio::sync::Mutex<Option<KeyringFile>>,
    behind: AtomicBool,
}

impl Mirror {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, copy: tokio::sync::Mutex::default(), behind: AtomicBool::new(true) }
    }

    /// Whether it lacks something.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Acquire)
    }

    /// Makes the pair anew; the one before is gone on return.
    pub(crate) async fn replace(&self, keyring: &Keyring, seal: &Path) -> Result<(), VaultError> {
        let mut copy = self.copy.lock().await;
        *copy = None;
        self.behind.store(true, Ordering::Release);
        let pair = pair::write(&self.dir, Kind::Mirror, keyring, seal).await?;
        *copy = Some(open(pair).await?);
        self.behind.store(false, Ordering::Release);
        Ok(())
    }

    /// Adds keys that are in the keyring already.
    pub(crate) async fn add(
        &self,
        keyring: &Keyring,
        seal: &Path,
        keys: Vec<(KeySlot, WrappedKey)>,
    ) -> Result<(), VaultError> {
        let taken = self.copy.lock().await.take();
        let whole = self.dir.join(KEYRING_MARK).exists()
            && pair::current(&self.dir).is_ok_and(|pair| pair.join(KEYRING).exists());
        let Some(mut file) = taken.filter(|_| whole) else { return self.replace(keyring, seal).await };
        self.behind.store(true, Ordering::Release);
        let added = tokio::task::spawn_blocking(move || file.add(&keys).map(|()| file)).await;
        let file = added.map_err(|_| VaultError::Closing)??;
        *self.copy.lock().await = Some(file);
        self.behind.store(false, Ordering::Release);
        Ok(())
    }
}

async fn open(pair: PathBuf) -> Result<KeyringFile, VaultError> {
    let opened = tokio::task::spawn_blocking(move || KeyringFile::open(&pair.join(KEYRING))).await;
    Ok(opened.map_err(|_| VaultError::Closing)??)
}
