//! One quick look at a whole text: where anything can start, and which patterns cannot match for want of something.
//!
//! Some patterns begin with any word (an e-mail address), so that the automaton must walk every word for their sake. But
//! they need something rare: `@`, "dot", a digit, a word of unusual length. [`Sieve::look`] reads each pair of bytes once, in blocks of 64, and notes
//! the possible starts and the rare things. A start is then run with the least automaton that holds every pattern whose
//! needs are met in the [`HOLD`] bytes from there. The patterns left out could not have matched: nothing is lost.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::automaton::{Automaton, THIRDS, Thirds, third};
use crate::normal::is_word;
use crate::{HOLD, RulesError};

/// Starts are noted in blocks of so many bytes.
pub(crate) const BLOCK: usize = 64;
/// Blocks that the bytes a run may take can lie in, the first not counted.
const AHEAD: usize = HOLD.div_ceil(BLOCK);
/// A pattern that can begin with at least so many letters of one case begins with any word.
const ANY: usize = 13;
/// Needs that can be told apart, beside the next two.
const NEEDS: usize = 30;
/// A need: so many word characters in a row, which hardly any word of a language has.
const LONG: u32 = 1 << NEEDS;
const LONG_WORD: u32 = 16;
/// Bit of the one need that every automaton but the first knows: a digit.
const DIGIT: u32 = 1 << 31;

/// Which patterns take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Those that need no digit and do not begin with any word.
    Few,
    /// Those that do not begin with any word.
    Most,
    /// All.
    All,
}

/// In the table of pairs: a start after no word character for each level, then the same after one.
const START: u16 = 1;
const AFTER_WORD: u32 = 3;
/// The starts of all levels.
const LEVELS: u16 = 7;
/// The first byte is a word character, a digit.
const WORD: u16 = 1 << 6;
/// The same bit, beside the starts of the levels.
const IN_WORD: u16 = WORD >> 3;
const A_DIGIT: u16 = 1 << 7;
/// The first byte is a sign that something needs.
const SIGN: u16 = 1 << 8;
/// A word that something needs may stand here.
const RARE: u16 = 1 << 9;

/// What is known of 64 bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Block {
    has: u32,
    /// Possible starts by level, the first byte in the lowest bit.
    starts: [u64; 3],
}

/// The tables.
#[derive(Debug)]
pub(crate) struct Sieve {
    pairs: Box<[[u16; 256]; 256]>,
    /// For the last byte of a text.
    last: [u16; 256],
    /// Needs met by one byte.
    signs: [u32; 256],
    /// Longer ones, sorted by `key`.
    rare: Box<[Rare]>,
    /// Which three bytes one of these can have from its `key` on.
    rare_thirds: Box<Thirds>,
    /// What each pattern needs that begins with any word: all bits.
    needs: Box<[u32]>,
    /// For the first two levels: which three bytes can begin a match.
    thirds: [Box<Thirds>; 2],
}

/// A literal of which one of its need must stand in the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rare {
    /// The rarest two bytes of it, in lower case.
    key: [u8; 2],
    /// Where in the literal these stand.
    at: usize,
    /// In lower case.
    literal: Box<[u8]>,
    need: u32,
}

/// Which level each pattern belongs to.
pub(crate) struct Sorted {
    pub levels: Vec<Level>,
    rare: Vec<Rare>,
    needs: Vec<u32>,
}

