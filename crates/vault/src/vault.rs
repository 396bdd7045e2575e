//! The vault: keys opened at the start, customers' keys handed out, renewed and destroyed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use chatward_detect::Inspected;
use chatward_message::{
    Classes, Clock, ConversationId, KeySlot, Place, Sealed, Subject, TenantId, UnixMillis,
};
use chatward_policy::{Handling, HandlingTable};
use chatward_store::log::Signer;
use chatward_store::{Conversation, IssuedRow, Keyring, KeyringError, WrappedKey};
use zeroize::Zeroizing;

use crate::cache::Cache;
use crate::keep::{Epoch, Kept, SealFile};
use crate::key::{NameKey, Secret, unwrap, wrap};
use crate::mirror::Mirror;
use crate::random::random_id;
use crate::{CipherError, CustomerKey, Labels, Masked, Placeholders, SealError};

/// How many customers' keys stay in memory, some 3 KiB each. Named conversations hold their own beside these.
const CACHED: usize = 256;
/// How many keys are made ahead at once; made anew when half of them are gone.
const RESERVE: usize = 512;

/// How often a shared keyring is asked for what other processes did.
const LISTEN_EVERY: Duration = Duration::from_millis(500);

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
    /// The keyring belongs to another seal file: an older or newer copy of one of the two.
    #[error(
        "the key in {slot} belongs to epoch {epoch}, which the seal file does not hold: keyring and seal file are not \
         of one pair, or an old keyring was put back after an erasure. Put back the newest keyring together with its seal file \
         (`chatward restore --keyring` from the mirror, or from the newest backup)"
    )]
    OtherEpoch {
        /// Whose key.
        slot: KeySlot,
        /// Its epoch.
        epoch: u64,
    },
    /// A keyring on a server belongs to another seal file.
    #[error(
        "the keyring is at epoch {keyring} and the seal file at epoch {seal}: they are not of one pair, or one of them is an old \
         copy. Put back the newest keyring together with its seal file"
    )]
    OtherPair {
        /// The epoch of the keyring.
        keyring: u64,
        /// The one that the seal file holds.
        seal: u64,
    },
    /// A stored entry is not one.
    #[error("a stored placeholder is damaged")]
    BadEntry,
    /// A copy of keyring and seal file cannot be used.
    #[error("{}: {why}", .path.display())]
    BadPair {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// Work in the background ended before it was done: the program is being shut down.
    #[error("the vault is being closed")]
    Closing,
}

impl VaultError {
    /// What somebody outside may be told.
    pub fn outside(&self) -> &'static str {
        match self {
            Self::NoKey { .. } | Self::Cipher(CipherError::Destroyed) => "this data was erased",
            _ => "the keys of this service are not available",
        }
    }
}

/// What a renewal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The epoch before; its key is destroyed.
    pub from: u64,
    /// The epoch now.
    pub to: u64,
    /// Customer keys wrapped anew.
    pub rewrapped: u64,
}

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Customer keys destroyed by the renewal in which this erasure took part (it may have served several).
    pub destroyed: u64,
    /// The epoch now; the key of the one before is destroyed.
    pub epoch: u64,
}

/// Keys and what is done with them. A handle: clones share everything.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    file: Arc<SealFile>,
    keyring: Keyring,
    mirror: Option<Mirror>,
    clock: Arc<dyn Clock>,
    signer: Arc<LogSigner>,
    channel_signer: Arc<LogSigner>,
    pepper: Secret,
    peppers: RwLock<HashMap<TenantId, NameKey>>,
    cache: Mutex<Cache>,
    /// What the seal file holds now.
    kept: RwLock<Kept>,
    /// Wrapping and inserting read, renewing writes: no key is put in under an epoch that ends meanwhile. It also makes
    /// renewals one at a time.
    renewal: tokio::sync::RwLock<()>,
    /// Erasures that wait for the next renewal.
    waiting: Mutex<Waiting>,
    reserve: Mutex<Vec<(KeySlot, Secret)>>,
    refilling: tokio::sync::Mutex<()>,
    refill_asked: AtomicBool,
    closing: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    slots: Vec<KeySlot>,
    /// The number of the renewal that will take these slots.
    batch: u64,
    /// The last one that is done, and what it did.
    done: Option<(u64, Forgotten)>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { inner: _ } = self;
        f.write_str("Vault")
    }
}

