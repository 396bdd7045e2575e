//! The features of a form: hashed runs of characters, words, what words mean, and the families of words that are used alike.
//!
//! Words are hashed so that the order of their inner letters does not count. Neither channel nor language is a feature.

use super::forms::word_at;
use super::words::{Words, loose, mix, mix_spread, spread};
use crate::tagger::Families;

/// Bits of a feature.
pub const BITS: u32 = 20;
const MASK: u32 = (1 << BITS) - 1;

/// Shortest and longest run of characters.
const SHORTEST: u32 = 2;
const LONGEST: usize = 5;

/// What features are made with.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What words mean.
    pub words: &'a Words,
    /// Which words are used alike.
    pub families: Families,
}

/// Adds each feature to `all`, behind the character it begins at.
pub fn each(text: &[char], source: &Source<'_>, all: &mut Vec<(u32, u32)>) {
    all.reserve(text.len() * 6);
    let spread: Vec<u32> = text.iter().map(|c| spread(u32::from(alike(*c)))).collect();
    // All but the last characters have a run of each length.
    for (start, [a, b, c, d, e]) in (0..).zip(spread.array_windows()) {
        let two = mix_spread(mix_spread(RUN, *a), *b);
        let three = mix_spread(two, *c);
        let four = mix_spread(three, *d);
        let five = mix_spread(four, *e);
        all.extend([
            (start, run(two, 2)),
            (start, run(three, 3)),
            (start, run(four, 4)),
            (start, run(five, 5)),
        ]);
    }
    for start in (text.len() + 1).saturating_sub(LONGEST)..text.len() {
        let mut hash = RUN;
        for (length, c) in (1..).zip(spread.iter().skip(start)) {
            hash = mix_spread(hash, *c);
            if length >= SHORTEST {
                all.push((place(start), run(hash, length)));
            }
        }
    }
    words(text, source, &mut |at, feature| all.push((place(at), feature)));
}

/// What the hashes of runs begin with.
const RUN: u32 = 0x1234;