/// Sorts the patterns by what they need.
pub(crate) fn sorted<'a>(patterns: impl Iterator<Item = &'a Hir>) -> Sorted {
    let mut sorted = Sorted { levels: Vec::new(), rare: Vec::new(), needs: Vec::new() };
    let mut sets: Vec<Vec<Vec<u8>>> = Vec::new();
    for hir in patterns {
        let digit = needs_digit(hir);
        let mut level = if digit { Level::Most } else { Level::Few };
        let first = first_bytes(hir).0;
        let letters = |from: u8| (from..from + 26).filter(|b| first[usize::from(*b)]).count();
        if letters(b'a') >= ANY || letters(b'A') >= ANY {
            let mut found = Vec::new();
            literal_sets(hir, &mut found);
            // Signs are quickly seen; words are looked for where there are no signs but a full stop at best.
            let signs: Vec<_> = found.iter().filter(|set| rarity(set) == SIGNS).cloned().collect();
            found.retain(|set| rarity(set) >= STOP);
            found.sort_by_key(|set| std::cmp::Reverse(rarity(set)));
            found.truncate(1);
            if !signs.is_empty() {
                found = signs;
            } else if digit {
                found.clear();
            }
            let mut need = 0;
            for set in found.into_iter().take(2) {
                let known = sets.iter().position(|s| *s == set).unwrap_or(sets.len());
                if known < NEEDS {
                    need |= 1 << known;
                    if known == sets.len() {
                        sets.push(set);
                    }
                }
            }
            if need == 0 && word_run(hir) >= LONG_WORD {
                need = LONG;
            }
            if need != 0 {
                sorted.needs.push(need | if digit { DIGIT } else { 0 });
                level = Level::All;
            }
        }
        sorted.levels.push(level);
    }
    for (i, set) in sets.iter().enumerate() {
        sorted.rare.extend(set.iter().map(|literal| Rare::new(literal, 1 << i)));
    }
    sorted.rare.sort();
    sorted.needs.sort_unstable();
    sorted.needs.dedup();
    sorted
}

impl Rare {
    fn new(literal: &[u8], need: u32) -> Self {
        let pairs = literal.windows(2).enumerate();
        let at = pairs.min_by_key(|(_, w)| w.iter().map(|b| common(*b)).product::<u32>());
        let at = at.map_or(0, |(at, _)| at);
        let byte = |i: usize| literal.get(i).copied().unwrap_or_default();
        Self { key: [byte(at), byte(at + 1)], at, literal: literal.into(), need }
    }
}

/// How often a byte stands in a text, about, in thousandths: English letters.
const fn common(b: u8) -> u32 {
    const LETTERS: [u8; 26] =
        [82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1];
    match b {
        b'a'..=b'z' => LETTERS[(b - b'a') as usize] as u32,
        b' ' => 200,
        _ => 5,
    }
}

impl Sieve {
    /// The tables for automata of the three levels.
    pub(crate) fn new(levels: [&Automaton; 3], sorted: Sorted) -> Result<Self, RulesError> {
        let (single, longer): (Vec<_>, Vec<_>) = sorted.rare.into_iter().partition(|r| r.literal.len() == 1);
        let mut signs = [0; 256];
        for (b, sign) in (0..=u8::MAX).zip(&mut signs) {
            let of_byte = single.iter().filter(|r| *r.literal == [b.to_ascii_lowercase()]);
            *sign = of_byte.fold(0, |all, r| all | r.need);
        }
        let mut rare_thirds = Box::new([0; THIRDS]);
        for rare in &longer {
            let [a, b] = rare.key;
            let next = rare.literal.get(rare.at + 2).copied();
            // What follows a literal can be anything.
            for c in (0..=u8::MAX).filter(|c| next.is_none_or(|next| next == *c)) {
                let (word, bit) = third(a, b, c);
                rare_thirds[word] |= bit;
            }
        }
        let mut sieve = Self {
            pairs: vec![[0; 256]; 256].try_into().unwrap_or_else(|_| Box::new([[0; 256]; 256])),
            last: [0; 256],
            signs,
            rare: longer.into(),
            rare_thirds,
            needs: sorted.needs.into(),
            thirds: [levels[0].thirds()?, levels[1].thirds()?],
        };
        for a in 0..=u8::MAX {
            let of_byte = (u16::from(is_word(a)) * WORD)
                | (u16::from(a.is_ascii_digit()) * A_DIGIT)
                | (u16::from(signs[usize::from(a)] != 0) * SIGN);
            let rare = |b: u8| {
                let key = [a.to_ascii_lowercase(), b.to_ascii_lowercase()];
                sieve.rare.iter().any(|r| r.key == key)
            };
            let mut row = [0; 256];
            for (b, slot) in (0..=u8::MAX).zip(&mut row) {
                *slot = of_byte | (u16::from(rare(b)) * RARE);
                for (level, automaton) in levels.iter().enumerate() {
                    let (after_none, after_word) = automaton.can_start(a, Some(b));
                    *slot |= (u16::from(after_none) * START) << level;
                    *slot |= ((u16::from(after_word) * START) << AFTER_WORD) << level;
                }
            }
            let mut last = of_byte;
            for (level, automaton) in levels.iter().enumerate() {
                let (after_none, after_word) = automaton.can_start(a, None);
                last |= (u16::from(after_none) * START) << level;
                last |= ((u16::from(after_word) * START) << AFTER_WORD) << level;
            }
            if let Some(slot) = sieve.pairs.get_mut(usize::from(a)) {
                *slot = row;
            }
            if let Some(slot) = sieve.last.get_mut(usize::from(a)) {
                *slot = last;
            }
        }
        Ok(sieve)
    }

