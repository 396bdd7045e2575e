//! Customer keys in memory: few, and gone at once when a customer is erased.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use chatward_message::KeySlot;

use crate::CustomerKey;
use crate::key::Life;

/// A bounded cache of customer keys that drops those used longest ago: two generations, the older of which is dropped
/// as a whole when the younger is full.
///
/// It also knows the keys which a running turn still holds after they left the cache, so that [`Cache::forget`] reaches
/// every one of them, and it remembers what was forgotten: a reader that took the wrapped key from the keyring just
/// before it was deleted cannot bring it back.
pub(crate) struct Cache {
    generation: usize,
    young: HashMap<KeySlot, CustomerKey>,
    old: HashMap<KeySlot, CustomerKey>,
    alive: HashMap<KeySlot, Weak<Life>>,
    forgotten: HashSet<KeySlot>,
}

impl Cache {
    /// Holds at most `capacity` keys.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            generation: (capacity / 2).max(1),
            young: HashMap::new(),
            old: HashMap::new(),
            alive: HashMap::new(),
            forgotten: HashSet::new(),
        }
    }

    pub(crate) fn get(&mut self, slot: KeySlot) -> Option<CustomerKey> {
        if let Some(key) = self.young.get(&slot) {
            return Some(key.clone());
        }
        let key = match self.old.remove(&slot) {
            Some(key) => key,
            None => CustomerKey::of_life(self.alive.get(&slot)?.upgrade()?),
        };
        self.keep(slot, key.clone());
        Some(key)
    }

    /// Takes a key in and gives back the one to use: if two readers come with the same key, both get the first.
    /// Nothing, if the slot was forgotten meanwhile.
    pub(crate) fn insert(&mut self, key: CustomerKey) -> Option<CustomerKey> {
        let slot = key.slot();
        if self.forgotten.contains(&slot) {
            key.destroy();
            return None;
        }
        if let Some(first) = self.get(slot) {
            return Some(first);
        }
        if self.alive.len() >= self.generation.saturating_mul(4) {
            self.alive.retain(|_, life| life.strong_count() > 0);
        }
        self.alive.insert(slot, Arc::downgrade(key.life()));
        self.keep(slot, key.clone());
        Some(key)
    }

    /// Destroys the keys of these slots wherever they are, and never takes them in again.
    pub(crate) fn forget(&mut self, slots: &[KeySlot]) {
        for slot in slots {
            self.forgotten.insert(*slot);
            self.young.remove(slot);
            self.old.remove(slot);
            if let Some(life) = self.alive.remove(slot).and_then(|life| life.upgrade()) {
                life.destroy();
            }
        }
    }

    fn keep(&mut self, slot: KeySlot, key: CustomerKey) {
        if self.young.len() >= self.generation {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(slot, key);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CipherError;
    use crate::key::Secret;

    fn key(n: u16) -> CustomerKey {
        let mut slot = [0; 16];
        slot[..2].copy_from_slice(&n.to_be_bytes());
        CustomerKey::new(KeySlot::from_bytes(slot), &Secret::copy_of(&[1; 32]))
    }

    #[test]
    fn it_stays_small_and_keeps_what_is_used() {
        let mut cache = Cache::new(10);
        let used = key(0).slot();
        cache.insert(key(0));
        for n in 1..200 {
            cache.insert(key(n));
            assert!(cache.get(used).is_some());
            assert!(cache.len() <= 10 && cache.alive.len() <= 21, "{} {}", cache.len(), cache.alive.len());
        }
        assert!(cache.get(key(1).slot()).is_none());
    }

    #[test]
    fn a_forgotten_key_never_comes_back() {
        let mut cache = Cache::new(10);
        let held = cache.insert(key(3)).unwrap();
        cache.forget(&[held.slot()]);
        assert!(cache.get(held.slot()).is_none());
        // The racing reader: unwrapped before the deletion, comes after it.
        let late = key(3);
        assert!(cache.insert(late.clone()).is_none());
        assert_eq!(late.subject().unwrap_err(), CipherError::Destroyed);
        assert_eq!(held.subject().unwrap_err(), CipherError::Destroyed);
    }

    #[test]
    fn a_key_that_left_the_cache_but_is_in_use_is_destroyed_too() {
        let mut cache = Cache::new(4);
        let held = cache.insert(key(0)).unwrap();
        for n in 1..100 {
            cache.insert(key(n));
        }
        assert!(!cache.young.contains_key(&held.slot()) && !cache.old.contains_key(&held.slot()));
        cache.forget(&[held.slot()]);
        assert_eq!(held.subject().unwrap_err(), CipherError::Destroyed);
    }
}
