//! Words the text models know: what they mean in an attack, and which ones are ordinary enough to tell disguises by.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::forms;
use crate::tagger::Families;

/// Words by meaning, in many languages.
const MEANINGS: &str = include_str!("../../data/meanings.txt");

/// The words, by hash.
#[derive(Debug, Default)]
pub struct Words {
    names: Vec<&'static str>,
    known: Hashes,
    table: Table,
    // As forms show them.
    list: Vec<Box<str>>,
    // Words of four letters by the key that both orders of the inner two share; nothing where two words share it.
    short: HashMap<u32, Option<u16>>,
}

/// What is known of a word, by its [`loose`] hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Known {
    // 0 where the place in the table is free.
    key: u32,
    // Its place in the list, if no other word has these letters.
    word: u16,
    // The order of its letters.
    order: u16,
    meaning: u8,
    family: u8,
}

/// No place in the list.
const NONE: u16 = u16::MAX;

/// What is known of words, close together: there are many, and each word of a text is asked for, so that looking one up has
/// to wait for one line of memory at most.
#[derive(Debug, Default)]
struct Table {
    // A power of two of them, at least half of which are free.
    slots: Vec<Known>,
    count: usize,
}

impl Table {
    fn get(&self, key: u32) -> Option<&Known> {
        let (key, mask) = (key.max(1), self.slots.len().wrapping_sub(1));
        let mut at = key as usize & mask;
        while let Some(slot) = self.slots.get(at).filter(|slot| slot.key != 0) {
            if slot.key == key {
                return Some(slot);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// What is known of this key, to be added to, and whether nothing was.
    fn entry(&mut self, key: u32) -> Option<(&mut Known, bool)> {
        if self.slots.len() <= self.count * 2 {
            let all = std::mem::take(&mut self.slots);
            self.slots = vec![Known::default(); (all.len() * 2).max(16)];
            for known in all.into_iter().filter(|known| known.key != 0) {
                if let Some(place) = self.place(known.key).and_then(|at| self.slots.get_mut(at)) {
                    *place = known;
                }
            }
        }
        let key = key.max(1);
        let at = self.place(key)?;
        let slot = self.slots.get_mut(at)?;
        let new = slot.key == 0;
        if new {
            *slot = Known { key, word: NONE, ..Known::default() };
            self.count += 1;
        }
        Some((slot, new))
    }

    /// Where it stands, or would.
    fn place(&self, key: u32) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = key as usize & mask;
        while self.slots.get(at).is_some_and(|slot| slot.key != 0 && slot.key != key) {
            at = (at + 1) & mask;
        }
        Some(at)
    }
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

/// A character as features know it, in one byte: digits are alike, and so are blanks; what is not ASCII keeps seven bits, by
/// which the letters of one script differ.
pub(super) const fn byte(c: char) -> u8 {
    match c {
        '0'..='9' => b'0',
        '\n' => b' ',
        c if c.is_ascii() => c as u8,
        c => {
            let code = c as u32;
            ((code ^ code >> 7) & 0x7F) as u8 | 0x80
        }
    }
}

/// The hash of each letter by itself.
static LETTERS: [u32; 256] = {
    let mut all = [0; 256];
    let mut n = 0;
    while n < 256 {
        all[n] = mix(11, n as u32);
        n += 1;
    }
    all
};

/// Hash of a word that does not change when its inner letters change places.
pub(super) fn loose(word: &[char]) -> u32 {
    loose_by(word, |c| if c.is_ascii() { LETTERS[usize::from(byte(*c))] } else { mix(11, u32::from(*c)) })
}

/// The same of a word that is ASCII, in [`byte`]s.
fn loose_ascii(word: &[u8]) -> u32 {
    loose_by(word, |b| LETTERS[usize::from(*b)])
}

fn loose_by<T>(word: &[T], letter: impl Fn(&T) -> u32) -> u32 {
    let (Some((first, rest)), true) = (word.split_first(), word.len() >= 5) else {
        return word.iter().fold(7, |hash, c| (hash ^ letter(c)).wrapping_mul(0x85EB_CA6B).rotate_left(13));
    };
    let Some((last, inner)) = rest.split_last() else { return 7 };
    // A sum and a product of odd numbers do not depend on the order.
    let (sum, product) = inner.iter().fold((0_u32, 1_u32), |(sum, product), c| {
        let h = letter(c);
        (sum.wrapping_add(h), product.wrapping_mul(h | 1))
    });
    let length = u32::try_from(inner.len()).unwrap_or(u32::MAX);
    [letter(first), sum, product, length, letter(last)].into_iter().fold(7, mix)
}

/// A word of a form, and what is known of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Token {
    /// Where it begins, and how many characters it has.
    pub(super) at: u32,
    pub(super) length: u32,
    /// Its [`loose`] hash.
    pub(super) key: u32,
    /// What it means, 0 for nothing.
    pub(super) meaning: u8,
    /// The family it belongs to, 0 for none.
    pub(super) family: u8,
    /// Whether it is an ordinary word, or one with its inner letters mixed up.
    pub(super) known: bool,
    /// Whether it is the latter.
    pub(super) mixed: bool,
}

impl Token {
    /// Its characters.
    pub(super) fn of<'a, T>(&self, text: &'a [T]) -> &'a [T] {
        let from = self.at as usize;
        text.get(from..from + self.length as usize).unwrap_or_default()
    }
}