    /// Looks at `text[at..at + 64]`.
    #[inline]
    pub(crate) fn look(&self, text: &[u8], at: usize) -> Block {
        let mut block = Block::default();
        let end = text.len().min(at + BLOCK);
        let before = at.checked_sub(1).and_then(|i| text.get(i)).copied().is_some_and(is_word);
        let mut shift = u32::from(before) * AFTER_WORD;
        let mut all = 0;
        let here = text.get(at..end).unwrap_or_default();
        let next = text.get(at + 1..text.len().min(end + 1)).unwrap_or_default();
        // The starts of each byte, one bit a level, and whether it is a word character; gathered below.
        let mut bits = [0_u8; BLOCK];
        let mut note = |i: usize, of: u16, bits: &mut u8| {
            let [known, _] = (of >> shift & LEVELS | of >> 3 & IN_WORD).to_le_bytes();
            *bits = known;
            shift = u32::from(of & WORD != 0) * AFTER_WORD;
            all |= of;
            if of & (RARE | SIGN) != 0 {
                block.has |= text.get(at + i).map_or(0, |a| self.signs[usize::from(*a)]);
                if of & RARE != 0 && self.may_be_rare(text, at + i) {
                    block.has |= self.rare_at(text, at + i);
                }
            }
        };
        for ((i, (a, b)), bits) in here.iter().zip(next).enumerate().zip(&mut bits) {
            note(i, self.pairs[usize::from(*a)][usize::from(*b)], bits);
        }
        if let (Some((a, before)), true) = (here.split_last(), next.len() < here.len())
            && let Some(bits) = bits.get_mut(before.len())
        {
            note(before.len(), self.last[usize::from(*a)], bits);
        }
        let [few, most, all_starts, word] = gathered(&bits);
        block.starts = [few, most, all_starts];
        if all & A_DIGIT != 0 {
            block.has |= DIGIT;
        }
        if has_long(text, at, word) {
            block.has |= LONG;
        }
        block
    }

    /// Whether a rare thing whose two bytes stand here can go on as the text does.
    #[inline]
    fn may_be_rare(&self, text: &[u8], at: usize) -> bool {
        let Some(&[a, b, c]) = text.get(at..at + 3) else { return true };
        let (word, bit) = third(a, b, c);
        self.rare_thirds[word & (THIRDS - 1)] & bit != 0
    }

    /// Which rare things have their two bytes here.
    #[cold]
    #[inline(never)]
    fn rare_at(&self, text: &[u8], at: usize) -> u32 {
        let byte = |i: usize| text.get(i).map_or(0, u8::to_ascii_lowercase);
        let key = [byte(at), byte(at + 1)];
        let mut has = 0;
        let first = self.rare.partition_point(|r| r.key < key);
        for rare in self.rare.iter().skip(first).take_while(|r| r.key == key) {
            let stands = at
                .checked_sub(rare.at)
                .and_then(|from| text.get(from..from + rare.literal.len()))
                .is_some_and(|found| found.eq_ignore_ascii_case(&rare.literal));
            has |= if stands { rare.need } else { 0 };
        }
        has
    }

