//! Words and marks of a text, with what the features need to know of each.
//!
//! The tagger reads what matching sees (`normal`): one byte a character, letters without their marks. A token is a run of
//! letters and digits, or a run of one mark; a line end or a wide gap is a token of its own, beyond which nobody looks to
//! the right. Every bound is a length in the original text, so that hidden characters cannot hold a stream up, and
//! where a token ends is a function of the text alone: never of where a piece of it ended.

use super::lexicon::Lexicon;
use crate::engine::View;
use crate::normal;

/// The longest token, in bytes of original text.
const LONGEST: usize = 32;
/// A gap wider than this ends what can hang together.
const GAP: usize = 8;

/// How a token is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Shape {
    /// Outside the text, or beyond a line end.
    #[default]
    Pad,
    /// `line end` or a wide gap.
    Break,
    /// `word`
    Lower,
    /// `Word`
    Title,
    /// `W`
    Letter,
    /// `WORD`
    Upper,
    /// `wOrd`
    Mixed,
    /// `1`
    One,
    /// `12`
    Two,
    /// `123`
    Three,
    /// `1234`
    Four,
    /// `12345`
    Five,
    /// `123456`
    Six,
    /// More digits.
    Digits,
    /// `12b`
    DigitWord,
    /// `b12`
    WordDigit,
    /// Letters of a script that is not folded to ASCII.
    Foreign,
    /// Anything else.
    Mark,
}

impl Shape {
    /// Whether the token is a word or a number.
    pub const fn is_word(self) -> bool {
        !matches!(self, Self::Pad | Self::Break | Self::Mark)
    }

    /// Whether it is a number.
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            Self::One | Self::Two | Self::Three | Self::Four | Self::Five | Self::Six | Self::Digits
        )
    }

    const fn digits(count: usize) -> Self {
        match count {
            1 => Self::One,
            2 => Self::Two,
            3 => Self::Three,
            4 => Self::Four,
            5 => Self::Five,
            6 => Self::Six,
            _ => Self::Digits,
        }
    }
}

/// One token.
#[derive(Debug, Clone, Copy, Default)]
pub struct Token {
    /// Where it begins in the original text.
    pub start: usize,
    /// One past its end there.
    pub end: usize,
    /// Where it begins in what matching sees.
    pub seen: usize,
    /// One past its end there.
    pub seen_end: usize,
    /// Position in the original text from which its end is certain.
    pub known: usize,
    /// Hash of its lower-case letters; all digits are alike.
    pub word: u32,
    /// Hashes of its first one to four letters.
    pub heads: [u32; 4],
    /// Hashes of its last two to four letters.
    pub tails: [u32; 3],
    /// How it is written.
    pub shape: Shape,
    /// Whether it stands right after the token before it.
    pub glued: bool,
    /// Lists in which this word stands.
    pub lists: u16,
    /// The family of words it belongs to: those that are used alike. 0 where none is known.
    pub family: u8,
    /// Lists in which this word stands as itself or as part of a phrase, and where in the phrase.
    pub phrase: u32,
}

impl Token {
    /// What stands outside the text.
    pub(crate) const fn pad() -> Self {
        Self {
            start: 0,
            end: 0,
            seen: 0,
            seen_end: 0,
            known: 0,
            word: 0,
            heads: [0; 4],
            tails: [0; 3],
            shape: Shape::Pad,
            glued: false,
            lists: 0,
            family: 0,
            phrase: 0,
        }
    }
}

const OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01B3;

/// Hash of a word as tokens carry it.
pub fn word_hash(lower: &[u8]) -> u32 {
    short(lower.iter().fold(OFFSET, |hash, byte| step(hash, *byte)))
}

const fn step(hash: u64, byte: u8) -> u64 {
    let byte = if byte.is_ascii_digit() { b'0' } else { byte.to_ascii_lowercase() };
    (hash ^ byte as u64).wrapping_mul(PRIME)
}

#[expect(clippy::cast_possible_truncation, reason = "a hash of half the width")]
const fn short(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

/// Hash of a line end.
const BREAK: u32 = 0x0A0A_0A0A;

/// What the byte begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begins {
    Nothing,
    Line,
    Word,
    Spaceless,
    Mark,
}

const fn begins(byte: u8) -> Begins {
    match byte {
        b'\n' => Begins::Line,
        0..=b' ' if byte != normal::OTHER => Begins::Nothing,
        0x80.. => Begins::Spaceless,
        _ if normal::is_word(byte) => Begins::Word,
        _ => Begins::Mark,
    }
}

/// Cuts a text that may come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    /// Where to go on, in what matching sees.
    pub at: usize,
    /// End of the last token (original, seen), if it was no line end.
    last: Option<(usize, usize)>,
}

