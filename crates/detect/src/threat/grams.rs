//! The features of a form: hashed runs of characters, words, what words mean, and the families of words that are used alike.
//!
//! Words are hashed so that the order of their inner letters does not count. Neither channel nor language is a feature. A form is
//! taken in steps of the windows, and a feature counts once within each.

use std::ops::Range;

use super::STEP;
use super::forms::Form;
use super::words::Token;

/// Bits of a feature.
pub const BITS: u32 = 20;

/// Receives the features of a form.
pub(super) trait Sink {
    /// A feature, behind the character it begins at.
    fn see(&mut self, at: usize, feature: u32);
    /// A step has ended.
    fn end_of_step(&mut self);
}

/// Bytes that are read at once.
const WORD: usize = size_of::<u64>();

/// Shows the features that begin within these steps of a form.
pub(super) fn each(form: &Form, steps: Range<usize>, sink: &mut impl Sink) {
    let begin = (steps.start * STEP).min(form.bytes.len());
    let mut words = Before::default();
    let first = form.tokens.partition_point(|token| (token.at as usize) < begin);
    let mut tokens = form.tokens.get(first..).unwrap_or_default();
    let mut gap = begin;
    for step in steps {
        let (from, to) = (step * STEP, ((step + 1) * STEP).min(form.bytes.len()));
        if from >= to {
            break;
        }
        runs(&form.bytes, from..to, sink);
        let count = tokens.iter().take_while(|token| (token.at as usize) < to).count();
        let (these, rest) = tokens.split_at_checked(count).unwrap_or((tokens, &[]));
        tokens = rest;
        for token in these {
            words.signs(&form.bytes, gap..token.at as usize, sink);
            words.word(token, sink);
            gap = (token.at + token.length) as usize;
        }
        if gap < to {
            words.signs(&form.bytes, gap..to, sink);
            gap = to;
        }
        sink.end_of_step();
    }
}

/// What the bytes of a run are multiplied with, by its length; the upper bits are the feature.
const RUNS: [(usize, u64); 2] = [(4, 0x9E37_79B9_7F4A_7C15), (8, 0x94D0_49BB_1331_11EB)];

/// Runs of characters.
fn runs(bytes: &[u8], places: Range<usize>, sink: &mut impl Sink) {
    let to = (places.end + WORD - 1).min(bytes.len());
    let whole = bytes.get(places.start..to).unwrap_or_default();
    let mut at = places.start;
    for word in whole.array_windows::<WORD>() {
        let word = u64::from_le_bytes(*word);
        for (run, by) in RUNS {
            sink.see(at, top((word & (u64::MAX >> (u64::BITS as usize - 8 * run))).wrapping_mul(by)));
        }
        at += 1;
    }
    // At the end of a form there are fewer than are read at once.
    while at < places.end {
        let rest = bytes.get(at..).unwrap_or_default();
        let mut word = [0; WORD];
        word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        for (run, by) in RUNS.into_iter().filter(|(run, _)| *run <= rest.len()) {
            let word = u64::from_le_bytes(word) & (u64::MAX >> (u64::BITS as usize - 8 * run));
            sink.see(at, top(word.wrapping_mul(by)));
        }
        at += 1;
    }
}

const fn top(product: u64) -> u32 {
    (product >> (u64::BITS - BITS)) as u32
}

/// The feature of a hash, by what it is the hash of.
const fn of(hash: u32, kind: u64) -> u32 {
    top((hash as u64 ^ kind << 32).wrapping_mul(0xD6E8_FEB8_6659_FD93))
}