    /// The level and the starts of one block, given what stands in it and after it.
    #[inline]
    pub(crate) fn starts(&self, text: &[u8], blocks: &[Block], i: usize) -> (Level, u64) {
        let ahead = blocks.get(i..).unwrap_or_default();
        let has = ahead.iter().take(AHEAD + 1).fold(0, |has, b| has | b.has);
        let level = if self.needs.iter().any(|need| has & need == *need) {
            Level::All
        } else if has & DIGIT != 0 {
            Level::Most
        } else {
            Level::Few
        };
        let mut starts = ahead.first().map_or(0, |b| b.starts[level as usize]);
        let Some(thirds) = self.thirds.get(level as usize) else { return (level, starts) };
        let mut rest = starts;
        while rest != 0 {
            let bit = rest & rest.wrapping_neg();
            rest ^= bit;
            let at = i * BLOCK + usize::try_from(bit.trailing_zeros()).unwrap_or_default();
            if let Some(&[a, b, c]) = text.get(at..at + 3) {
                let (word, mask) = third(a, b, c);
                if thirds[word & (thirds.len() - 1)] & mask == 0 {
                    starts ^= bit;
                }
            }
        }
        (level, starts)
    }
}

/// Whether a word of [`LONG_WORD`] characters goes on in the block that begins here, given which of its bytes are word characters.
#[inline]
fn has_long(text: &[u8], at: usize, word: u64) -> bool {
    let two = word & word >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    eight & eight >> 8 != 0 || (word & 1 != 0 && word.trailing_ones() + word_before(text, at) >= LONG_WORD)
}

/// How many word characters stand before here in a row, as far as it matters.
fn word_before(text: &[u8], at: usize) -> u32 {
    let before = text.get(..at).unwrap_or_default().iter().rev();
    before.take(BLOCK).take_while(|b| is_word(**b)).map(|_| 1).sum()
}

/// The lowest four bits of each byte, each in a word of its own, the first byte's in the lowest place.
#[inline]
fn gathered(bits: &[u8; BLOCK]) -> [u64; 4] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // Moves the lowest bit of byte k to bit 56 + k; no two of them meet on the way.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = bits.as_chunks::<8>();
    let mut starts = [0; 4];
    for (i, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        for (level, starts) in starts.iter_mut().enumerate() {
            *starts |= ((eight >> level & EACH).wrapping_mul(GATHER) >> 56) << (8 * i);
        }
    }
    starts
}

/// The bytes a match can begin with, and whether it can be empty.
fn first_bytes(hir: &Hir) -> ([bool; 256], bool) {
    let mut first = [false; 256];
    let union = |first: &mut [bool; 256], more: [bool; 256]| {
        first.iter_mut().zip(more).for_each(|(a, b)| *a |= b);
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (first, true),
        HirKind::Literal(l) => {
            if let Some(b) = l.0.first() {
                first[usize::from(*b)] = true;
            }
            (first, l.0.is_empty())
        }
        HirKind::Class(Class::Bytes(c)) => {
            for range in c.ranges() {
                (range.start()..=range.end()).for_each(|b| first[usize::from(b)] = true);
            }
            (first, false)
        }
        HirKind::Class(Class::Unicode(_)) => ([true; 256], false),
        HirKind::Repetition(r) => {
            let (of, empty) = first_bytes(&r.sub);
            (of, empty || r.min == 0)
        }
        HirKind::Capture(c) => first_bytes(&c.sub),
        HirKind::Concat(all) => {
            for hir in all {
                let (of, empty) = first_bytes(hir);
                union(&mut first, of);
                if !empty {
                    return (first, false);
                }
            }
            (first, true)
        }
        HirKind::Alternation(all) => {
            let mut any_empty = false;
            for hir in all {
                let (of, empty) = first_bytes(hir);
                union(&mut first, of);
                any_empty |= empty;
            }
            (first, any_empty)
        }
    }
}

/// Whether every match has a digit in it.
fn needs_digit(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Unicode(_)) => false,
        HirKind::Literal(l) => l.0.iter().any(u8::is_ascii_digit),
        HirKind::Class(Class::Bytes(c)) => {
            !c.ranges().is_empty()
                && c.ranges().iter().all(|r| r.start().is_ascii_digit() && r.end().is_ascii_digit())
        }
        HirKind::Repetition(r) => r.min > 0 && needs_digit(&r.sub),
        HirKind::Capture(c) => needs_digit(&c.sub),
        HirKind::Concat(all) => all.iter().any(needs_digit),
        HirKind::Alternation(all) => all.iter().all(needs_digit),
    }
}

