//! Words the text models know: what they mean in an attack, and which ones are ordinary enough to tell disguises by.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use super::forms;

/// Words by meaning, in many languages.
const MEANINGS: &str = include_str!("../../data/meanings.txt");

/// A hash that is one already.
#[derive(Default)]
pub(super) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.0 = u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

type Table<T> = HashMap<u32, T, BuildHasherDefault<Same>>;

/// The words, by hash.
#[derive(Debug, Default)]
pub struct Words {
    names: Vec<&'static str>,
    meanings: Table<u8>,
    known: Hashes,
    // By the key that all orders of a word's inner letters share; nothing where two words share it.
    ordered: Table<Option<Box<str>>>,
}

/// A set of hashes, close together: there are many, and each word of a text is asked for, so that looking one up has to wait
/// for one line of memory at most.
#[derive(Debug, Default)]
struct Hashes {
    // A power of two of them, at least half of which are free. Free is 0, which stands for no hash but itself.
    slots: Vec<u32>,
    count: usize,
    zero: bool,
}

impl Hashes {
    /// Adds a hash; whether it was there before.
    fn insert(&mut self, hash: u32) -> bool {
        if hash == 0 {
            return std::mem::replace(&mut self.zero, true);
        }
        if self.slots.len() <= self.count * 2 {
            let all = std::mem::take(&mut self.slots);
            self.slots = vec![0; (all.len() * 2).max(16)];
            all.into_iter().filter(|hash| *hash != 0).for_each(|hash| _ = self.place(hash));
        }
        let there = self.place(hash);
        self.count += usize::from(!there);
        there
    }

    fn place(&mut self, hash: u32) -> bool {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get_mut(at) {
            match *slot {
                0 => {
                    *slot = hash;
                    return false;
                }
                known if known == hash => return true,
                _ => at = (at + 1) & mask,
            }
        }
        false
    }

    fn contains(&self, hash: u32) -> bool {
        if hash == 0 {
            return self.zero;
        }
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get(at).filter(|slot| **slot != 0) {
            if *slot == hash {
                return true;
            }
            at = (at + 1) & mask;
        }
        false
    }
}

/// Mixes a number into a hash.
pub(super) const fn mix(hash: u32, with: u32) -> u32 {
    mix_spread(hash, spread(with))
}

/// A number as [`mix_spread`] takes it: worked out once where it is mixed into several hashes.
pub(super) const fn spread(n: u32) -> u32 {
    n.wrapping_mul(0x9E37_79B1)
}

/// Mixes a number that is [`spread`] into a hash.
pub(super) const fn mix_spread(hash: u32, with: u32) -> u32 {
    let mut hash = (hash ^ with).wrapping_mul(0x85EB_CA6B);
    hash ^= hash >> 15;
    hash = hash.wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 13)
}

/// Hash of a word as it stands.
pub(super) fn hash(word: impl IntoIterator<Item = char>) -> u32 {
    word.into_iter().fold(3, |hash, c| mix(hash, u32::from(c)))
}

/// Hash of a word that does not change when its inner letters change places.
pub(super) fn loose(word: &[char]) -> u32 {
    let (Some((first, rest)), true) = (word.split_first(), word.len() >= 5) else {
        return word.iter().fold(7, |hash, c| mix(hash, u32::from(*c)));
    };
    let Some((last, inner)) = rest.split_last() else { return 7 };
    // A sum and a product of odd numbers do not depend on the order.
    let (sum, product) = inner.iter().fold((0_u32, 1_u32), |(sum, product), c| {
        let h = mix(11, u32::from(*c));
        (sum.wrapping_add(h), product.wrapping_mul(h | 1))
    });
    let length = u32::try_from(inner.len()).unwrap_or(u32::MAX);
    [u32::from(*first), sum, product, length, u32::from(*last)].into_iter().fold(7, mix)
}

