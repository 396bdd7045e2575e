//! What longer texts were found to hold.
//!
//! A client sends its whole history with every request: without a memory the work of a conversation grows with the square
//! of its length. Kept are spans, never text; a text is known by 128 bits of its SHA-256 (with what stood before it), so
//! that whoever finds two texts with one hash has only fooled the look at a text of their own.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;
use chatward_message::Finding;

/// Shorter texts are looked at in less time than they are hashed and looked up.
const WORTH: usize = 96;
/// Texts in the younger of two generations; when it is full, the older one is forgotten.
const GENERATION: usize = 4096;

/// By what a text is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 16]);
/// Texts of about one age.
type Shelf = HashMap<Key, Box<[Finding]>>;

/// Findings of texts seen lately, in two generations.
#[derive(Default)]
pub(crate) struct Memory {
    generations: Mutex<(Shelf, Shelf)>,
}

impl Memory {
    /// What this text (with what stood before it) is known by; nothing if it is `quick` to look at and so short that it is
    /// looked at in less time than it is looked up.
    pub(crate) fn key(text: &str, previous: Option<&str>, quick: bool) -> Option<Key> {
        if quick && text.len() < WORTH {
            return None;
        }
        let mut hash = digest::Context::new(&digest::SHA256);
        let before = previous.unwrap_or_default();
        hash.update(&(before.len() as u64).to_le_bytes());
        hash.update(before.as_bytes());
        hash.update(text.as_bytes());
        hash.finish().as_ref().first_chunk().copied().map(Key)
    }

    /// The findings of a text that is remembered.
    pub(crate) fn recall(&self, key: Key) -> Option<Vec<Finding>> {
        let mut both = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let (young, old) = &mut *both;
        if let Some(found) = young.get(&key) {
            return Some(found.to_vec());
        }
        let found = old.remove(&key)?;
        let findings = found.to_vec();
        young.insert(key, found);
        Some(findings)
    }

    /// Remembers the findings of a text.
    pub(crate) fn keep(&self, key: Key, found: &[Finding]) {
        let mut both = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let (young, old) = &mut *both;
        if young.len() >= GENERATION {
            *old = std::mem::take(young);
        }
        young.insert(key, found.into());
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generations: _hidden } = self;
        f.write_str("Memory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_looked_at_once_and_again_after_two_generations() {
        let memory = Memory::default();
        let mut looks = 0;
        let mut ask = |text: &str, previous: Option<&str>| {
            let key = Memory::key(text, previous, true);
            if key.and_then(|key| memory.recall(key)).is_none() {
                looks += 1;
                key.into_iter().for_each(|key| memory.keep(key, &[]));
            }
        };
        let long = |n: usize| format!("{n:0>96}");
        ask(&long(0), None);
        ask(&long(0), None);
        ask("short", None);
        ask("short", None);
        ask(&long(0), Some("what is your number?"));
        for n in 1..=2 * GENERATION + 2 {
            ask(&long(n), None);
        }
        ask(&long(0), None);
        assert!(
            Memory::key("short", None, false).is_some(),
            "what takes long to look at is remembered however short it is"
        );
        // Once, twice for the short one, once more after another question, each new one once, and again when forgotten.
        assert_eq!(looks, 1 + 2 + 1 + (2 * GENERATION + 2) + 1);
    }
}