/// How many word characters in a row every match has at some place, at least.
fn word_run(hir: &Hir) -> u32 {
    if let Some(all) = of_word(hir) {
        return all;
    }
    match hir.kind() {
        HirKind::Literal(l) => {
            let runs = l.0.split(|b| !is_word(*b)).map(<[u8]>::len);
            runs.max().and_then(|longest| u32::try_from(longest).ok()).unwrap_or_default()
        }
        HirKind::Capture(c) => word_run(&c.sub),
        HirKind::Repetition(r) if r.min > 0 => word_run(&r.sub),
        HirKind::Concat(all) => {
            let (mut longest, mut run) = (0, 0_u32);
            for hir in all {
                run = of_word(hir).map_or(0, |more| run.saturating_add(more));
                longest = longest.max(run).max(word_run(hir));
            }
            longest
        }
        HirKind::Alternation(all) => all.iter().map(word_run).min().unwrap_or_default(),
        _ => 0,
    }
}

/// How many bytes this matches at least, if they are word characters all.
fn of_word(hir: &Hir) -> Option<u32> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(0),
        HirKind::Literal(l) => {
            l.0.iter().all(|b| is_word(*b)).then(|| u32::try_from(l.0.len()).unwrap_or(u32::MAX))
        }
        HirKind::Class(Class::Bytes(c)) => {
            c.ranges().iter().flat_map(|r| r.start()..=r.end()).all(is_word).then_some(1)
        }
        HirKind::Class(Class::Unicode(_)) => None,
        HirKind::Repetition(r) => of_word(&r.sub).map(|one| one.saturating_mul(r.min)),
        HirKind::Capture(c) => of_word(&c.sub),
        HirKind::Concat(all) => {
            all.iter().try_fold(0_u32, |sum, hir| of_word(hir).map(|of| sum.saturating_add(of)))
        }
        HirKind::Alternation(all) => all.iter().map(of_word).collect::<Option<Vec<_>>>()?.into_iter().min(),
    }
}

/// A class of at most so many bytes counts as an alternative of literals.
const SMALL_CLASS: usize = 8;
/// More alternatives than this are too many to look for.
const MOST_LITERALS: usize = 40;
/// How rare a sign is, and a full stop; words of two letters are more frequent than either.
const SIGNS: usize = 10;
const STOP: usize = 5;

/// How rare it is that one of these stands in a text; 0 for those that stand in most.
fn rarity(set: &[Vec<u8>]) -> usize {
    let of = |literal: &Vec<u8>| {
        let letters = literal.iter().filter(|b| is_word(**b)).count();
        let signs = literal.iter().any(|b| !is_word(*b) && !b" .,-'\"\n\t".contains(b));
        let stop = literal.contains(&b'.');
        if signs { SIGNS } else { (letters * 2 + usize::from(stop) * STOP).min(SIGNS - 1) }
    };
    set.iter().map(of).min().unwrap_or_default()
}

