//! Opening in two steps. Which keys these are is known before anything of them, or of their mirror, is changed: whoever knows
//! that newer ones were in use can still turn back.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};

use chatward_message::Clock;
use chatward_store::Keyring;
use chatward_store::log::Signer;

use super::{CACHED, Inner, LogSigner, Vault, VaultError, listen, read, write};
use crate::cache::Cache;
use crate::keep::{Kept, SealFile};
use crate::mirror::Mirror;
use crate::{Seal, SealError};

/// Which keys these are: how often they were renewed, and a hash that tells the epoch from another of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochMark {
    /// The number of the epoch; the next one's is higher.
    pub number: u64,
    /// Derived from the epoch key, of which it says nothing.
    pub hash: [u8; 16],
}

/// Keys that can be used, but are as they were found. Only at a first start was something written: the seal file.
pub struct Unlocked {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { inner: _ } = self;
        f.write_str("Unlocked")
    }
}

impl Vault {
    /// Opens the vault, without a mirror and whatever keys these are. See [`Vault::unlock`].
    pub async fn open(
        keys_dir: &Path,
        seal: Box<dyn Seal>,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, VaultError> {
        Self::open_mirrored(keys_dir, seal, keyring, clock, None).await
    }

    /// The same, with a live mirror of keyring and seal file in another folder. See `mirror`.
    pub async fn open_mirrored(
        keys_dir: &Path,
        seal: Box<dyn Seal>,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
        mirror: Option<PathBuf>,
    ) -> Result<Self, VaultError> {
        Self::unlock(keys_dir, seal, keyring, clock, mirror).await?.open().await
    }

    /// The first step: reads the seal file and compares it with the keyring. Makes the seal file at the first start, and
    /// changes nothing otherwise.
    ///
    /// # Errors
    /// [`VaultError::Seal`], and [`VaultError::OtherEpoch`] or [`VaultError::OtherPair`] if seal file and keyring do not belong
    /// together.
    pub async fn unlock(
        keys_dir: &Path,
        seal: Box<dyn Seal>,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
        mirror: Option<PathBuf>,
    ) -> Result<Unlocked, VaultError> {
        let file = Arc::new(SealFile::new(keys_dir, &seal.root()?)?);
        let kept = {
            // Two processes that start together do not both make a seal file, and none compares while another renews.
            let _alone = keyring.lock().await?;
            let kept = match file.read()? {
                Some(kept) => kept,
                None if keyring.count().await? > 0 => {
                    return Err(SealError::SealFileMissing { path: file.path().to_owned() }.into());
                }
                None => {
                    let kept = Kept::fresh(clock.now())?;
                    write(&file, kept.clone()).await?;
                    kept
                }
            };
            are_a_pair(&keyring, &kept).await?;
            kept
        };
        let inner = Inner {
            signer: Arc::new(LogSigner::new(&kept.signer, "chatward-log")?),
            channel_signer: super::shared::channel_signer(&kept.signer)?,
            pepper: kept.pepper.clone(),
            peppers: RwLock::default(),
            cache: Mutex::new(Cache::new(CACHED)),
            kept: RwLock::new(kept),
            renewal: tokio::sync::RwLock::default(),
            waiting: Mutex::default(),
            reserve: Mutex::default(),
            refilling: tokio::sync::Mutex::default(),
            refill_asked: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            file,
            keyring,
            mirror: mirror.map(Mirror::new),
            clock,
        };
        Ok(Unlocked { inner: Arc::new(inner) })
    }
}

/// # Errors
/// [`VaultError::OtherEpoch`] and [`VaultError::OtherPair`].
async fn are_a_pair(keyring: &Keyring, kept: &Kept) -> Result<(), VaultError> {
    let epochs = [Some(&kept.current), kept.next.as_ref()].into_iter().flatten();
    let epochs: Vec<u64> = epochs.map(|epoch| epoch.number).collect();
    if let Some((slot, epoch)) = keyring.stranger(&epochs).await? {
        return Err(VaultError::OtherEpoch { slot, epoch });
    }
    let seal = kept.current.number;
    match keyring.news_since(seal).await? {
        Some(news) if !epochs.contains(&news.epoch) => {
            Err(VaultError::OtherPair { keyring: news.epoch, seal })
        }
        _ => Ok(()),
    }
}

impl Unlocked {
    /// The key that signs the audit log.
    pub fn signer(&self) -> Arc<dyn Signer> {
        self.inner.signer.clone()
    }

    /// Which keys these are now. Where other processes share them, what those did until this is called is known.
    ///
    /// # Errors
    /// The keyring or the seal file cannot be read.
    pub async fn mark(&self) -> Result<EpochMark, VaultError> {
        self.inner.catch_up().await?;
        Ok(read(&self.inner.kept).current.mark()?)
    }

    /// The second step: finishes a renewal that a crash interrupted, replaces the mirror, makes the first reserve of keys. Must
    /// be called inside a tokio runtime.
    ///
    /// # Errors
    /// Those of the disk and of the keyring.
    pub async fn open(self) -> Result<Vault, VaultError> {
        let Self { inner } = self;
        let interrupted = read(&inner.kept).next.is_some();
        if interrupted {
            inner.finish_renewal().await?;
        }
        inner.mirror_pair().await?;
        inner.refill().await?;
        if inner.keyring.is_shared() {
            tokio::spawn(listen(Arc::downgrade(&inner)));
        }
        Ok(Vault { inner })
    }
}
