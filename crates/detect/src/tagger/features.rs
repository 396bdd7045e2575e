//! What the tagger looks at: hashed hints from the token, its neighbours, and what was asked before.
//!
//! Never more than two tokens to the right. Training and running call the same function.

use super::lexicon::list;
use super::token::{Shape, Token};

/// At most so many features a token.
pub(crate) const MOST: usize = 64;

/// What the other side asked for just before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[repr(u8)]
pub enum Asked {
    /// Nothing that matters here, or nothing at all.
    #[default]
    Nothing,
    /// A person's name.
    Name,
    /// A place.
    Place,
    /// An address.
    Address,
}

/// A token and what stands around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    /// Three tokens before it, itself, two after it.
    pub tokens: [&'a Token; 6],
    /// What was asked.
    pub asked: Asked,
    /// Words before it in the text, at most 3.
    pub before: u8,
    /// How the words before it are written.
    pub case: Case,
    /// How many of them are common: nothing known yet, few, some, most.
    pub known: u8,
}

/// How the text so far is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Case {
    /// No word yet.
    #[default]
    Unknown,
    /// No capital letter.
    Lower,
    /// The last words are all capitals.
    Upper,
    /// As in books.
    Book,
}

/// Runs along with the text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Course {
    words: u8,
    capitals: u8,
    upper: u8,
    /// Of the last eight words, one bit each.
    known: u8,
}

impl Course {
    /// A token was passed.
    pub(crate) fn pass(&mut self, token: &Token) {
        if !token.shape.is_word() {
            return;
        }
        self.words = self.words.saturating_add(1);
        if !token.shape.is_number() {
            self.known = self.known << 1 | u8::from(token.lists & list::COMMON != 0);
        }
        match token.shape {
            Shape::Title | Shape::Mixed | Shape::Letter => {
                self.capitals = self.capitals.saturating_add(1);
                self.upper = 0;
            }
            Shape::Upper => {
                self.capitals = self.capitals.saturating_add(1);
                self.upper = self.upper.saturating_add(1);
            }
            Shape::Lower => self.upper = 0,
            _ => {}
        }
    }

    /// Words so far, at most 3.
    pub(crate) const fn before(self) -> u8 {
        if self.words > 3 { 3 } else { self.words }
    }

    /// How many of the last words are common.
    pub(crate) const fn known(self) -> u8 {
        match (self.words, self.known.count_ones()) {
            (0..3, _) => 0,
            (_, 0) => 1,
            (3..8, 1) | (_, 1 | 2) => 2,
            _ => 3,
        }
    }

    /// How they are written.
    pub(crate) const fn case(self) -> Case {
        match (self.words, self.capitals, self.upper) {
            (0, ..) => Case::Unknown,
            (_, 0, _) => Case::Lower,
            (_, _, 2..) => Case::Upper,
            _ => Case::Book,
        }
    }
}

/// The hashed features of one token.
#[derive(Debug, Clone, Copy)]
pub struct Features {
    hashes: [u32; MOST],
    count: usize,
    /// One past the features that know the word itself.
    pub words: usize,
    /// One past the features that know its lists (they begin at `words`).
    pub lists: usize,
}

impl Default for Features {
    fn default() -> Self {
        Self { hashes: [0; MOST], count: 0, words: 0, lists: 0 }
    }
}

impl Features {
    /// All of them.
    pub fn all(&self) -> &[u32] {
        self.hashes.get(..self.count).unwrap_or_default()
    }

    #[inline]
    fn add(&mut self, a: u32, b: u32) {
        if let Some(slot) = self.hashes.get_mut(self.count) {
            *slot = mix(self.count, a, b);
            self.count += 1;
        }
    }
}

#[inline]
const fn mix(number: usize, a: u32, b: u32) -> u32 {
    let both = (a as u64) | (b as u64) << 32;
    let once =
        (both ^ (number as u64).wrapping_mul(0xA076_1D64_78BD_642F)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((once ^ once >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32) as u32
}

#[inline]
const fn pair(a: u32, b: u32) -> u32 {
    (a ^ b.rotate_left(16)).wrapping_mul(0x85EB_CA6B)
}

/// Fills in the features of the token in the middle.
pub(crate) fn features(around: &Around<'_>, out: &mut Features) {
    let [c, b, a, t, n, m] = around.tokens;
    let shape = |t: &Token| t.shape as u32 | u32::from(t.glued) << 6;
    let case = around.case as u32;
    let lists = |t: &Token| u32::from(t.lists);
    let family = |t: &Token| u32::from(t.family);
    out.count = 0;
    // The word itself.
    out.add(t.word, 0);
    out.add(t.word, a.word);
    out.add(t.word, n.word ^ u32::from(n.glued));
    out.add(t.word, shape(t) | case << 8);
    out.add(t.heads[3], 0);
    out.add(t.tails[2], 0);
    out.words = out.count;
    // Its lists.
    out.add(t.phrase, 0);
    out.add(t.phrase, a.phrase);
    out.add(t.phrase, lists(n));
    out.add(t.phrase, a.word);
    out.add(t.phrase, n.word);
    out.add(t.phrase, shape(t) | case << 8 | u32::from(around.known) << 12);
    out.add(t.phrase, pair(a.word, b.word));
    out.add(pair(t.phrase, a.phrase), lists(n));
    out.add(pair(t.phrase, shape(a)), shape(n));
    out.lists = out.count;
    // How it is written.
    out.add(shape(t), case | u32::from(around.known) << 12);
    out.add(shape(t), shape(a) | shape(n) << 8);
    out.add(shape(t) | shape(a) << 8, shape(b) | case << 8);
    out.add(shape(t) | shape(n) << 8, shape(m) | case << 8);
    out.add(shape(t), a.word);
    out.add(shape(t) | case << 8, n.word);
    out.add(t.heads[0], shape(t));
    out.add(t.heads[1], 1);
    out.add(t.heads[2], 2);
    out.add(t.tails[0], shape(t));
    out.add(t.tails[1], case);
    // Words that are used like it and like those around it.
    out.add(family(t), shape(t) | case << 8);
    out.add(family(t), family(a) | family(n) << 8);
    out.add(family(t), t.phrase);
    out.add(family(t) | family(a) << 8, shape(t));
    out.add(family(t) | family(n) << 8, shape(t));
    out.add(family(a) | family(n) << 8, shape(t));
    out.add(family(a) | family(b) << 8, shape(t));
    out.add(family(n) | family(m) << 8, shape(t));
    // What stands around it.
    out.add(a.word, 0);
    out.add(b.word, 0);
    out.add(n.word, u32::from(n.glued));
    out.add(m.word, 0);
    out.add(a.word, b.word);
    out.add(n.word, m.word);
    out.add(a.word, n.word);
    out.add(pair(a.word, b.word), c.word);
    out.add(a.tails[1], shape(t));
    out.add(n.tails[1], shape(t));
    out.add(a.phrase, shape(t));
    out.add(lists(n), shape(t));
    out.add(b.phrase, a.phrase);
    out.add(lists(n), lists(m));
    // Where it stands, and what was asked.
    let place = u32::from(around.before) | u32::from(around.asked as u8) << 4;
    out.add(place, shape(t) | shape(n) << 8);
    if around.asked != Asked::Nothing {
        out.add(place, t.phrase);
        out.add(place, t.word);
        out.add(place, n.word);
    }
}