impl Vault {
    /// The key that signs the audit log.
    pub fn signer(&self) -> Arc<dyn Signer> {
        self.inner.signer.clone()
    }

    /// HMAC-SHA256 under the tenant's pepper, cut to 16 bytes: ids inside a caller, history tags, forwarded user ids.
    /// Every part stands with its length.
    pub fn name_key(
        &self,
        tenant: &TenantId,
        purpose: &'static str,
        parts: &[&[u8]],
    ) -> Result<[u8; 16], VaultError> {
        Ok(self.inner.pepper_of(tenant)?.name(purpose, parts))
    }

    /// The key in a slot, from memory or from the keyring. Where others change the keyring too, it is asked each time: a
    /// key that another process destroyed is not used once more.
    pub async fn customer_key(&self, slot: KeySlot) -> Result<CustomerKey, VaultError> {
        let inner = &self.inner;
        let kept = lock(&inner.cache).get(slot);
        if let Some(key) = &kept
            && !inner.keyring.is_shared()
        {
            return Ok(key.clone());
        }
        // A renewal may end between reading the wrapped key and looking for its epoch: then read again.
        let mut tries = 3;
        let secret = loop {
            let Some(wrapped) = inner.keyring.get(slot).await? else {
                lock(&inner.cache).forget(&[slot]);
                return Err(VaultError::NoKey { slot });
            };
            if let Some(key) = kept {
                return Ok(key);
            }
            tries -= 1;
            match inner.unwrap(slot, &wrapped) {
                Err(VaultError::OtherEpoch { .. }) if tries > 0 => {
                    let _no_renewal_here = inner.renewal.read().await;
                    inner.catch_up().await?;
                }
                unwrapped => break unwrapped?,
            }
        };
        let key = CustomerKey::new(slot, &secret);
        lock(&inner.cache).insert(key).ok_or(VaultError::NoKey { slot })
    }

    /// Whether the keyring could be reached when it was last needed.
    pub fn is_reachable(&self) -> bool {
        self.inner.keyring.is_reachable()
    }

