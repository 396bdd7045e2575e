//! The channel's keys: a new one every hour, each usable for one hour more, and none ever written where it outlives that.
//!
//! A key is derived from 64 random bytes, its seed. Alone, a gateway keeps seeds nowhere: they are wiped once the key is made,
//! and with the process its keys are gone. Gateways on one server share seeds, sealed by the vault, in a table that is not in
//! the server's write-ahead log, until the key has ended.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use chatward_message::UnixMillis;
use chatward_store::{ChannelSeed, Store, StoreError};
use chatward_vault::{Vault, VaultError};
use ohttp::hpke::{Aead, Kdf, Kem};
use ohttp::{KeyConfig, Server, SymmetricSuite};
use zeroize::Zeroizing;

/// How long a key is handed out.
pub(crate) const EPOCH: u64 = 3_600_000;
/// How much longer what was encrypted to it is taken.
pub(crate) const GRACE: u64 = 3_600_000;
/// How many requests one key opens before another takes its place (the draft's bound for AES-128-GCM).
pub(crate) const USES: u64 = 1 << 20;
/// Keys that are live at once, at most: with [`USES`] this bounds what is remembered against replays.
const LIVE: usize = 4;
/// Bytes of a seed.
const SEED: usize = 64;

/// The one suite: X-Wing, HKDF-SHA256, AES-128-GCM, as it stands in the header of a request behind the key's id.
pub(crate) const SUITE: [u8; 6] = [0x64, 0x7a, 0, 1, 0, 1];

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The system's.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// The library's.
    #[error("a key cannot be made: {0}")]
    Library(#[from] ohttp::Error),
    /// The server's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vault's.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// One key, with what is known of it.
pub(crate) struct Key {
    /// Its place in the order of all keys: the hour since 1970 in the upper bits, how many came before it in that hour in the
    /// lower eight.
    pub(crate) number: u64,
    /// The byte by which a request names it.
    pub(crate) id: u8,
    /// Its configuration as it is handed out (RFC 9458, 3.1), without a length before it.
    pub(crate) config: Vec<u8>,
    /// From when it is handed out.
    pub(crate) from: UnixMillis,
    /// Until when.
    pub(crate) until: UnixMillis,
    server: Server,
    uses: AtomicU64,
}

impl Key {
    pub(super) fn of(number: u64, seed: &[u8; SEED], from: UnixMillis) -> Result<Self, KeyError> {
        // Drawn with the seed, so that all gateways give it the same one.
        let id = digest(&SHA256, seed).as_ref().first().copied().unwrap_or_default();
        let suite = vec![SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm)];
        let config = KeyConfig::derive(id, Kem::XWing, suite, seed)?;
        let until = UnixMillis(((number >> 8) + 1).saturating_mul(EPOCH));
        let encoded = config.encode()?;
        let server = Server::new(config)?;
        Ok(Self { number, id, config: encoded, from, until, server, uses: AtomicU64::new(0) })
    }

    /// When it ends for good.
    pub(crate) fn ends(&self) -> UnixMillis {
        UnixMillis(self.until.0.saturating_add(GRACE))
    }

    /// What opens requests.
    pub(super) fn server(&self) -> Server {
        self.server.clone()
    }

    /// Counts a request. False once it has opened as many as it may.
    pub(super) fn count(&self) -> bool {
        self.uses.fetch_add(1, Ordering::Relaxed) < USES
    }

    fn used_up(&self) -> bool {
        self.uses.load(Ordering::Relaxed) >= USES
    }
}

/// The keys that are live.
pub(crate) struct Keys {
    /// Oldest first.
    live: ArcSwap<Vec<Arc<Key>>>,
    turning: tokio::sync::Mutex<()>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self { live: ArcSwap::default(), turning: tokio::sync::Mutex::default() }
    }

    /// The live keys, oldest first.
    pub(crate) fn live(&self) -> Arc<Vec<Arc<Key>>> {
        self.live.load_full()
    }

    /// The key with this id, if it is live at this time.
    pub(crate) fn find(&self, id: u8, now: UnixMillis) -> Option<Arc<Key>> {
        let live = self.live.load();
        live.iter().rev().find(|key| key.id == id && now < key.ends()).map(Arc::clone)
    }

    /// The key to hand out at this time, if there is one.
    pub(crate) fn newest(&self, now: UnixMillis) -> Option<Arc<Key>> {
        self.live.load().last().filter(|key| now < key.until && !key.used_up()).map(Arc::clone)
    }

    /// Forgets a key whose seed the others do not know any more.
    pub(super) fn forget(&self, number: u64) {
        self.live
            .rcu(|live| live.iter().filter(|key| key.number != number).map(Arc::clone).collect::<Vec<_>>());
    }

    /// Drops what has ended, learns what other gateways made, and makes a new key if there is none to hand out. True if the
    /// key to hand out is another one now.
    pub(crate) async fn turn(
        &self,
        now: UnixMillis,
        shared: Option<(&Store, &Vault)>,
    ) -> Result<bool, KeyError> {
        let _alone = self.turning.lock().await;
        let before = self.live.load().last().map(|key| key.number);
        let mut live: Vec<Arc<Key>> =
            self.live.load().iter().filter(|key| now < key.ends()).map(Arc::clone).collect();
        match shared {
            None => {
                if let Some(number) = missing(&live, now) {
                    let seed = fresh_seed(&live)?;
                    live.push(Arc::new(Key::of(number, &seed, now)?));
                }
            }
            Some((store, vault)) => {
                let offer = match missing(&live, now) {
                    Some(number) => {
                        let sealed = vault.seal_seed(number, &fresh_seed(&live)?[..])?;
                        let ends =
                            UnixMillis(((number >> 8) + 1).saturating_mul(EPOCH).saturating_add(GRACE));
                        Some(ChannelSeed { number, sealed, made: now, ends })
                    }
                    None => None,
                };
                let rows = store.channel_seeds(now, offer).await?;
                learn(&mut live, &rows, vault)?;
            }
        }
        let most = live.len().saturating_sub(LIVE);
        live.drain(..most);
        let after = live.last().map(|key| key.number);
        self.live.store(Arc::new(live));
        Ok(before != after)
    }
}

