//! The trained model, used where it lies: nothing is read into other shapes but a few hundred numbers.
//!
//! All numbers little endian: `CWNAMES2`, SHA-256 of all that follows, then the head of 32-bit numbers (rows, slots of
//! lists, units of a whole score), what is taken from outside, the
//! transitions, the slots, the rows.

use super::features::Features;
use super::lexicon::{Lexicon, SLOT};

/// Labels: outside, and beginning and inside of each of five types.
pub const LABELS: usize = 11;
/// Types of names.
pub const TYPES: usize = 5;
/// Width of the sums.
pub(crate) const WIDE: usize = 16;
/// What a file begins with.
const MAGIC: &[u8; 8] = b"CWNAMES2";
/// Bytes of the hash after it.
const HASH: usize = 32;

/// Scores of the labels of one token.
pub(crate) type Scores = [i16; WIDE];

/// What is wrong with a model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the model of names is damaged or of another version: {0}")]
pub struct Damaged(&'static str);

/// A model, where it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model {
    pub hash: &'static [u8],
    /// Units of a whole score (a natural logarithm).
    pub unit: i32,
    pub lexicon: Lexicon<'static>,
    /// From label, to label; what may not follow is far below all others.
    pub moves: [[i32; LABELS]; LABELS],
    /// Taken from the score of "outside", in units, with and without capitals in the text so far: it is worse to miss a
    /// name than to hide a word, and without capitals there is less to go by.
    outside: [i16; 2],
    rows: &'static [u8],
    count: u64,
}

/// What a trainer gives.
#[derive(Debug, Clone, Default)]
pub struct Trained {
    /// Units of a whole score.
    pub unit: i16,
    /// Taken from the score of "outside", in units, with and without capitals in the text so far.
    pub outside: [i16; 2],
    /// Scores of transitions, in units, from and to.
    pub moves: [[i16; LABELS]; LABELS],
    /// Slots of the lists.
    pub lists: Vec<u8>,
    /// A row of scores for each value of a hashed feature, in units.
    pub rows: Vec<[i8; LABELS]>,
}

/// Whether one label may follow another: only what began goes on.
pub const fn may_follow(from: usize, to: usize) -> bool {
    // Odd labels begin, even ones from 2 up go on.
    to == 0 || to % 2 == 1 || from == to || from + 1 == to
}

/// Far below all scores.
pub(crate) const NEVER: i32 = i32::MIN / 4;

/// The row of a feature.
pub const fn row(hash: u32, rows: u64) -> usize {
    ((hash as u64 * rows) >> 32) as usize
}

impl Model {
    /// The model in these bytes. What follows the head is not looked at; the trainer and a test hold its hash.
    pub(crate) fn new(bytes: &'static [u8]) -> Result<Self, Damaged> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Damaged("its first bytes"))?;
        let (hash, rest) = rest.split_at_checked(HASH).ok_or(Damaged("too short"))?;
        let mut head = Head(rest);
        let [count, lists, unit] = [head.number()?, head.number()?, head.number()?];
        let outside = [head.short()?, head.short()?];
        let mut moves = [[NEVER; LABELS]; LABELS];
        for (from, row) in moves.iter_mut().enumerate() {
            for (to, score) in row.iter_mut().enumerate() {
                let known = i32::from(head.short()?);
                if may_follow(from, to) {
                    *score = known;
                }
            }
        }
        let lists = head.bytes(lists, SLOT)?;
        let rows = head.bytes(count, LABELS)?;
        if head.0.len() < WIDE || count == 0 || unit == 0 {
            return Err(Damaged("its length"));
        }
        // A sum reads a whole width from the start of each row; the padding behind the last one is a part of the file.
        let rows = rest.get(rest.len() - head.0.len() - rows.len()..).unwrap_or_default();
        Ok(Self {
            hash,
            unit: i32::try_from(unit).map_err(|_| Damaged("its unit"))?,
            lexicon: Lexicon::new(lists),
            moves,
            outside,
            rows,
            count: u64::from(count),
        })
    }

    /// The sum of the rows of these features; `plain` is a small word where no capital was seen.
    #[inline]
    pub(crate) fn scores(&self, features: &Features, plain: bool) -> Scores {
        let mut sum = [0_i16; WIDE];
        let [book, small] = self.outside;
        sum[0] = if plain { -small } else { -book };
        for hash in features.all() {
            let at = row(*hash, self.count) * LABELS;
            if let Some(row) = self.rows.get(at..).and_then(|r| r.first_chunk::<WIDE>()) {
                for (sum, weight) in sum.iter_mut().zip(row) {
                    *sum += i16::from(weight.cast_signed());
                }
            }
        }
        sum
    }
}

struct Head(&'static [u8]);

impl Head {
    fn number(&mut self) -> Result<u32, Damaged> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Damaged("too short"))?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*first))
    }

    fn short(&mut self) -> Result<i16, Damaged> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Damaged("too short"))?;
        self.0 = rest;
        Ok(i16::from_le_bytes(*first))
    }

    fn bytes(&mut self, count: u32, each: usize) -> Result<&'static [u8], Damaged> {
        let length = usize::try_from(count).ok().and_then(|n| n.checked_mul(each));
        let (first, rest) = length.and_then(|l| self.0.split_at_checked(l)).ok_or(Damaged("too short"))?;
        self.0 = rest;
        Ok(first)
    }
}

impl Trained {
    /// The file of the model; `hash` is SHA-256.
    pub fn file(&self, hash: impl FnOnce(&[u8]) -> [u8; HASH]) -> Vec<u8> {
        let mut rest = Vec::new();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        rest.extend(count(self.rows.len()));
        rest.extend(count(self.lists.len() / SLOT));
        rest.extend(i32::from(self.unit).to_le_bytes());
        rest.extend(self.outside.iter().flat_map(|score| score.to_le_bytes()));
        rest.extend(self.moves.iter().flatten().flat_map(|score| score.to_le_bytes()));
        rest.extend(&self.lists);
        rest.extend(self.rows.iter().flatten().map(|weight| weight.cast_unsigned()));
        rest.extend([0; WIDE]);
        let mut file = MAGIC.to_vec();
        file.extend(hash(&rest));
        file.extend(rest);
        file
    }
}