/// Two hashes in their order.
const fn pair(a: u32, b: u32) -> u32 {
    (a.rotate_left(11) ^ b).wrapping_mul(0x85EB_CA6B).rotate_left(7)
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

impl Before {
    /// The signs between two words.
    fn signs(&mut self, bytes: &[u8], places: Range<usize>, sink: &mut impl Sink) {
        for (at, b) in (places.start..).zip(bytes.get(places).unwrap_or_default()) {
            if matches!(b, b' ' | b'\'' | b'-') {
                continue;
            }
            let [_, last] = self.words;
            if last != 0 {
                sink.see(at, of(pair(last, u32::from(*b)), 5));
            }
            if matches!(b, b'.' | b'!' | b'?' | b':' | b'"') {
                self.words = [0, pair(99, u32::from(*b))];
            }
        }
    }

    fn word(&mut self, token: &Token, sink: &mut impl Sink) {
        let (at, key) = (token.at as usize, token.key);
        self.count += 1;
        let [first, second] = self.words;
        sink.see(at, of(key, 1));
        if second != 0 {
            sink.see(at, of(pair(second, key), 2));
        }
        if first != 0 {
            sink.see(at, of(pair(pair(first, second), key), 3));
            sink.see(at, of(pair(first, key), 4));
        }
        self.words = [second, key];
        if token.meaning != 0 {
            self.meaning(at, u32::from(token.meaning), sink);
        }
        self.family(at, u32::from(token.family), sink);
    }

    fn meaning(&mut self, at: usize, meaning: u32, sink: &mut impl Sink) {
        sink.see(at, of(meaning, 11));
        let [(first, first_at), (second, second_at)] = self.meanings;
        if second != 0 && self.count - second_at <= NEAR[0] {
            sink.see(at, of(pair(second, meaning), 12));
            if first != 0 && self.count - first_at <= NEAR[1] {
                sink.see(at, of(pair(pair(first, second), meaning), 13));
                sink.see(at, of(pair(first, meaning), 14));
            }
        }
        self.meanings = [(second, second_at), (meaning, self.count)];
    }

    fn family(&mut self, at: usize, family: u32, sink: &mut impl Sink) {
        let [first, second] = self.families;
        if family != 0 {
            sink.see(at, of(family, 21));
            if second != 0 {
                sink.see(at, of(pair(second, family), 22));
                if first != 0 {
                    sink.see(at, of(pair(pair(first, second), family), 23));
                }
            }
        }
        self.families = [second, family];
    }
}

/// The features that begin within these steps of a form, behind the characters they begin at.
pub(super) fn placed(form: &Form, steps: Range<usize>) -> Vec<(usize, u32)> {
    struct Placed<'a>(Round<'a>, Vec<(usize, u32)>);
    impl Sink for Placed<'_> {
        fn see(&mut self, at: usize, feature: u32) {
            if self.0.is_new(feature) {
                self.1.push((at, feature));
            }
        }
        fn end_of_step(&mut self) {
            self.0.next();
        }
    }
    let mut seen = Seen::default();
    let mut all = Placed(seen.begin(), Vec::new());
    each(form, steps, &mut all);
    all.1
}

/// At most so many features begin within a step: at each character two runs and a sign, and at each word, of which each has at
/// least a character, four of words and seven of what it means and is.
pub(super) const MOST: usize = STEP * (RUNS.len() + 1 + 11);

/// The steps of a form.
pub(super) fn steps(form: &Form) -> Range<usize> {
    0..form.bytes.len().div_ceil(STEP)
}

/// Bits of a place in the table of what came before.
const PLACE: u32 = 12;

/// Which features came within a step, in one table that is used again for the next. Two that share a place displace each other:
/// then one may count twice.
#[derive(Debug)]
pub(super) struct Seen {
    slots: Box<[u32; 1 << PLACE]>,
    tag: u32,
}

impl Default for Seen {
    fn default() -> Self {
        Self { slots: Box::new([0; 1 << PLACE]), tag: 0 }
    }
}

impl Seen {
    /// Begins the first step of a form.
    pub(super) fn begin(&mut self) -> Round<'_> {
        let mut round = Round { slots: &mut self.slots, tag: &mut self.tag };
        round.next();
        round
    }
}

/// The features of a step, and of the next one.
pub(super) struct Round<'a> {
    slots: &'a mut [u32; 1 << PLACE],
    // Which step it is, above the bits of a feature.
    tag: &'a mut u32,
}

impl Round<'_> {
    /// Begins the next step.
    pub(super) fn next(&mut self) {
        match self.tag.checked_add(1 << BITS) {
            Some(tag) => *self.tag = tag,
            None => {
                self.slots.fill(0);
                *self.tag = 1 << BITS;
            }
        }
    }

    /// Whether the feature is new in this step.
    #[inline(always)]
    pub(super) fn is_new(&mut self, feature: u32) -> bool {
        let tag = *self.tag | feature;
        std::mem::replace(&mut self.slots[feature as usize % (1 << PLACE)], tag) != tag
    }
}