/// The number of the key that has to be made, if there is none to hand out.
fn missing(live: &[Arc<Key>], now: UnixMillis) -> Option<u64> {
    let hour = now.0 / EPOCH;
    match live.last() {
        Some(key) if now < key.until && !key.used_up() => None,
        // Used up within its hour: the next of the same hour.
        Some(key) if key.number >> 8 == hour => Some(key.number + 1),
        _ => Some(hour << 8),
    }
}

/// A seed whose key has an id that no live key has.
fn fresh_seed(live: &[Arc<Key>]) -> Result<Zeroizing<[u8; SEED]>, KeyError> {
    let taken: HashSet<u8> = live.iter().map(|key| key.id).collect();
    let mut seed = Zeroizing::new([0; SEED]);
    loop {
        rand::fill(&mut seed[..]).map_err(|_| KeyError::NoRandom)?;
        if digest(&SHA256, &seed[..]).as_ref().first().is_some_and(|id| !taken.contains(id)) {
            return Ok(seed);
        }
    }
}

/// Makes the keys agree with the rows: those without a row are gone, those that are new are derived.
fn learn(live: &mut Vec<Arc<Key>>, rows: &[ChannelSeed], vault: &Vault) -> Result<(), KeyError> {
    live.retain(|key| rows.iter().any(|row| row.number == key.number && row.made == key.from));
    for row in rows {
        if live.iter().any(|key| key.number == row.number) {
            continue;
        }
        let seed = vault.open_seed(row.number, &row.sealed)?;
        let seed = Zeroizing::new(<[u8; SEED]>::try_from(&seed[..]).map_err(|_| KeyError::NoRandom)?);
        live.push(Arc::new(Key::of(row.number, &seed, row.made)?));
    }
    live.sort_by_key(|key| key.number);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = EPOCH;

    fn at(hours: f64) -> UnixMillis {
        UnixMillis((500_000.0f64.mul_add(HOUR as f64, hours * HOUR as f64)) as u64)
    }

    #[tokio::test]
    async fn a_key_is_handed_out_for_its_hour_and_opens_for_one_more() {
        let keys = Keys::new();
        assert!(keys.turn(at(0.5), None).await.unwrap());
        assert!(!keys.turn(at(0.9), None).await.unwrap(), "the same hour");
        let first = keys.newest(at(0.9)).unwrap();
        assert!(keys.newest(at(1.0)).is_none(), "its hour is over, and nobody turned yet");
        assert!(keys.find(first.id, at(1.9)).is_some() && keys.find(first.id, at(2.0)).is_none());
        assert!(keys.turn(at(1.1), None).await.unwrap());
        let second = keys.newest(at(1.1)).unwrap();
        assert_ne!((first.id, &first.config), (second.id, &second.config));
        assert_eq!(keys.live().len(), 2);
        keys.turn(at(2.1), None).await.unwrap();
        assert!(keys.live().iter().all(|key| key.number != first.number), "it is not even in memory");
    }

    #[tokio::test]
    async fn a_key_that_opened_enough_is_followed_within_its_hour() {
        let keys = Keys::new();
        keys.turn(at(0.0), None).await.unwrap();
        let first = keys.newest(at(0.1)).unwrap();
        first.uses.store(USES - 1, Ordering::Relaxed);
        assert!(first.count() && !first.count());
        assert!(keys.newest(at(0.1)).is_none());
        assert!(keys.turn(at(0.1), None).await.unwrap());
        assert_eq!(keys.newest(at(0.1)).unwrap().number, first.number + 1);
        // However fast they are used up, only so many live.
        for _ in 0..10 {
            keys.newest(at(0.2)).unwrap().uses.store(USES, Ordering::Relaxed);
            keys.turn(at(0.2), None).await.unwrap();
        }
        assert_eq!(keys.live().len(), LIVE);
    }
}