impl Words {
    /// The words with a meaning, and these.
    pub fn new<'a>(ordinary: impl IntoIterator<Item = &'a str>) -> Self {
        Self::with(ordinary, Families::default())
    }

    /// The same, and the families they belong to.
    pub fn with<'a>(ordinary: impl IntoIterator<Item = &'a str>, families: Families) -> Self {
        let mut words = Self::default();
        let lines = MEANINGS.lines().filter(|line| !line.starts_with('#'));
        for (meaning, line) in (1_u8..).zip(lines.filter_map(|line| line.split_once(':'))) {
            words.names.push(line.0);
            for word in line.1.split_whitespace() {
                words.add(word, meaning, families);
            }
        }
        for word in ordinary {
            words.add(word, 0, families);
        }
        words
    }

    fn add(&mut self, word: &str, meaning: u8, families: Families) {
        let seen: Vec<char> = forms::marks(word).into_iter().map(|m| m.c).collect();
        let bytes: Vec<u8> = seen.iter().map(|c| byte(*c)).collect();
        let family = families.of(&bytes);
        let again = self.known.insert(hash(seen.iter().copied()));
        let place = if again { NONE } else { u16::try_from(self.list.len()).unwrap_or(NONE) };
        if let Some((known, new)) = self.table.entry(loose(&seen)) {
            if meaning != 0 {
                known.meaning = meaning;
            }
            if new {
                (known.word, known.order, known.family) = (place, order(&bytes), family);
            } else if !again {
                known.word = NONE;
            }
        }
        if again {
            return;
        }
        if bytes.len() == 4 {
            match self.short.entry(loose_short(&bytes)) {
                Entry::Vacant(free) => {
                    free.insert(Some(place));
                }
                Entry::Occupied(mut taken) => {
                    taken.insert(None);
                }
            }
        }
        self.list.push(seen.into_iter().collect());
    }

    /// A word of a form, as characters and as [`byte`]s; nothing is known of it yet.
    pub(super) fn token(at: usize, word: &[char], bytes: &[u8]) -> Token {
        if bytes.is_ascii() {
            return Self::ascii_token(at, bytes);
        }
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Token { at: place(at), length: place(word.len()), key: loose(word), ..Token::default() }
    }

    /// The same of a word that is ASCII.
    pub(super) fn ascii_token(at: usize, bytes: &[u8]) -> Token {
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Token { at: place(at), length: place(bytes.len()), key: loose_ascii(bytes), ..Token::default() }
    }

    /// Notes what is known of a word of a form with these [`byte`]s.
    pub(super) fn look_up(&self, token: &mut Token, bytes: &[u8]) {
        if let Some(Known { word, order, meaning, family, .. }) = self.table.get(token.key) {
            let mixed = token.length >= 5 && *word != NONE && *order != self::order(token.of(bytes));
            (token.meaning, token.family, token.known, token.mixed) = (*meaning, *family, true, mixed);
        }
    }

    /// Whether the word with its letters moved by thirteen is one, or with them backwards; also with inner letters mixed up.
    pub(super) fn knows_moved(&self, bytes: &[u8]) -> [bool; 2] {
        let moved = loose_by(bytes, |b| LETTERS[usize::from(rot13(*b))]);
        let mut word = [0; 24];
        let backwards = word.get_mut(..bytes.len()).is_some_and(|word| {
            word.iter_mut().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
            self.table.get(loose_ascii(word)).is_some()
        });
        [self.table.get(moved).is_some(), backwards]
    }

    /// A letter of a script that puts no blanks between words, which is a word by itself: it means what the longest word of up
    /// to four letters means that begins here.
    pub(super) fn spaceless(&self, at: usize, rest: &[char]) -> Token {
        let meaning = (1..=4)
            .rev()
            .filter_map(|length| rest.get(..length))
            .map(|word| self.meaning(loose(word)))
            .find(|meaning| *meaning != 0)
            .unwrap_or(0);
        let key = loose(rest.get(..1).unwrap_or_default());
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        Token { at, length: 1, key, meaning, ..Token::default() }
    }

    /// What a word means, 0 for nothing; by its [`loose`] hash.
    pub(super) fn meaning(&self, loose: u32) -> u8 {
        self.table.get(loose).map_or(0, |known| known.meaning)
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
    pub(super) fn unscrambled(&self, token: &Token, bytes: &[u8]) -> Option<&str> {
        let place = if token.mixed && bytes.len() <= 24 {
            self.table.get(token.key)?.word
        } else if !token.known && bytes.len() == 4 {
            (*self.short.get(&loose_short(bytes))?)?
        } else {
            return None;
        };
        self.list.get(usize::from(place)).map(|word| &**word)
    }
}