    /// A slot that no customer ever had, with its key. It is durable already: the keys are made ahead, and the reserve
    /// is filled up in the background.
    pub async fn fresh_customer(&self) -> Result<(KeySlot, CustomerKey), VaultError> {
        loop {
            let (taken, left) = {
                let mut reserve = lock(&self.inner.reserve);
                let taken = reserve.pop();
                (taken, reserve.len())
            };
            let Some((slot, secret)) = taken else {
                self.inner.refill().await?;
                continue;
            };
            if left < RESERVE / 2 && !self.inner.refill_asked.swap(true, Ordering::AcqRel) {
                let inner = Arc::clone(&self.inner);
                tokio::spawn(async move {
                    if !inner.closing.load(Ordering::Acquire) {
                        // A failure here shows itself to whoever finds the reserve empty.
                        let _ = inner.refill().await;
                    }
                    inner.refill_asked.store(false, Ordering::Release);
                });
            }
            let key = CustomerKey::new(slot, &secret);
            let key = lock(&self.inner.cache).insert(key).ok_or(VaultError::NoKey { slot })?;
            return Ok((slot, key));
        }
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

    /// The number of the epoch in force, and since when.
    pub fn epoch(&self) -> (u64, UnixMillis) {
        let kept = read(&self.inner.kept);
        (kept.current.number, kept.current.since)
    }

    /// Which keys are in force.
    ///
    /// # Errors
    /// The cipher library's.
    pub fn mark(&self) -> Result<EpochMark, VaultError> {
        Ok(read(&self.inner.kept).current.mark()?)
    }

    /// Begins a new epoch: all customer keys are wrapped anew, the seal file is replaced, the old epoch key is gone.
    /// A crash at any point is made good at the next start. Goes on when the caller is dropped.
    pub async fn rotate(&self) -> Result<Rotation, VaultError> {
        self.rotate_past(0).await
    }

    /// The same, to an epoch whose number is higher than this one, too: keys older than others that were in use become the
    /// newest.
    ///
    /// # Errors
    /// As [`Vault::rotate`].
    pub async fn rotate_past(&self, number: u64) -> Result<Rotation, VaultError> {
        let inner = Arc::clone(&self.inner);
        let work = tokio::spawn(async move {
            let _alone = inner.renewal.write().await;
            inner.renew(&[], number).await
        });
        let (rotation, _) = work.await.map_err(|_| VaultError::Closing)??;
        Ok(rotation)
    }

    /// Destroys customer keys: first in all memory of this process, then in the keyring, with a new epoch so that older
    /// copies of the keyring do not open, then in the write-ahead log. Erasures that come together share one renewal.
    /// Goes on when the caller is dropped; if it fails or the process dies, call it again.
    pub async fn forget(&self, slots: &[KeySlot]) -> Result<Forgotten, VaultError> {
        lock(&self.inner.cache).forget(slots);
        let ticket = {
            let mut waiting = lock(&self.inner.waiting);
            waiting.slots.extend_from_slice(slots);
            waiting.batch
        };
        let inner = Arc::clone(&self.inner);
        let work = tokio::spawn(async move { inner.forget_batch(ticket).await });
        work.await.map_err(|_| VaultError::Closing)?
    }

    /// Ends the work in the background and deletes pre-made keys that nobody was given. Call it at the end; the vault
    /// still works afterwards, but makes keys only when one is asked for.
    pub async fn close(&self) -> Result<(), VaultError> {
        self.inner.closing.store(true, Ordering::Release);
        let _nobody_refills = self.inner.refilling.lock().await;
        let unused: Vec<KeySlot> = lock(&self.inner.reserve).drain(..).map(|(slot, _)| slot).collect();
        self.inner.keyring.delete(&unused).await?;
        Ok(())
    }

    /// Masks an inspected request: what the bot may see. See [`Masked`].
    pub fn mask(
        &self,
        tenant: &TenantId,
        inspected: Inspected,
        handling: &Handling,
        table: &mut Placeholders,
    ) -> Result<Masked, VaultError> {
        let pepper = self.inner.pepper_of(tenant)?;
        Ok(crate::mask::mask(inspected, handling, table, &|value| pepper.name("hash operator", &[value])))
    }

    /// A conversation's table from its stored rows.
    pub fn open_entries(
        &self,
        key: &CustomerKey,
        tenant: &TenantId,
        labels: Arc<Labels>,
        known: &Conversation,
    ) -> Result<Placeholders, VaultError> {
        let mut table = Placeholders::new(labels);
        for row in &known.entries {
            let at = [known.id.as_bytes(), row.label.as_bytes()].concat();
            let place = Place { tenant, table: "entries", column: "value", row: &at };
            if !table.load(&row.label, &row.kind, &key.open(place, &row.value)?) {
                return Err(VaultError::BadEntry);
            }
        }
        for row in &known.issued {
            let at = issued_row(known.id, row.first);
            let bytes = key.open(issued_place(tenant, &at), &row.sealed)?;
            let in_its_turn = usize::try_from(row.first).is_ok_and(|first| first == table.len());
            if !in_its_turn || !table.load_all(&bytes) {
                return Err(VaultError::BadEntry);
            }
        }
        Ok(table)
    }

    /// The placeholders that are new since the table was loaded or this was last called, sealed together for the store.
    /// Each gets a lasting token. Of the values behind them is kept what `handling` says: all, something coarser, or nothing;
    /// what is in memory stays whole until the table goes.
    pub fn new_entries(
        &self,
        key: &CustomerKey,
        tenant: &TenantId,
        conversation: ConversationId,
        table: &mut Placeholders,
        handling: &HandlingTable,
    ) -> Result<Option<IssuedRow>, VaultError> {
        let new = table.iter().filter(|(_, entry)| entry.is_new()).count();
        if new == 0 {
            return Ok(None);
        }
        let first = u32::try_from(table.len() - new).map_err(|_| VaultError::BadEntry)?;
        let at = issued_row(conversation, first);
        let tokens = (0..new).map(|_| random_id()).collect::<Result<Vec<_>, _>>()?;
        let (stored, classes) = table.encode_new(&tokens, handling);
        let sealed = key.seal(issued_place(tenant, &at), &stored)?;
        table.all_stored();
        Ok(Some(IssuedRow { first, classes, sealed }))
    }
}

/// What is changed in values that are stored.
#[derive(Debug)]
pub enum Revision<'a> {
    /// Those of these classes go. Their placeholders stay issued, and stand for nothing from then on.
    Forget(Classes),
    /// The value behind this label (`EMAIL_1`) is another one from now on. The one before stays beside it, sealed.
    Correct {
        /// Which.
        label: &'a str,
        /// What it really is.
        value: &'a str,
    },
}

