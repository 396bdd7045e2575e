//! What belongs to no customer: the key that signs the lists of the encrypted channel's keys, the seal over the seeds from
//! which all gateways of one house derive those keys, and the seal over what is counted of behaviour.

use std::sync::Arc;

use chatward_store::log::Signer;
use zeroize::Zeroizing;

use super::{LogSigner, Vault, VaultError};
use crate::key::{CipherError, Secret, open_under, seal_under};

/// The channel's signing key, derived from the seed of the log's: one for each purpose, none of which tells the other.
pub(super) fn channel_signer(seed: &Secret) -> Result<Arc<LogSigner>, CipherError> {
    Ok(Arc::new(LogSigner::new(&seed.derive(&[b"channel key list", b"v1"])?, "chatward-channel")?))
}

impl Vault {
    /// The key that signs the lists of the encrypted channel's keys. Its public half is what browsers are told to expect; it is the
    /// same after every start, and for all gateways over one keys folder.
    pub fn channel_signer(&self) -> Arc<dyn Signer> {
        self.inner.channel_signer.clone()
    }

    /// Seals the seed of a key of the encrypted channel, bound to the key's number, for the other gateways of this house.
    ///
    /// # Errors
    /// The cipher library's.
    pub fn seal_seed(&self, number: u64, seed: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(seal_under(&self.seed_key()?, &place(number), seed)?)
    }

    /// Opens what [`Vault::seal_seed`] made, here or in another gateway over the same keys folder.
    ///
    /// # Errors
    /// If it was sealed for another number or by another house, or altered.
    pub fn open_seed(&self, number: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        Ok(open_under(&self.seed_key()?, &place(number), sealed)?)
    }

    /// Seals counts of the house's own: hashes and numbers, no customer's data.
    ///
    /// # Errors
    /// The cipher library's.
    pub fn seal_counts(&self, counts: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(seal_under(&self.counts_key()?, COUNTS, counts)?)
    }

    /// Opens what [`Vault::seal_counts`] made.
    ///
    /// # Errors
    /// If it was sealed by another house, or altered.
    pub fn open_counts(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        Ok(open_under(&self.counts_key()?, COUNTS, sealed)?)
    }

    fn counts_key(&self) -> Result<Secret, CipherError> {
        self.inner.pepper.derive(&[b"behaviour counts", b"v1"])
    }

    fn seed_key(&self) -> Result<Secret, CipherError> {
        self.inner.pepper.derive(&[b"channel seed", b"v1"])
    }
}

/// What the counts are bound to.
const COUNTS: &[u8] = b"behaviour";

fn place(number: u64) -> Vec<u8> {
    [&b"channel_seeds"[..], &number.to_be_bytes()].concat()
}