/// A small hash of letters in their order.
fn order(word: &[u8]) -> u16 {
    (word
        .iter()
        .fold(1_u32, |hash, b| hash.wrapping_mul(0x0100_0193) ^ u32::from(*b))
        .wrapping_mul(0x9E37_79B1)
        >> 16) as u16
}

/// A letter moved by thirteen.
pub(super) const fn rot13(b: u8) -> u8 {
    match b {
        b'a'..=b'm' => b + 13,
        b'n'..=b'z' => b - 13,
        b => b,
    }
}

/// The same for both orders of the inner letters of a word of four.
fn loose_short(word: &[u8]) -> u32 {
    match *word {
        [a, b, c, d] => u32::from_be_bytes([a, b.min(c), b.max(c), d]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(word: &str) -> Vec<char> {
        word.chars().collect()
    }

    fn unscrambled<'a>(words: &'a Words, word: &str) -> Option<&'a str> {
        let mut token = Words::token(0, &chars(word), word.as_bytes());
        words.look_up(&mut token, word.as_bytes());
        words.unscrambled(&token, word.as_bytes())
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
        assert_eq!(unscrambled(&words, "ignroe"), Some("ignore"));
        assert_eq!(unscrambled(&words, "oredr"), Some("order"));
        assert_eq!(unscrambled(&words, "order"), None, "a word is none");
        assert_eq!(unscrambled(&words, "xyzzy"), None);
        assert_eq!(unscrambled(&words, "tairl"), None, "it may be either");
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