impl Words {
    /// The words with a meaning, and these.
    pub fn new<'a>(ordinary: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words = Self::default();
        let lines = MEANINGS.lines().filter(|line| !line.starts_with('#'));
        for (meaning, line) in (1_u8..).zip(lines.filter_map(|line| line.split_once(':'))) {
            words.names.push(line.0);
            for word in line.1.split_whitespace() {
                let seen: Vec<char> = forms::marks(word).into_iter().map(|m| m.c).collect();
                words.meanings.insert(loose(&seen), meaning);
                words.add(&seen);
            }
        }
        for word in ordinary {
            let seen: Vec<char> = forms::marks(word).into_iter().map(|m| m.c).collect();
            words.add(&seen);
        }
        words
    }

    fn add(&mut self, word: &[char]) {
        if self.known.insert(hash(word.iter().copied())) || word.len() < 4 {
            return;
        }
        match self.ordered.entry(loose_all(word)) {
            Entry::Vacant(free) => {
                free.insert(Some(word.iter().collect()));
            }
            Entry::Occupied(mut taken) => {
                taken.insert(None);
            }
        }
    }

    /// What a word means, 0 for nothing; by its [`loose`] hash.
    pub(super) fn meaning(&self, loose: u32) -> u8 {
        self.meanings.get(&loose).copied().unwrap_or(0)
    }

    /// The meaning of this name.
    pub(super) fn meaning_called(&self, name: &str) -> Option<u8> {
        let place = self.names.iter().position(|known| *known == name)?;
        u8::try_from(place + 1).ok()
    }

    /// Whether the word is an ordinary one.
    pub(super) fn knows(&self, word: impl IntoIterator<Item = char>) -> bool {
        self.known.contains(hash(word))
    }

    /// The ordinary word of which this is a mixed-up form, if it is no word itself.
    pub(super) fn unscrambled(&self, word: &[char]) -> Option<&str> {
        if word.len() < 4 || word.len() > 24 || self.knows(word.iter().copied()) {
            return None;
        }
        self.ordered.get(&loose_all(word))?.as_deref()
    }
}

/// As [`loose`], for words from four letters.
fn loose_all(word: &[char]) -> u32 {
    if word.len() >= 5 {
        return loose(word);
    }
    let mut inner: Vec<char> = word.to_vec();
    if let Some(inner) = inner.get_mut(1..3) {
        inner.sort_unstable();
    }
    mix(hash(inner), 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(word: &str) -> Vec<char> {
        word.chars().collect()
    }

    #[test]
    fn mixed_inner_letters_have_one_key() {
        assert_eq!(loose(&chars("previous")), loose(&chars("pervoius")));
        assert_ne!(loose(&chars("previous")), loose(&chars("previouz")));
        assert_ne!(loose(&chars("previous")), loose(&chars("rpevious")));
        assert_ne!(loose(&chars("abba")), loose(&chars("aabb")));
    }

    #[test]
    fn words_are_put_in_order_only_where_that_is_certain() {
        let words = Words::new(["trail", "trial", "order"]);
        assert_eq!(words.unscrambled(&chars("ignroe")), Some("ignore"));
        assert_eq!(words.unscrambled(&chars("oredr")), Some("order"));
        assert_eq!(words.unscrambled(&chars("order")), None, "a word is none");
        assert_eq!(words.unscrambled(&chars("xyzzy")), None);
        assert_eq!(words.unscrambled(&chars("tairl")), None, "it may be either");
    }

    #[test]
    fn meanings_do_not_depend_on_language_or_accents() {
        let words = Words::new([]);
        let meaning = |word: &str| {
            let seen: Vec<char> = forms::marks(word).into_iter().map(|m| m.c).collect();
            words.meaning(loose(&seen))
        };
        assert_ne!(meaning("ignore"), 0);
        for word in ["IGNORIERE", "oubliez", "olvida", "игнорируй", "忽略", "zignoruj"] {
            assert_eq!(meaning(word), meaning("ignore"), "{word}");
        }
        assert_eq!(meaning("table"), 0);
    }
}
