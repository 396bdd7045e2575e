//! What was seen already: no request counts twice.
//!
//! Alone, a gateway remembers in memory. That is enough, because its keys die with the process: what was encrypted to them before a
//! restart opens nowhere after it. Gateways on one server share a table with a unique index; a row counts only while the seed of
//! its key is there, so that a server that lost both (they are not in its write-ahead log) lets no request in twice.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chatward_message::UnixMillis;
use chatward_store::{ChannelSeen, Store, StoreError};

use super::Refused;
use super::keys::{Key, Keys};

/// The requests of the live keys. The tags of a key are forgotten with it, and no key opens more than
/// [`USES`](super::keys::USES): that is the bound.
#[derive(Default)]
pub(crate) struct Seen(Mutex<BTreeMap<u64, HashSet<u128>>>);

impl Seen {
    /// Notes a request that opened. Refuses one that was seen before, and one whose key may open no more.
    pub(super) async fn note(
        &self,
        keys: &Keys,
        key: &Key,
        tag: &[u8; 32],
        shared: Option<&Store>,
    ) -> Result<(), Refused> {
        if !key.count() {
            return Err(Refused::Key);
        }
        if !self.insert(key.number, tag) {
            return Err(Refused::Repeated);
        }
        let Some(store) = shared else { return Ok(()) };
        match store.channel_seen(Some((key.number, key.from)), tag, key.ends()).await {
            Ok(ChannelSeen::New) => Ok(()),
            Ok(ChannelSeen::Repeated) => Err(Refused::Repeated),
            Ok(ChannelSeen::NoKey) => {
                keys.forget(key.number);
                Err(Refused::Key)
            }
            Err(error) => Err(Refused::Store(error)),
        }
    }

    /// False if it is there already.
    pub(super) fn insert(&self, key: u64, tag: &[u8; 32]) -> bool {
        // Half of SHA-256 tells as many requests apart as there will ever be.
        let half = tag.first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().insert(half)
    }

    /// Forgets the requests of keys that are not live any more.
    pub(crate) fn keep(&self, live: impl Fn(u64) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| live(*key));
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(HashSet::len).sum()
    }
}

/// Notes, for all gateways, that a session's counter was used.
pub(super) async fn counter(store: &Store, tag: &[u8; 32], ends: UnixMillis) -> Result<bool, StoreError> {
    Ok(store.channel_seen(None, tag, ends).await? == ChannelSeen::New)
}

#[cfg(test)]
mod tests {
    use super::super::keys::{EPOCH, GRACE};
    use super::*;

    /// 24 hours of 3,000 requests an hour, and then nobody: what is remembered stays within two hours' worth and ends at nothing.
    #[tokio::test]
    async fn what_is_remembered_is_bounded_over_a_day() {
        let (keys, seen) = (Keys::new(), Seen::default());
        let (begin, step) = (UnixMillis(1_800_000_000_000), 1200);
        let per_hour = usize::try_from(EPOCH / step).unwrap();
        let mut most = 0;
        for n in 0..24 * EPOCH / step {
            let now = UnixMillis(begin.0 + n * step);
            keys.turn(now, None).await.unwrap();
            seen.keep(|number| keys.live().iter().any(|key| key.number == number));
            let key = keys.newest(now).unwrap();
            let mut tag = [0; 32];
            tag[..8].copy_from_slice(&n.to_be_bytes());
            seen.note(&keys, &key, &tag, None).await.unwrap();
            assert!(matches!(seen.note(&keys, &key, &tag, None).await, Err(Refused::Repeated)));
            most = most.max(seen.len());
        }
        assert!(most > per_hour && most <= 2 * per_hour + 1, "{most} of {per_hour} an hour");
        let late = UnixMillis(begin.0 + 24 * EPOCH + EPOCH + GRACE);
        keys.turn(late, None).await.unwrap();
        seen.keep(|number| keys.live().iter().any(|key| key.number == number));
        assert_eq!(seen.len(), 0);
    }
}
