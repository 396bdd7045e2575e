//! Copies of keyring and seal file: the mirror, and backups.

use std::path::Path;

use chatward_message::KeySlot;

use super::{Inner, Vault, VaultError, lock};
use crate::pair::{self, Kind};

impl Vault {
    /// Copies keyring and seal file into this folder, as a pair. The operator's key is not in it. Gives the number of keys. The
    /// caller makes sure that the place is fit ([`chatward_store::fit_place`]).
    ///
    /// # Errors
    /// Those of the disk; a keyring on a server is backed up there.
    pub async fn backup_keyring(&self, to: &Path) -> Result<u64, VaultError> {
        let inner = &self.inner;
        let _no_renewal = inner.renewal.read().await;
        let pair = pair::write(to, Kind::Backup, &inner.keyring, inner.file.path()).await?;
        let counted = tokio::task::spawn_blocking(move || {
            chatward_store::KeyringFile::look(&pair.join(pair::KEYRING))?.count()
        });
        Ok(counted.await.map_err(|_| VaultError::Closing)??)
    }

    /// Whether there is a key in this slot.
    pub async fn holds(&self, slot: KeySlot) -> Result<bool, VaultError> {
        Ok(self.inner.keyring.get(slot).await?.is_some())
    }

    /// Whether the mirror lacks something; `false` if there is none.
    pub fn mirror_is_behind(&self) -> bool {
        self.inner.mirror.as_ref().is_some_and(crate::mirror::Mirror::is_behind)
    }

    /// Makes the mirror anew.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn mend_mirror(&self) -> Result<(), VaultError> {
        let _no_renewal = self.inner.renewal.read().await;
        self.inner.mirror_pair().await
    }
}

impl Inner {
    /// Makes the mirror's pair anew, if there is a mirror. The caller makes sure that no renewal is under way.
    pub(super) async fn mirror_pair(&self) -> Result<(), VaultError> {
        match &self.mirror {
            Some(mirror) => mirror.replace(&self.keyring, self.file.path()).await,
            None => Ok(()),
        }
    }

    /// Keys that nobody was given yet are in the mirror before anybody is. If they cannot be, nobody is given them.
    pub(super) async fn mirror_keys(
        &self,
        keys: Vec<(KeySlot, chatward_store::WrappedKey)>,
    ) -> Result<(), VaultError> {
        let Some(mirror) = &self.mirror else { return Ok(()) };
        let slots: Vec<KeySlot> = keys.iter().map(|(slot, _)| *slot).collect();
        let added = mirror.add(&self.keyring, self.file.path(), keys).await;
        if added.is_err() {
            // What stays of them is of no use to anybody.
            let _ = self.keyring.delete(&slots).await;
            lock(&self.reserve).retain(|(slot, _)| !slots.contains(slot));
        }
        added
    }
}