impl Vault {
    /// Values that were issued together, sealed anew with a change; none if it changes nothing about them.
    ///
    /// # Errors
    /// [`VaultError::BadEntry`] if they are not such values, [`VaultError::Cipher`] if the key does not open them.
    pub fn revise(
        &self,
        key: &CustomerKey,
        tenant: &TenantId,
        conversation: ConversationId,
        row: &IssuedRow,
        change: &Revision<'_>,
    ) -> Result<Option<IssuedRow>, VaultError> {
        let at = issued_row(conversation, row.first);
        let place = issued_place(tenant, &at);
        let bytes = key.open(place, &row.sealed)?;
        let revised = Placeholders::revise(&bytes, change).ok_or(VaultError::BadEntry)?;
        let Some((bytes, classes)) = revised else { return Ok(None) };
        Ok(Some(IssuedRow { first: row.first, classes, sealed: key.seal(place, &bytes)? }))
    }
}

impl Inner {
    fn pepper_of(&self, tenant: &TenantId) -> Result<NameKey, CipherError> {
        if let Some(key) = read(&self.peppers).get(tenant) {
            return Ok(key.clone());
        }
        let names = [&b"pepper"[..], tenant.as_str().as_bytes(), b"v1"];
        let key = NameKey::new(&self.pepper.derive(&names)?);
        self.peppers.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), key.clone());
        Ok(key)
    }

    fn unwrap(&self, slot: KeySlot, wrapped: &WrappedKey) -> Result<Secret, VaultError> {
        let kept = read(&self.kept);
        let epochs = [Some(&kept.current), kept.next.as_ref()];
        let epoch = epochs.into_iter().flatten().find(|e| e.number == wrapped.epoch);
        let epoch = epoch.ok_or(VaultError::OtherEpoch { slot, epoch: wrapped.epoch })?;
        Ok(unwrap(&epoch.key, &wrapped.bytes)?)
    }

    /// Fills the reserve up, if nobody else just did.
    async fn refill(&self) -> Result<(), VaultError> {
        let _one = self.refilling.lock().await;
        let missing = RESERVE.saturating_sub(lock(&self.reserve).len());
        if missing < RESERVE / 2 {
            return Ok(());
        }
        let _epoch_stays = self.renewal.read().await;
        // Each time another process may have begun one more renewal.
        let mut tries = 20;
        loop {
            let (epoch, at) = (read(&self.kept).current.clone(), self.clock.now());
            let made = tokio::task::spawn_blocking(move || make_keys(missing, at, &epoch)).await;
            let made = made.map_err(|_| VaultError::Closing)??;
            let (mut fresh, mut rows) = (Vec::with_capacity(missing), Vec::with_capacity(missing));
            for (slot, secret, wrapped) in made {
                rows.push((slot, wrapped));
                fresh.push((slot, secret));
            }
            tries -= 1;
            let mirrored = if self.mirror.is_some() { rows.clone() } else { Vec::new() };
            match self.keyring.insert(rows).await {
                // Another process renewed the keyring: nobody has these keys yet, so others are made.
                Err(KeyringError::OldEpoch { .. }) if tries > 0 => self.catch_up().await?,
                inserted => {
                    inserted?;
                    self.mirror_keys(mirrored).await?;
                    lock(&self.reserve).append(&mut fresh);
                    return Ok(());
                }
            }
        }
    }

    /// Learns what other processes did: destroyed keys leave memory, and the seal file is read again. The caller makes sure
    /// that no renewal of this process is under way.
    async fn catch_up(&self) -> Result<(), VaultError> {
        let known = read(&self.kept).current.number;
        let Some(news) = self.keyring.news_since(known).await? else { return Ok(()) };
        lock(&self.cache).forget(&news.destroyed);
        self.read_seal().await
    }

    /// Makes memory agree with the seal file.
    async fn read_seal(&self) -> Result<(), VaultError> {
        let file = Arc::clone(&self.file);
        let found =
            tokio::task::spawn_blocking(move || file.read()).await.map_err(|_| VaultError::Closing)??;
        let found = found.ok_or_else(|| SealError::SealFileMissing { path: self.file.path().to_owned() })?;
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    }

    /// Finishes a renewal that a crash interrupted, unless another process has done so meanwhile.
    async fn finish_renewal(&self) -> Result<(), VaultError> {
        let _alone_here = self.renewal.write().await;
        let _alone = self.keyring.lock().await?;
        self.read_seal().await?;
        if read(&self.kept).next.is_some() {
            self.renew_alone(&[], 0).await?;
        }
        Ok(())
    }

    /// Runs the renewal which takes the slots of batch number `ticket`, unless another erasure already did.
    async fn forget_batch(&self, ticket: u64) -> Result<Forgotten, VaultError> {
        let _alone = self.renewal.write().await;
        let slots = {
            let mut waiting = lock(&self.waiting);
            if let Some((done, what)) = &waiting.done
                && *done >= ticket
            {
                return Ok(what.clone());
            }
            waiting.batch += 1;
            std::mem::take(&mut waiting.slots)
        };
        let renewed = self.renew(&slots, 0).await;
        let mut waiting = lock(&self.waiting);
        match renewed {
            Ok((rotation, destroyed)) => {
                let what = Forgotten { destroyed, epoch: rotation.to };
                // The batch that was taken is the one before the open one; all older tickets are served with it.
                waiting.done = Some((waiting.batch - 1, what.clone()));
                Ok(what)
            }
            Err(error) => {
                // Whoever waits for this batch tries again with the slots.
                waiting.slots.extend(slots);
                Err(error)
            }
        }
    }

    /// One renewal. The caller makes sure that there is only one at a time, and that nobody inserts meanwhile.
    async fn renew(&self, delete: &[KeySlot], past: u64) -> Result<(Rotation, u64), VaultError> {
        let _alone = self.keyring.lock().await?;
        if self.keyring.is_shared() {
            self.catch_up().await?;
            self.read_seal().await?;
        }
        self.renew_alone(delete, past).await
    }

    /// The same, while no other process changes seal file and keyring.
    async fn renew_alone(&self, delete: &[KeySlot], past: u64) -> Result<(Rotation, u64), VaultError> {
        let (current, next, before) = {
            let kept = read(&self.kept);
            // An epoch that an earlier, interrupted renewal announced is taken up again.
            let next = kept.next.clone().map_or_else(|| kept.current.next(self.clock.now(), past), Ok)?;
            (kept.current.clone(), next, kept.clone())
        };
        // 1. The seal file announces the next epoch. A crash after this: the next start goes on from here.
        if before.next.is_none() {
            self.keep(Kept { next: Some(next.clone()), ..before.clone() }).await?;
        }
        // 2. All keys under the new epoch, the erased ones gone, in one transaction. A crash after this: the next start
        //    finds nothing left to wrap and goes on with 3.
        let (from, to) = (current.clone(), next.clone());
        let replaced =
            self.keyring.replace_all(delete, to.number, move |_, key| rewrap(&from, &to, key)).await?;
        // 3. The seal file holds the new epoch only: older copies of the keyring are worthless from here on.
        self.keep(Kept { current: next.clone(), next: None, ..before }).await?;
        // 4. What was deleted leaves the write-ahead log too. A crash before this: opening the keyring truncates.
        self.keyring.truncate().await?;
        // 5. The mirror holds the new pair only. A crash before this: the next start makes it anew.
        self.mirror_pair().await?;
        let rotation = Rotation { from: current.number, to: next.number, rewrapped: replaced.replaced };
        Ok((rotation, replaced.deleted))
    }

    /// Writes the seal file, then makes memory agree with it.
    async fn keep(&self, kept: Kept) -> Result<(), VaultError> {
        write(&self.file, kept.clone()).await?;
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(())
    }
}