impl Cutter {
    /// The next token, if it is certain by now.
    pub(crate) fn next(&mut self, lexicon: &Lexicon<'_>, view: &View<'_>) -> Option<Token> {
        loop {
            let Some(byte) = view.seen.get(self.at).copied() else {
                let last = self.last.filter(|(end, _)| view.at > end + GAP);
                return last.map(|(end, _)| self.gap(end));
            };
            let begins = begins(byte);
            let start = view.start_of(self.at);
            if let Some((end, _)) = self.last
                && start > end + GAP
            {
                return Some(self.gap(end));
            }
            match begins {
                Begins::Nothing => self.at += 1,
                Begins::Line => {
                    self.at += 1;
                    if self.last.take().is_some() {
                        let end = view.end_of(self.at - 1);
                        let seen = self.at - 1;
                        return Some(Token { start, end, seen, seen_end: self.at, known: end, ..line() });
                    }
                }
                Begins::Word | Begins::Spaceless | Begins::Mark => {
                    return self.token(lexicon, view, start, begins);
                }
            }
        }
    }

    /// Where the text begins that is not in a token yet.
    pub(crate) fn open(&self, view: &View<'_>) -> usize {
        let rest = view.seen.get(self.at..).unwrap_or_default();
        match rest.iter().position(|b| !matches!(begins(*b), Begins::Nothing | Begins::Line)) {
            Some(more) => view.start_of(self.at + more),
            None => view.at,
        }
    }

    fn gap(&mut self, end: usize) -> Token {
        self.last = None;
        Token { start: end, end, seen: self.at, seen_end: self.at, known: end + GAP + 1, ..line() }
    }

    fn token(&mut self, lexicon: &Lexicon<'_>, view: &View<'_>, start: usize, kind: Begins) -> Option<Token> {
        let first = view.seen.get(self.at).copied().unwrap_or_default();
        let belongs = |byte: u8| match kind {
            Begins::Mark => byte == first,
            _ => begins(byte) == kind,
        };
        let mut to = self.at;
        let known = loop {
            match view.seen.get(to) {
                Some(byte) if belongs(*byte) && (to == self.at || view.end_of(to) <= start + LONGEST) => {
                    to += 1
                }
                Some(_) => break view.end_of(to).min(start + LONGEST + 1),
                None if view.ends || view.at > start + LONGEST => break view.at.min(start + LONGEST + 1),
                None => return None,
            }
        };
        let bytes = view.seen.get(self.at..to).unwrap_or_default();
        let end = view.end_of(to - 1);
        let glued = self.last.is_some_and(|(_, seen)| seen == self.at);
        let mut token = Token {
            start,
            end,
            seen: self.at,
            seen_end: to,
            known: known.max(end),
            shape: shape(bytes, kind),
            glued,
            ..letters(bytes)
        };
        if token.shape.is_word() {
            (token.lists, token.family) = lexicon.lists(token.word);
        }
        self.at = to;
        self.last = Some((end, to));
        Some(token)
    }

    /// The first `by` bytes of what matching sees were dropped.
    pub(crate) fn shift(&mut self, by: usize) {
        self.at = self.at.saturating_sub(by);
        self.last = self.last.map(|(end, seen)| (end, seen.wrapping_sub(by)));
    }
}

fn line() -> Token {
    Token { word: BREAK, shape: Shape::Break, ..Token::default() }
}

/// The hashes of a token's letters.
fn letters(bytes: &[u8]) -> Token {
    let mut token = Token::default();
    let mut hash = OFFSET;
    let mut heads = token.heads.iter_mut();
    for byte in bytes {
        hash = step(hash, *byte);
        if let Some(head) = heads.next() {
            *head = short(hash);
        }
    }
    token.word = short(hash);
    for head in heads {
        *head = token.word ^ 1;
    }
    for (tail, length) in token.tails.iter_mut().zip(2..) {
        let last = bytes.get(bytes.len().saturating_sub(length)..).unwrap_or_default();
        *tail = word_hash(last);
    }
    token
}

fn shape(bytes: &[u8], kind: Begins) -> Shape {
    match kind {
        Begins::Spaceless => return Shape::Foreign,
        Begins::Word => {}
        _ => return Shape::Mark,
    }
    let (mut upper, mut lower, mut digits, mut foreign) = (0, 0, 0, 0);
    for byte in bytes {
        match byte {
            b'A'..=b'Z' => upper += 1,
            b'0'..=b'9' => digits += 1,
            b'_' => foreign += 1,
            _ => lower += 1,
        }
    }
    let first = bytes.first().copied().unwrap_or_default();
    match (upper, lower, digits, foreign) {
        (0, 0, n, 0) => Shape::digits(n),
        (_, _, 1.., _) if first.is_ascii_digit() => Shape::DigitWord,
        (_, _, 1.., _) => Shape::WordDigit,
        (0, 0, 0, _) => Shape::Foreign,
        (0, _, _, _) => Shape::Lower,
        (1, 0, _, 0) => Shape::Letter,
        (_, 0, _, _) => Shape::Upper,
        (1, _, _, _) if first.is_ascii_uppercase() => Shape::Title,
        _ => Shape::Mixed,
    }
}