/// The feature of a run with this hash.
const fn run(hash: u32, length: u32) -> u32 {
    (hash ^ length.wrapping_mul(0x51_ED27)) & MASK
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Numbers are alike, and so are blanks.
const fn alike(c: char) -> char {
    match c {
        '0'..='9' => '0',
        '\n' => ' ',
        c => c,
    }
}

/// What came before a word.
#[derive(Default)]
struct Before {
    words: [u32; 2],
    meanings: [(u32, usize); 2],
    families: [u32; 2],
    count: usize,
}

/// A meaning counts with the one before it within so many words, and with the one before that.
const NEAR: [usize; 2] = [8, 14];

fn words(text: &[char], source: &Source<'_>, see: &mut impl FnMut(usize, u32)) {
    let mut before = Before::default();
    let may_be_spaceless = text.iter().any(|c| *c >= SPACELESS);
    let mut i = 0;
    while let Some(c) = text.get(i) {
        if let Some(word) = word_at(text, i) {
            let word = match may_be_spaceless {
                true if spaceless(*c) => word.get(..1).unwrap_or(word),
                true => until_spaceless(word).unwrap_or(word),
                false => word,
            };
            before.word(text, i, word, source, see);
            i += word.len();
            continue;
        }
        if !matches!(c, ' ' | '\n' | '\'' | '-') {
            let [_, last] = before.words;
            if last != 0 {
                see(i, mix(mix(last, u32::from(*c)), 5) & MASK);
            }
            if matches!(c, '.' | '!' | '?' | ':' | '"') {
                before.words = [0, mix(99, u32::from(*c))];
            }
        }
        i += 1;
    }
}

/// All letters of scripts without blanks come from here on.
const SPACELESS: char = '\u{0E00}';

/// Letters of scripts that put no blanks between words: each is one.
fn spaceless(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF
        | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

fn until_spaceless(word: &[char]) -> Option<&[char]> {
    word.get(..word.iter().take_while(|c| !spaceless(**c)).count())
}

impl Before {
    fn word(
        &mut self,
        text: &[char],
        at: usize,
        word: &[char],
        source: &Source<'_>,
        see: &mut impl FnMut(usize, u32),
    ) {
        let key = if word.iter().any(char::is_ascii_digit) {
            let plain: Vec<char> = word.iter().map(|c| if c.is_ascii_digit() { '0' } else { *c }).collect();
            loose(&plain)
        } else {
            loose(word)
        };
        self.count += 1;
        let [first, second] = self.words;
        see(at, mix(key, 1) & MASK);
        if second != 0 {
            see(at, mix(mix(second, key), 2) & MASK);
        }
        if first != 0 {
            see(at, mix(mix(mix(first, second), key), 3) & MASK);
            see(at, mix(mix(first, key), 4) & MASK);
        }
        self.words = [second, key];
        let meaning = match word {
            [c] if spaceless(*c) => wide_meaning(text, at, source.words),
            _ => source.words.meaning(key),
        };
        if meaning != 0 {
            self.meaning(at, u32::from(meaning), see);
        }
        self.family(at, u32::from(source.families.of(word)), see);
    }

    fn meaning(&mut self, at: usize, meaning: u32, see: &mut impl FnMut(usize, u32)) {
        see(at, mix(meaning, 11) & MASK);
        let [(first, first_at), (second, second_at)] = self.meanings;
        if second != 0 && self.count - second_at <= NEAR[0] {
            see(at, mix(mix(second, meaning), 12) & MASK);
            if first != 0 && self.count - first_at <= NEAR[1] {
                see(at, mix(mix(mix(first, second), meaning), 13) & MASK);
                see(at, mix(mix(first, meaning), 14) & MASK);
            }
        }
        self.meanings = [(second, second_at), (meaning, self.count)];
    }

    fn family(&mut self, at: usize, family: u32, see: &mut impl FnMut(usize, u32)) {
        let [first, second] = self.families;
        if family != 0 {
            see(at, mix(family, 21) & MASK);
            if second != 0 {
                see(at, mix(mix(second, family), 22) & MASK);
                if first != 0 {
                    see(at, mix(mix(mix(first, second), family), 23) & MASK);
                }
            }
        }
        self.families = [second, family];
    }
}

/// What the longest word of up to four letters that begins here means, in a script without blanks.
fn wide_meaning(text: &[char], at: usize, words: &Words) -> u8 {
    (1..=4)
        .rev()
        .filter_map(|length| text.get(at..at + length))
        .map(|word| words.meaning(loose(word)))
        .find(|meaning| *meaning != 0)
        .unwrap_or(0)
}

/// Counts how often features came, and when last, in one table that is used again for the next text.
#[derive(Debug, Default)]
pub struct Seen {
    slots: Vec<Slot>,
    mask: usize,
    round: u32,
}

/// A feature in a table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slot {
    // The text that used the slot last, and its feature.
    tag: u32,
    /// How often it came before.
    pub before: u32,
    /// Where it came last; nothing where it did not come before.
    pub last: u32,
}

impl Seen {
    /// Begins a new text of at most this many features.
    pub fn begin(&mut self, features: usize) {
        let wanted = (features * 2).next_power_of_two().max(1 << 10);
        if self.slots.len() < wanted {
            self.slots = vec![Slot::default(); wanted];
            self.round = 0;
        }
        self.round += 1;
        if self.round >= 1 << (u32::BITS - BITS) {
            self.slots.fill(Slot::default());
            self.round = 1;
        }
        // What a longer text needed stays, but is not spread over: a short one is to stay in the cache.
        self.mask = wanted - 1;
    }

    /// How often the feature came before, and where it came last.
    pub fn see(&mut self, feature: u32, at: u32) -> Slot {
        let tag = self.round << BITS | feature & MASK;
        let mut place = feature.wrapping_mul(0x9E37_79B1) as usize;
        // At least half of the table is free.
        while let Some(slot) = self.slots.get_mut(place & self.mask) {
            if slot.tag == tag {
                let known = *slot;
                *slot = Slot { tag, before: known.before + 1, last: at };
                return known;
            }
            if slot.tag >> BITS != self.round {
                *slot = Slot { tag, before: 1, last: at };
                break;
            }
            place += 1;
        }
        Slot::default()
    }
}