/// Listens for what other processes do to the keyring, for as long as the vault is there: keys that they destroy leave the
/// memory of this process within a moment, also where nobody asks for them.
async fn listen(vault: Weak<Inner>) {
    loop {
        tokio::time::sleep(LISTEN_EVERY).await;
        let Some(inner) = vault.upgrade().filter(|inner| !inner.closing.load(Ordering::Acquire)) else {
            return;
        };
        let _no_renewal_here = inner.renewal.read().await;
        // A keyring that is away shows itself to whoever needs a key.
        let _ = inner.catch_up().await;
    }
}

/// Replaces the seal file on a thread that may wait for the disk.
async fn write(file: &Arc<SealFile>, kept: Kept) -> Result<(), VaultError> {
    let file = Arc::clone(file);
    let written = tokio::task::spawn_blocking(move || file.write(&kept)).await;
    Ok(written.map_err(|_| VaultError::Closing)??)
}

/// Keys nobody has yet, with their places. Places begin with the time, so that the keyring grows at its end: making keys
/// costs by the pages of the keyring that it touches.
fn make_keys(
    count: usize,
    at: UnixMillis,
    epoch: &Epoch,
) -> Result<Vec<(KeySlot, Secret, WrappedKey)>, CipherError> {
    let time = at.0.to_be_bytes();
    let mut keys = Vec::with_capacity(count);
    for secret in Secret::randoms(count)? {
        let mut slot: [u8; 16] = random_id()?;
        // The lower six of its bytes last until the year 10889; ten random bytes within a millisecond remain.
        slot.iter_mut().zip(time.iter().skip(2)).for_each(|(to, from)| *to = *from);
        let slot = KeySlot::from_bytes(slot);
        let bytes = wrap(&epoch.key, &secret)?.into();
        keys.push((slot, secret, WrappedKey { epoch: epoch.number, bytes }));
    }
    keys.sort_unstable_by_key(|(slot, ..)| *slot);
    Ok(keys)
}