/// Sets of literals (in lower case) of which one must stand in every match, regardless of case.
fn literal_sets(hir: &Hir, sets: &mut Vec<Vec<Vec<u8>>>) {
    match hir.kind() {
        HirKind::Capture(c) => literal_sets(&c.sub, sets),
        HirKind::Repetition(r) if r.min > 0 => literal_sets(&r.sub, sets),
        HirKind::Concat(all) => {
            let mut run = Vec::new();
            for hir in all {
                if let Some(fixed) = fixed(hir) {
                    run.extend(fixed);
                    continue;
                }
                let run = std::mem::take(&mut run);
                if !run.is_empty() {
                    // `\.(?:com|org)`: ".com" is rarer than ".".
                    let heads = heads(hir).unwrap_or_else(|| vec![Vec::new()]);
                    sets.push(heads.into_iter().map(|head| [&run[..], &head].concat()).collect());
                }
                literal_sets(hir, sets);
            }
            if !run.is_empty() {
                sets.push(vec![run]);
            }
        }
        HirKind::Alternation(all) => {
            let mut union: Vec<Vec<u8>> = Vec::new();
            for hir in all {
                let mut of_one = Vec::new();
                literal_sets(hir, &mut of_one);
                let Some(best) = of_one.into_iter().max_by_key(|set| rarity(set)) else { return };
                union.extend(best);
            }
            union.sort();
            union.dedup();
            let shorter = union.clone();
            union.retain(|long| {
                !shorter.iter().any(|s| s.len() < long.len() && long.windows(s.len()).any(|w| w == s))
            });
            if union.len() <= MOST_LITERALS {
                sets.push(union);
            }
        }
        HirKind::Class(Class::Bytes(c)) => {
            let mut bytes: Vec<u8> = c.ranges().iter().flat_map(|r| r.start()..=r.end()).collect();
            bytes.make_ascii_lowercase();
            bytes.dedup();
            if !bytes.is_empty() && bytes.len() <= SMALL_CLASS {
                sets.push(bytes.into_iter().map(|b| vec![b]).collect());
            }
        }
        HirKind::Literal(_) => sets.extend(fixed(hir).map(|run| vec![run])),
        _ => {}
    }
}

/// What each branch of an alternation begins with, in lower case.
fn heads(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Capture(c) => heads(&c.sub),
        HirKind::Alternation(all) if all.len() <= MOST_LITERALS => all
            .iter()
            .map(|branch| match branch.kind() {
                HirKind::Concat(parts) => {
                    let head: Vec<u8> = parts.iter().map_while(fixed).flatten().collect();
                    (!head.is_empty()).then_some(head)
                }
                _ => fixed(branch),
            })
            .collect(),
        _ => None,
    }
}

/// The one text that this matches, in lower case, if there is only one.
fn fixed(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Literal(l) => Some(l.0.to_ascii_lowercase()),
        HirKind::Class(Class::Bytes(c)) => {
            let mut bytes = c.ranges().iter().flat_map(|r| r.start()..=r.end());
            let first = bytes.next()?.to_ascii_lowercase();
            bytes.all(|b| b.to_ascii_lowercase() == first).then(|| vec![first])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(pattern: &str) -> Hir {
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).unwrap()
    }

    #[test]
    fn what_every_match_has_of_word_characters_in_a_row() {
        for (pattern, run) in [
            (r"\b[A-Z0-9]{17}\b", 17),
            (r"\bab(?:cd)?[a-f]{2,9}\b_", 5),
            (r"abc-defgh(?:xy|z)", 5),
            (r"(?:xyz|ab-defg|abcd)\d", 3),
            (r"a*[a-]{20}", 0),
            (r"\w+@\w{3}", 3),
        ] {
            assert_eq!(word_run(&parsed(pattern)), run, "{pattern}");
        }
    }

    proptest! {
        /// As counted one by one.
        #[test]
        fn long_words_are_seen(lengths in prop::collection::vec(1_usize..40, 1..12)) {
            let text = lengths.iter().map(|n| "x".repeat(*n)).collect::<Vec<_>>().join(" ").into_bytes();
            for at in (0..text.len()).step_by(BLOCK) {
                let end = text.len().min(at + BLOCK);
                let bits = text[at..end].iter().enumerate().fold(0, |bits, (i, b)| bits | u64::from(is_word(*b)) << i);
                let run_until = |i: usize| text[..=i].iter().rev().take_while(|b| is_word(**b)).count();
                let long = (at..end).any(|i| run_until(i) >= LONG_WORD as usize);
                prop_assert_eq!(has_long(&text, at, bits), long, "{} of {:?}", at, lengths);
            }
        }

        /// Bit i of word l is bit l of byte i.
        #[test]
        fn bits_are_gathered_in_place(bytes in prop::collection::vec(0_u8..16, BLOCK)) {
            let starts = gathered(&bytes.clone().try_into().unwrap());
            for (i, byte) in bytes.iter().enumerate() {
                for (level, starts) in starts.iter().enumerate() {
                    prop_assert_eq!(starts >> i & 1, u64::from(byte >> level & 1));
                }
            }
        }
    }
}