fn rewrap(from: &Epoch, to: &Epoch, key: WrappedKey) -> Option<WrappedKey> {
    if key.epoch == to.number {
        return Some(key);
    }
    // A key of an unknown epoch cannot be saved, and must not be lost silently: `None` stops the renewal.
    let secret = (key.epoch == from.number).then(|| unwrap(&from.key, &key.bytes).ok())??;
    Some(WrappedKey { epoch: to.number, bytes: wrap(&to.key, &secret).ok()?.into() })
}

/// The number is part of the place: rows of one conversation cannot take each other's.
fn issued_row(conversation: ConversationId, first: u32) -> [u8; 20] {
    let mut row = [0; 20];
    let (id, number) = row.split_at_mut(16);
    id.copy_from_slice(conversation.as_bytes());
    number.copy_from_slice(&first.to_be_bytes());
    row
}

fn issued_place<'a>(tenant: &'a TenantId, row: &'a [u8]) -> Place<'a> {
    Place { tenant, table: "issued", column: "sealed", row }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here is left half-changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Signs checkpoints of the audit log, or lists of the channel's keys (Ed25519, RFC 8032).
struct LogSigner {
    name: String,
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl LogSigner {
    fn new(seed: &Secret, prefix: &str) -> Result<Self, CipherError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.bytes()).map_err(|_| CipherError::Library)?;
        let public: [u8; 32] = pair.public_key().as_ref().try_into().map_err(|_| CipherError::Library)?;
        let short: String = public.iter().take(4).map(|b| format!("{b:02x}")).collect();
        Ok(Self { name: format!("{prefix}-{short}"), pair, public })
    }
}

impl Signer for LogSigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn public_key(&self) -> [u8; 32] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        // Signing with a sound key does not fail; were it to, the zeros verify nowhere and are noticed.
        let signature = self.pair.try_sign(message).ok();
        signature.and_then(|s| s.as_ref().try_into().ok()).unwrap_or([0; 64])
    }
}

mod copies;
mod opening;
mod shared;
#[cfg(test)]
mod tests;

pub use opening::{EpochMark, Unlocked};
